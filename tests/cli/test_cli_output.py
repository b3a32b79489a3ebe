"""What commands print and write: nothing that a terminal obeys, no half file, no other's file."""

import io
import json
import resource

import pytest

from hermes.cli.output import print_json, print_json_line
from hermes.errors import Usage
from hermes.node.new_file import check_free, write_new

HOSTILE = "a\x1b[31m\x9b31m\x7f\u202ecba\u2066\u2028\ud800é\U0001f469\u200d\U0001f469"


@pytest.mark.parametrize("printed", [print_json, print_json_line])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_json_is_the_same_value_and_commands_no_terminal(printed, encoding):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    printed({HOSTILE: HOSTILE}, out)
    out.flush()
    text = raw.getvalue().decode(encoding)
    assert json.loads(text) == {HOSTILE: HOSTILE}
    assert not any((ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) <= 0x9F for c in text)
    assert not set(text) & set("\u202e\u2066\u2028")
    assert ("é" in text) == (encoding == "utf-8")


def test_a_new_file_is_its_owners_and_never_another(tmp_path):
    path = tmp_path / "new"
    check_free(path)
    write_new(path, b"mine")
    assert path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(Usage, match="exists already"):
            check_free(taken)
        with pytest.raises(Usage, match="exists already"):
            write_new(taken, b"other")
    assert path.read_bytes() == b"mine"
    with pytest.raises(Usage, match="cannot write"):
        write_new(tmp_path / "gone" / "new", b"x")


def test_a_full_disk_leaves_no_half_file(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(Usage, match="cannot write"):
            write_new(tmp_path / "new", bytes(2_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
