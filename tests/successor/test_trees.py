from pathlib import Path

import pytest

from hermes.successor.trees import compare, digest, shown


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def both(tmp_path):
    return lambda old, new: (tree(tmp_path / "old", old), tree(tmp_path / "new", new))


def test_what_differs_is_found_by_path_content_and_mode(both):
    old, new = both(
        {"a.py": b"1\n", "b.py": b"2\n", "c/d.py": b"3\n", "e.sh": b"4\n"},
        {"a.py": b"1\n", "b.py": b"two\n", "f.py": b"5\n", "e.sh": b"4\n"},
    )
    (new / "e.sh").chmod(0o755)
    found = compare(old, new)
    assert [(one.path, one.word) for one in found] == [
        ("b.py", "changed"), ("c/d.py", "removed"), ("e.sh", "changed"), ("f.py", "added"),
    ]  # fmt: skip
    assert digest(old) != digest(new)
    assert "[e.sh: mode 644 becomes 755]" in shown(found)


def test_equal_trees_have_one_digest_wherever_they_lie(both):
    old, new = both({"a/b.py": b"x\n"}, {"a/b.py": b"x\n", "a/__pycache__/b.pyc": b"\0"})
    assert digest(old) == digest(new)
    assert compare(old, new) == ()


def test_a_file_cannot_take_the_place_of_two(both):
    old, new = both({"a": b"", "b": b""}, {"a": b"\0-\x000\0b\0-\x000\0"})
    assert digest(old) != digest(new)


def test_a_diff_is_readable_and_hides_nothing(both):
    old, new = both({"a.py": b"ok = 1\n"}, {"a.py": "ok = 1 \u202e# \x1b[2K\rfine\n".encode()})
    text = shown(compare(old, new))
    assert "+ok = 1 \\u202e# \\x1b[2K\\rfine" in text
    assert not set(text) & set("\x1b\r\u202e")


def test_what_is_no_text_is_said_so(both):
    old, new = both({}, {"a.bin": b"\xff\xfe", "b.py": b"no end"})
    text = shown(compare(old, new))
    assert "[added: not text]" in text
    assert "+no end\n[no newline at its end]" in text


def test_a_long_diff_is_cut_and_says_so(both):
    _, new = old_new = both({}, {"a.py": b"x = 1\n" * 1_000})
    assert new.is_dir()
    assert shown(compare(*old_new), most=100).endswith("more characters]\n")
