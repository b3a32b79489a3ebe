"""Trees are built in boxes, from patches of every kind, and nothing else of the machine changes."""

import os
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from hermes.errors import BuildFailed, NotAvailable, PatchInvalid, Usage
from hermes.sandbox.box import Bind, Box
from hermes.sandbox.standing import run
from hermes.successor.build import Builder
from hermes.successor.forest import Forest, compiled
from hermes.successor.source import find_source
from hermes.successor.trees import compare, digest

OUTSIDE = Path("/tmp/hermes-was-here")


def git(root, *words):
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", f"safe.directory={root}"]
    argv = ["git", *who, "-C", str(root), *words]
    return subprocess.run(argv, check=True, capture_output=True).stdout


off = anyio.to_thread.run_sync


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A checkout that looks like this package and is small."""
    root = tmp_path_factory.mktemp("small")
    for name, text in {
        "hermes/__init__.py": '"""One."""\n',
        "hermes/a.py": '"""A."""\n\nvalue = 1  # one\n',
        "hermes/b.py": "value = 2\n",
        "notes.md": "one\n",
        "run.sh": "#!/bin/sh\n",
    }.items():
        place = root / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    (root / "run.sh").chmod(0o755)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    return root


@pytest.fixture
def forest(standing, open_data):
    return Forest(open_data, standing.ground.account)


@pytest.fixture
async def built(small, standing, forest):
    source = await find_source(str(small))
    builder = Builder(source, forest, standing)
    parent = await builder.commit(await source.commit())
    return builder, parent


def change(small, path, text) -> bytes:
    """The diff that git makes of a change, which is taken back."""
    place = small / path
    before = place.read_bytes() if place.exists() else None
    place.write_text(text)
    git(small, "add", "-A", "-N")
    diff = git(small, "diff", "--no-ext-diff", "--binary", "--full-index")
    if before is None:
        git(small, "reset", "-q")
        place.unlink()
    else:
        place.write_bytes(before)
    return diff


async def test_a_commit_is_built_once_read_only_and_compiled(built, small):
    builder, parent = built
    assert (parent.path / "hermes/a.py").read_bytes() == (small / "hermes/a.py").read_bytes()
    assert (parent.path / compiled("hermes/a.py")).is_file()
    assert not (parent.path / ".git").exists()
    modes = {one.stat().st_mode & 0o777 for one in parent.path.rglob("*")}
    assert modes == {0o444, 0o555}
    assert await off(digest, parent.path) == parent.digest == parent.path.name
    commit = await (await find_source(str(small))).commit()
    assert await builder.commit(commit) == parent


async def test_a_patch_makes_another_tree_of_the_same_files(built, small):
    builder, parent = built
    found = await builder.patched(parent, change(small, "hermes/a.py", "value = 7\n"))
    (one,) = await off(compare, parent.path, found.path)
    assert (one.path, one.after.data) == ("hermes/a.py", b"value = 7\n")
    same = (parent.path / "hermes/b.py", found.path / "hermes/b.py")
    assert same[0].samefile(same[1])
    stale = (parent.path / compiled("hermes/a.py"), found.path / compiled("hermes/a.py"))
    assert stale[0].read_bytes() != stale[1].read_bytes()
    assert found.broken == ()


async def test_what_runs_is_what_the_patch_says(built, small, standing):
    builder, parent = built
    found = await builder.patched(parent, change(small, "hermes/a.py", "value = 7\n"))
    box = Box(read=(Bind(found.path, Path("/box/repo")),), cwd="/box/repo")
    ended = await run(standing, box, ["python3", "-c", "import hermes.a as a; print(a.value)"])
    assert ended.stdout == b"7\n"


async def test_shape_is_what_it_does_not_how_it_is_written(built, small):
    builder, parent = built
    plain = await builder.patched(parent, change(small, "hermes/a.py", "value = 7\n"))
    dressed = await builder.patched(
        parent, change(small, "hermes/a.py", '"""Said."""\nvalue = (\n    7  # seven\n)\n')
    )
    other = await builder.patched(parent, change(small, "hermes/a.py", "value = 8\n"))
    words = await builder.patched(parent, change(small, "hermes/a.py", "value = 1\n"))
    assert plain.digest != dressed.digest
    assert plain.shape == dressed.shape
    assert len({plain.shape, other.shape, words.shape}) == 3


async def test_files_come_and_go_and_may_be_run(built):
    builder, parent = built
    diff = (
        b"diff --git a/hermes/b.py b/hermes/b.py\ndeleted file mode 100644\n"
        b"--- a/hermes/b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-value = 2\n"
        b"diff --git a/tool.sh b/tool.sh\nnew file mode 100755\n"
        b"--- /dev/null\n+++ b/tool.sh\n@@ -0,0 +1 @@\n+true\n"
        b"diff --git a/notes.md b/deep/notes.md\nsimilarity index 100%\n"
        b"rename from notes.md\nrename to deep/notes.md\n"
    )
    found = await builder.patched(parent, diff)
    words = {one.path: one.word for one in await off(compare, parent.path, found.path)}
    assert words == {
        "hermes/b.py": "removed", "tool.sh": "added", "notes.md": "removed",
        "deep/notes.md": "added",
    }  # fmt: skip
    assert (found.path / "tool.sh").stat().st_mode & 0o111
    assert not (found.path / compiled("hermes/b.py")).exists()


async def test_a_module_that_does_not_compile_is_told_of(built, small):
    builder, parent = built
    found = await builder.patched(parent, change(small, "hermes/a.py", "value = = 7\n"))
    assert len(found.broken) == 1
    assert found.broken[0].startswith("hermes/a.py: ")
    assert not (found.path / compiled("hermes/a.py")).exists()


def new_file(path: str, mode: str, line: str) -> bytes:
    return (
        f"diff --git a/{path} b/{path}\nnew file mode {mode}\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+{line}\n"
    ).encode()


@pytest.mark.parametrize(
    ("diff", "says"),
    [
        (b"--- a/no.py\n+++ b/no.py\n@@ -1 +1 @@\n-x\n+y\n", "does not apply"),
        (b"--- a/hermes/a.py\n+++ b/hermes/a.py\nnonsense\n", "does not apply"),
        (new_file("../../tmp/hermes-was-here", "100644", "x"), "does not apply"),
        (new_file(str(OUTSIDE), "100644", "x"), "does not apply|no path"),
        (new_file(".git/hooks/pre-commit", "100755", "x"), "does not apply|no path"),
        (new_file("link", "120000", "/etc/passwd"), "no plain file"),
        (new_file("hermes/__pycache__/a.cpython-311.pyc", "100644", "x"), "no path"),
        (new_file("hermes/c.pyc", "100644", "x"), "compiled"),
        (new_file("hermes/a.py", "100644", "x = 1"), "does not apply"),
        (new_file("hermes/a.py/deeper.py", "100644", "x = 1"), "apply|no tree"),
        (new_file("hermes/o\u202edd.py", "100644", "x = 1"), "no path"),
    ],
)
async def test_patches_that_are_none_are_refused(built, diff, says):
    builder, parent = built
    with pytest.raises((PatchInvalid, BuildFailed), match=says):
        await builder.patched(parent, diff)
    assert not await anyio.Path(OUTSIDE).exists()
    assert await off(digest, parent.path) == parent.digest


async def test_a_patch_that_undoes_itself_changes_nothing(built):
    builder, parent = built
    with pytest.raises(PatchInvalid, match="changes nothing"):
        await builder.patched(
            parent,
            b"--- a/notes.md\n+++ b/notes.md\n@@ -1 +1 @@\n-one\n+two\n"
            b"--- a/notes.md\n+++ b/notes.md\n@@ -1 +1 @@\n-two\n+one\n",
        )


async def test_a_binary_file_can_be_added(built, small):
    builder, parent = built
    place = small / "data.bin"
    place.write_bytes(bytes(range(256)))
    git(small, "add", "-N", "data.bin")
    diff = git(small, "diff", "--no-ext-diff", "--binary", "--full-index")
    git(small, "reset", "-q")
    place.unlink()
    found = await builder.patched(parent, diff)
    assert (found.path / "data.bin").read_bytes() == bytes(range(256))


async def test_a_tree_that_was_changed_is_built_again(built, small):
    builder, parent = built
    place = parent.path / "notes.md"
    place.chmod(0o644)
    place.write_text("changed\n")
    commit = await (await find_source(str(small))).commit()
    again = await builder.commit(commit)
    assert again == parent
    assert await off(digest, again.path) == parent.digest


async def test_the_checkout_is_read_and_nothing_else(built, small):
    before = sorted((one, one.stat().st_mtime_ns) for one in small.rglob("*"))
    source = await find_source(str(small))
    async with (
        source.archive(await source.commit()) as fd,
        await anyio.open_file(fd, "rb", closefd=False) as file,
    ):
        assert b"hermes/a.py" in await file.read()
    assert sorted((one, one.stat().st_mtime_ns) for one in small.rglob("*")) == before


async def test_a_branch_is_what_it_did_since_it_left(small):
    git(small, "checkout", "-q", "-b", "better")
    (small / "hermes/a.py").write_text("value = 9\n")
    git(small, "commit", "-q", "-am", "nine")
    git(small, "checkout", "-q", "main")
    try:
        source = await find_source(str(small))
        diff = await source.branch_diff(await source.commit(), "better")
        assert b"+value = 9" in diff
        with pytest.raises(PatchInvalid):
            await source.branch_diff(await source.commit(), "main")
        with pytest.raises(Usage):
            await source.commit("--upload-pack=x")
    finally:
        git(small, "branch", "-q", "-D", "better")


async def test_without_a_checkout_it_says_what_to_set(tmp_path):
    with pytest.raises(NotAvailable) as caught:
        await find_source(str(tmp_path))
    assert "successor.source" in caught.value.remedy


def test_a_folder_that_others_can_change_holds_no_trees(open_data):
    data = open_data / "shared"
    (data / "successor").mkdir(parents=True)
    (data / "successor").chmod(0o777)
    with pytest.raises(NotAvailable, match="changed by others"):
        Forest(data, None).prepare()


def test_only_what_nobody_plants_any_more_is_swept(forest):
    forest.prepare()
    left = forest.root / ".new-left"
    (left / "of").mkdir(parents=True)
    with forest.planting() as new:
        for one in (left, new):
            os.utime(one, (0, 0))
        forest.prepare()
        assert new.exists()
        assert not left.exists()
    assert not new.exists()


async def test_a_file_takes_a_folders_place_and_the_other_way_round(built):
    builder, parent = built
    diff = (
        b"diff --git a/hermes/b.py b/hermes/b.py\ndeleted file mode 100644\n"
        b"--- a/hermes/b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-value = 2\n"
        b"diff --git a/notes.md b/notes.md\ndeleted file mode 100644\n"
        b"--- a/notes.md\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n"
        b"diff --git a/notes.md/one b/notes.md/one\nnew file mode 100644\n"
        b"--- /dev/null\n+++ b/notes.md/one\n@@ -0,0 +1 @@\n+two\n"
    )
    found = await builder.patched(parent, diff)
    assert (found.path / "notes.md/one").read_bytes() == b"two\n"
    assert not (found.path / compiled("hermes/b.py")).exists()
    assert found.deltas == await off(compare, parent.path, found.path)
    assert await off(digest, found.path) == found.digest
    folders = {one.name for one in found.path.iterdir() if one.is_dir()}
    assert folders == {"hermes", "notes.md"}  # none is left over which something could be laid


def test_the_export_of_a_trial_that_was_killed_is_swept(forest):
    forest.prepare()
    left = forest.root.parent / ".new-export"
    left.write_bytes(b"what was said")
    with forest.opened() as lock, forest.opened() as other:
        assert left.exists()  # whose it is may run yet
        assert lock()
        assert not left.exists()
        with forest.shown(b"{}") as mine:
            assert not other()
            assert mine.exists()
