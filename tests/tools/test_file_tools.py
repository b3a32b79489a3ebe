import os
import socket

import pytest

from hermes.tools.files import FILE_READ, LIST_DIR


@pytest.fixture
def ask(bench):
    return bench.use(FILE_READ, LIST_DIR)


async def test_contents_as_they_are(ask, root):
    (root / "a.txt").write_text("one\ntwo\n")
    result = await ask("FileRead", path="a.txt")
    assert (result.text, result.ok, result.truncated) == ("one\ntwo\n", True, False)


async def test_a_window(ask, root):
    (root / "a.txt").write_text("".join(f"l{n}\n" for n in range(1, 11)))
    assert (await ask("FileRead", path="a.txt", limit=2)).text == "[10 lines]\nl1\nl2"
    window = await ask("FileRead", path="a.txt", offset="4", limit="2")
    assert window.text == "[10 lines, from 4]\nl4\nl5"
    assert window.truncated
    past = await ask("FileRead", path="a.txt", offset=11)
    assert past.text == "error: offset: the file has 10 lines"


async def test_a_long_file_is_cut_and_says_so(ask, root):
    (root / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 5001)))
    result = await ask("FileRead", 1_000, path="a.txt")
    lines = result.text.split("\n")
    assert lines[:2] == ["[5000 lines]", "line 1"]
    shown = int(lines[-1].removeprefix("[to line ").removesuffix("]"))
    assert lines[-2] == f"line {shown}"
    assert len(result.text) <= 1_000
    rest = await ask("FileRead", path="a.txt", offset=shown + 1, limit=1)
    assert rest.text.endswith(f"line {shown + 1}")


async def test_one_endless_line_is_cut(ask, root):
    (root / "a.txt").write_text("x" * 100_000)
    result = await ask("FileRead", 1_000, path="a.txt")
    assert result.text.startswith("[1 lines]\nxxx")
    assert len(result.text) <= 1_000
    assert result.truncated


async def test_empty(ask, root):
    (root / "a.txt").write_text("")
    assert (await ask("FileRead", path="a.txt")).text == "[0 lines]"


async def test_not_utf8(ask, root):
    (root / "a.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    assert (await ask("FileRead", path="a.txt")).text == "[not UTF-8: shown as latin-1]\ncafé\n"


async def test_byte_order_mark_and_crlf_are_not_shown(ask, root):
    (root / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert (await ask("FileRead", path="a.txt")).text == "one\ntwo\n"


async def test_a_huge_file_is_read_by_window_only(ask, root):
    (root / "big").write_text("".join(f"line {n}\n" for n in range(1, 1_500_001)))
    result = await ask("FileRead", path="big", offset=1_400_000, limit=2)
    size = (root / "big").stat().st_size
    assert result.text.split("\n") == [
        f"[{size} bytes, from line 1400000]",
        "line 1400000",
        "line 1400001",
        "[to line 1400001]",
    ]
    assert "offset: the file has 1500000" in (await ask("FileRead", path="big", offset=9**9)).text


async def test_a_huge_line_in_a_huge_file(ask, root):
    (root / "big").write_bytes(b"a" * 15_000_000 + b"\nnext\n")
    result = await ask("FileRead", path="big", offset=2)
    assert result.text.split("\n")[1:] == ["next", "[to line 2]"]
    assert len((await ask("FileRead", path="big")).text) < 8_000


async def test_what_is_no_text_file(ask, root):
    (root / "binary").write_bytes(b"\x7fELF\0\0\0")
    (root / "dir").mkdir()
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(root / "door"))
    expected = {
        "binary": "error: binary file, 7 bytes",
        "dir": "error: is a directory",
        "pipe": "error: not a regular file",
        "door": "error: no such device or address",
        "/dev/zero": "error: not a regular file",
        "/dev/tty": "error: ",
        "loop": "error: too many levels of symbolic links",
        "dangling": "error: no such file or directory",
        "gone": "error: no such file or directory",
        "binary/x": "error: not a directory",
        "": "error: path: must not be empty",
        "a\0b": "error: ",
        "\ud800": "error: ",
        "x" * 300: "error: file name too long",
    }
    for path, text in expected.items():
        result = await ask("FileRead", path=path) if path != "\ud800" else None
        if result is None:
            (result,) = await ask.step(("FileRead", '{"path": "\\ud800"}'))
        assert result.text.startswith(text), path
        assert not result.ok


async def test_proc_files_are_bounded(ask):
    result = await ask("FileRead", path="/proc/self/status")
    assert result.text.startswith("Name:")
    assert (await ask("FileRead", path="/proc/kcore")).text.startswith("error: ")


async def test_reading_marks_the_file_as_seen(ask, root, context):
    (root / "a.txt").write_text("one\n")
    (root / "link").symlink_to("a.txt")
    await ask("FileRead", path="link", limit=1)
    assert list(context.files.seen) == [root / "a.txt"]


async def test_names(ask, root):
    (root / "b").mkdir()
    (root / "a.txt").write_text("")
    (root / ".hidden").write_text("")
    (root / "to_b").symlink_to("b")
    (root / "two\nlines").write_text("")
    (root / os.fsdecode(b"bad\xff")).write_text("")
    names = (await ask("ListDir")).text.split("\n")
    assert names == [".hidden", "a.txt", "b/", "bad\\udcff", "to_b/", "two\\nlines"]
    assert (await ask("ListDir", path="b")).text == "nothing found"


async def test_many_names_are_counted(ask, root):
    for n in range(40):
        (root / f"file-{n:02}").write_text("")
    result = await ask("ListDir", 100, path=".")
    lines = result.text.split("\n")
    assert lines[:2] == ["[40 found]", "file-00"]
    assert len(result.text) <= 100
    assert result.truncated


async def test_a_directory_that_cannot_be_listed(ask, root):
    (root / "a.txt").write_text("")
    assert (await ask("ListDir", path="a.txt")).text == "error: not a directory"
    assert (await ask("ListDir", path="gone")).text == "error: no such file or directory"
