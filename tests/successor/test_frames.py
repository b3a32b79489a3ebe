"""What comes out of a build's box is believed in nothing."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import BuildFailed
from hermes.successor.frames import check_path, read_frames

END = b'{"end": true}\n'


def frame(data: bytes = b"", **fields) -> bytes:
    return msgspec.json.encode(fields | {"size": len(data)}) + b"\n" + data


def test_frames_come_back():
    said = frame(b"one\ntwo", path="a/b.py", x=True) + frame(path="c", gone=True) + END
    (one, data), (other, nothing) = read_frames(said)
    assert (one.path, one.x, data) == ("a/b.py", True, b"one\ntwo")
    assert (other.gone, nothing) == (True, b"")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        frame(b"x", path="a"),
        b'{"path": "a", "size": 5}\nxx' + END,
        b'{"path": "a", "size": -5}\nxx' + END,
        b"garbage\n" + END,
        b'{"size": "1"}\nx' + END,
        b"x" * 20_000 + b"\n" + END,
        frame() * 20_001 + END,
        b'{"nobody": ' + b"[" * 16_000 + b"\n" + END,
    ],
)
def test_what_is_cut_off_or_wrong_is_refused(said):
    with pytest.raises(BuildFailed):
        list(read_frames(said))


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../x", "a/../x", "a//b", "a/", "./a", ".git/hooks/x", "a/.GIT/config"),
        *("a/__pycache__/a.cpython-311.pyc", "a\\b", "a\nb", "a\0b", "a\u202eb", "x" * 2000),
        "é" * 200,
    ],
)
def test_a_path_is_plain(path):
    with pytest.raises(BuildFailed):
        check_path(path)


def test_plain_paths_pass():
    for path in ("hermes/cli/main.py", ".ci/run", ".gitignore", "docs/Über uns.md"):
        check_path(path)


@given(st.binary(max_size=200))
def test_bytes_end_in_frames_or_an_error_of_ours(said):
    try:
        for one, _ in read_frames(said + END):
            assert not one.path or ".." not in one.path.split("/")
    except BuildFailed:
        pass
