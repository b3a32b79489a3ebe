import resource
import subprocess
import sys
from pathlib import Path

import anyio.to_thread
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.core.tool import Change
from hermes.errors import ToolFailure
from hermes.tools.apply import apply, apply_now
from hermes.tools.diff import diff_of
from hermes.tools.edits import FILE_EDIT, FILE_WRITE
from hermes.tools.files import FILE_READ
from hermes.tools.hooks import Admission


@pytest.fixture
def ask(bench):
    return bench.use(FILE_READ, FILE_WRITE, FILE_EDIT)


async def test_a_new_file_with_its_directories(ask, root, journal):
    result = await ask("FileWrite", path="a/b/c.txt", content="hello wörld")
    assert (result.text, result.ok) == ("wrote 12 bytes", True)
    assert (root / "a/b/c.txt").read_bytes() == "hello wörld".encode()
    assert "+hello wörld" in journal.diffs["1"]
    assert [p.name for p in (root / "a/b").iterdir()] == ["c.txt"]


async def test_every_occurrence_is_replaced_and_counted(ask, root):
    (root / "f").write_text("x = 1\ny = 1\n")
    assert (await ask("FileEdit", path="f", old="= 1", new="= 2")).text == "changed 2"
    assert (root / "f").read_text() == "x = 2\ny = 2\n"


async def test_refusals_of_an_edit(ask, root):
    (root / "f").write_text("def compute(a):\n    return a\n")
    (root / "latin").write_bytes(b"caf\xe9")
    (root / "binary").write_bytes(b"a\0b")
    for arguments, text in [
        ({"path": "f", "old": "", "new": "x"}, "old: must not be empty"),
        ({"path": "f", "old": "a", "new": "a"}, "old and new are the same"),
        ({"path": "f", "old": "zzz", "new": "x"}, "text not found"),
        (
            {"path": "f", "old": "def compute(b):", "new": "x"},
            "text not found; nearest is line 1: def compute(a):",
        ),
        ({"path": "gone", "old": "a", "new": "b"}, "no such file or directory"),
        ({"path": "latin", "old": "caf", "new": "b"}, "not UTF-8"),
        ({"path": "binary", "old": "a", "new": "b"}, "binary file, 3 bytes"),
        ({"path": ".", "old": "a", "new": "b"}, "is a directory"),
    ]:
        result = await ask("FileEdit", **arguments)
        assert result.text.startswith(f"error: {text}"), arguments
        assert not result.ok
    assert (root / "f").read_text() == "def compute(a):\n    return a\n"


@pytest.mark.parametrize("name", ["FileEdit", "FileWrite"])
async def test_a_file_changed_since_it_was_read_is_refused(ask, root, name):
    arguments = {"path": "f", "old": "one", "new": "1"}
    if name == "FileWrite":
        arguments = {"path": "f", "content": "1"}
    (root / "f").write_text("one\n")
    await ask("FileRead", path="f")
    (root / "f").write_text("one, two\n")
    result = await ask(name, **arguments)
    assert result.text == "error: file changed since it was read; read it again"
    assert (root / "f").read_text() == "one, two\n"
    (root / "f").unlink()
    assert "removed since" in (await ask(name, **arguments)).text
    (root / "f").write_text("one\n")
    await ask("FileRead", path="f")
    assert (await ask(name, **arguments)).ok


async def test_own_writes_are_known(ask, root):
    (root / "f").write_text("read before\n")
    await ask("FileRead", path="f")
    assert (await ask("FileWrite", path="f", content="a\n")).ok
    assert (await ask("FileEdit", path="f", old="a", new="b")).ok
    assert (await ask("FileWrite", path="f", content="c\n")).ok


async def test_an_unread_file_may_be_edited(ask, root):
    (root / "f").write_text("one")
    assert (await ask("FileEdit", path="f", old="one", new="two")).ok
    assert (root / "f").read_text() == "two"


async def test_line_ends_bom_mode_and_links_are_kept(ask, root):
    (root / "f").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\nlast")
    (root / "f").chmod(0o750)
    (root / "link").symlink_to("f")
    result = await ask("FileEdit", path="link", old="one\ntwo", new="1\n2\n3")
    assert result.text == "changed 1"
    assert (root / "f").read_bytes() == b"\xef\xbb\xbf1\r\n2\r\n3\r\nlast"
    assert (root / "f").stat().st_mode & 0o777 == 0o750
    assert (root / "link").is_symlink()
    await ask("FileWrite", path="f", content="a\nb\n")
    assert (root / "f").read_bytes() == b"a\r\nb\r\n"


async def test_a_change_during_the_approval_is_refused(ask, root, journal):
    (root / "f").write_text("one")

    async def door(call, changes):
        await anyio.to_thread.run_sync((root / "f").write_text, "somebody else")
        return Admission(allowed=True)

    journal.door = door
    result = await ask("FileEdit", path="f", old="one", new="two")
    assert "changed since it was planned" in result.text
    assert (root / "f").read_text() == "somebody else"
    assert journal.of("1")[-2:] == ["outcome", "finished"]


@pytest.mark.parametrize("swap", ["file", "directory"])
async def test_a_link_put_there_during_the_approval_is_refused(ask, root, journal, swap, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("one")
    (root / "d").mkdir()
    (root / "d" / "f").write_text("one")

    def swap_it():
        if swap == "file":
            (root / "d" / "f").unlink()
            (root / "d" / "f").symlink_to(outside / "f")
        else:
            (root / "d").rename(root / "old")
            (root / "d").symlink_to(outside)

    async def door(call, changes):
        await anyio.to_thread.run_sync(swap_it)
        return Admission(allowed=True)

    journal.door = door
    result = await ask("FileEdit", path="d/f", old="one", new="two")
    assert result.text == "error: path changed since it was planned"
    assert (outside / "f").read_text() == "one"


FORBIDDEN = """
import os, shutil, tempfile
from pathlib import Path
from hermes.core.tool import Change
from hermes.errors import ToolFailure
from hermes.tools.apply import apply_now
from hermes.tools.disk import read_whole
home = Path(tempfile.mkdtemp()).resolve()
(home / "f").write_text("one")
(home / "f").chmod(0o444)
(home / "secret").write_text("x")
(home / "secret").chmod(0)
(home / "shut").mkdir()
(home / "shut").chmod(0o555)
home.chmod(0o777)
if os.geteuid() == 0:
    os.seteuid(65534)
for work in (
    lambda: apply_now([Change(home / "f", b"one", b"two")]),
    lambda: apply_now([Change(home / "shut" / "new", None, b"two")]),
    lambda: read_whole(home / "secret"),
    lambda: read_whole(home / "f" / "below"),
):
    try:
        work()
    except ToolFailure as error:
        print(error)
print((home / "f").read_text(), sorted(path.name for path in home.iterdir()))
os.seteuid(os.getuid())
(home / "shut").chmod(0o755)
shutil.rmtree(home)
"""


def test_no_access():
    argv = [sys.executable, "-c", FORBIDDEN]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:5] == [
        "permission denied",
        "permission denied",
        "permission denied",
        "not a directory",
        "one ['f', 'secret', 'shut']",
    ]


async def test_changes_are_all_or_none(root):
    (root / "a").write_text("a")
    (root / "b").write_text("changed meanwhile")
    changes = [
        Change(root / "a", b"a", b"A"),
        Change(root / "new", None, b"n"),
        Change(root / "b", b"b", b"B"),
    ]
    with pytest.raises(ToolFailure, match="changed"):
        await apply(changes)
    assert (root / "a").read_text() == "a"
    assert sorted(path.name for path in root.iterdir()) == ["a", "b"]
    (root / "b").write_text("b")
    await apply([*changes, Change(root / "b", b"B", None)])
    assert sorted(path.name for path in root.iterdir()) == ["a", "new"]


async def test_a_file_that_came_meanwhile_is_not_overwritten(root):
    (root / "a").write_text("mine")
    with pytest.raises(ToolFailure):
        await apply([Change(root / "a", None, b"x")])
    with pytest.raises(ToolFailure):
        await apply([Change(root / "gone", b"x", b"y")])
    with pytest.raises(ToolFailure):
        await apply([Change(root / "a", b"was this", None)])
    with pytest.raises(ToolFailure):
        await apply([Change(root / ".." / "up", None, b"y")])
    assert (root / "a").read_text() == "mine"


FULL = """
import resource, sys
from pathlib import Path
from hermes.core.tool import Change
from hermes.errors import ToolFailure
from hermes.tools.apply import apply_now
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path = Path(sys.argv[1])
try:
    apply_now([Change(path, path.read_bytes(), b"x" * 5000)])
except ToolFailure as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_file(root):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000
    (root / "f").write_text("old")
    argv = [sys.executable, "-c", FULL, str(root / "f")]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "file too large\n"
    assert [path.name for path in root.iterdir()] == ["f"]
    assert (root / "f").read_text() == "old"


text = st.text(st.sampled_from("ab\n\r"), max_size=30)


@given(before=text, old=st.text(st.sampled_from("ab\n"), min_size=1, max_size=3), new=text)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
async def test_an_edit_replaces_exactly_that(ask, root, context, before, old, new):
    context.files.seen.clear()
    (root / "f").write_bytes(before.encode())
    result = await ask("FileEdit", path="f", old=old, new=new)
    after = (root / "f").read_bytes().decode()
    if before.count("\n") == before.count("\r\n") > 0:
        return  # line ends are adapted: see above
    if result.ok:
        assert result.text == f"changed {before.count(old)}"
        assert after == before.replace(old, new)
    else:
        assert old not in before or old == new
        assert after == before


def change(before, after, path="/p/f"):
    return Change(Path(path), before, after)


def test_diffs():
    assert diff_of([change(b"a\nb\n", b"a\nc\n")]).split("\n") == [
        "--- /p/f",
        "+++ /p/f",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]
    assert diff_of([change(None, b"a")]).split("\n")[0] == "--- /dev/null"
    assert diff_of([change(b"a\n", None)]).split("\n")[1] == "+++ /dev/null"
    assert "binary: 2 bytes before, 3 after" in diff_of([change(b"\0a", b"\0ab")])
    assert "no newline at end" in diff_of([change(b"a\n", b"a")])
    assert "␍" in diff_of([change(b"a\n", b"a\r\n")])
    assert "\n" not in diff_of([change(b"", b"", "/p/two\nlines")]).split("\n")[0]


def test_a_long_diff_is_cut_and_stays_quick():
    many = b"".join(b"%d\n" % n for n in range(100_000))
    assert "-50000" in diff_of([change(many, many.replace(b"\n50000\n", b"\nchanged\n"))])
    assert "lines become" in diff_of([change(many, many.replace(b"1", b"2"))])
    cut = diff_of([change(b"", b"line\n" * 3_000)], room=500)
    assert len(cut) < 550
    assert cut.endswith("more lines]")


def test_applying_needs_no_loop(root):
    apply_now([Change(root / "x", None, b"1")])
    assert (root / "x").read_bytes() == b"1"
