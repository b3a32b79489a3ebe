"""A workspace that is laid over: the real one stays, the changes come back, all or none go in."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import alive

from hermes.errors import Refused, ToolFailure, Usage
from hermes.sandbox.box import Box, Limits
from hermes.sandbox.changes import Changes, Delta, Node
from hermes.sandbox.changes_apply import apply_changes
from hermes.sandbox.changes_check import checked, reason_of
from hermes.sandbox.standing import run


@pytest.fixture
def work(tmp_path):
    """A workspace; its parents are nobody else's, as a home directory is."""
    folder = tmp_path / "work, a:b \\ c"
    fill(folder)
    return folder


@pytest.fixture
def record(tmp_path):
    """Where changes are written down while they are made."""
    return tmp_path / "state" / "changes.record"


def fill(folder):
    (folder / "deep/er").mkdir(parents=True)
    (folder / "a").write_text("one\n")
    (folder / "gone").write_text("x")
    (folder / "deep/er/file").write_text("below")
    (folder / "deep/two").write_text("2")
    (folder / "link").symlink_to("a")


def tree(folder):
    """Everything that is there, to compare."""
    found = {}
    for path in sorted(folder.rglob("*")):
        seen = path.lstat()
        data = b"" if path.is_dir() and not path.is_symlink() else (
            os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes())  # fmt: skip
        mode = 0 if path.is_symlink() else seen.st_mode & 0o777
        found[str(path.relative_to(folder))] = (stat.S_IFMT(seen.st_mode), mode, data)
    return found


async def overlay(standing, work, text, **limits):
    box = Box(workspace=work, cwd=str(work), limits=Limits(**limits))
    return await run(standing, box, ["/bin/bash", "-c", text])


def said(changes):
    return {one.path: one.word for one in changes.deltas}


async def test_the_real_one_stays_and_changes_come_back(standing, work):
    before = tree(work)
    ended = await overlay(
        standing,
        work,
        "cat a; echo two >> a; rm gone; mkdir new; echo n > new/file; ln -s a new/../l2; "
        "chmod +x deep/two; rm -r deep/er; mkdir deep/er; echo other > deep/er/else; cat a",
    )
    assert ended.ok, ended.stderr
    assert ended.stdout == b"one\none\ntwo\n"
    assert tree(work) == before
    assert said(ended.changes) == {
        "a": "changed", "gone": "removed", "new": "added", "new/file": "added", "l2": "added",
        "deep/two": "changed", "deep/er/file": "removed", "deep/er/else": "added",
    }  # fmt: skip
    assert ended.changes.refused == ()
    files = {
        change.path.name: (change.before, change.after) for change in ended.changes.files(work)
    }
    assert files["a"] == (b"one\n", b"one\ntwo\n")
    assert files["gone"] == (b"x", None)
    assert "two" not in files  # its mode alone


COMMANDS = {
    "edit": "echo two >> a; sed -i s/one/ONE/ a",
    "move": "mv a b; mv deep moved; mkdir deep; echo x > deep/two",
    "kinds": "rm a; mkdir a; echo in > a/in; rm -r deep; echo file > deep",
    "links": "rm a; ln -s deep/two a; rm link; echo plain > link; ln -s ../deep deep/loop",
    "modes": "chmod 700 deep; chmod 755 a; umask 077; echo secret > s",
    "empty": "rm -rf deep a gone link",
    "names": "echo x > $'new\\nline'; echo y > ' lead'; echo z > $'\\xff'; mkdir -- -rf",
    "hard": "ln a hard; echo more >> hard",
    "replace directory": "rm -r deep; mkdir -p deep/er; echo new > deep/er/file",
    "same again": "cp -r deep d2; rm -r deep; mv d2 deep",
    "nothing": "touch a; cat deep/er/file >/dev/null",
}


@pytest.mark.parametrize("text", COMMANDS.values(), ids=COMMANDS)
async def test_applied_it_is_as_if_it_had_run_there(standing, work, tmp_path, text, record):
    ended = await overlay(standing, work, text)
    assert ended.changes.refused == ()
    await apply_changes(ended.changes, work, record)
    assert tree(work) == plainly(text, tmp_path / "other")


def plainly(text, folder):
    """What the same command makes of the same workspace without any sandbox."""
    fill(folder)
    subprocess.run(["/bin/bash", "-c", text], cwd=folder, check=True)
    return tree(folder)


LEAVES = """
import os
for number in range(40):
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 64)
        while True:
            for name in range(20):
                open(f"{number}-{name}", "w").close()
            for name in range(20):
                os.unlink(f"{number}-{name}")
"""


async def test_what_it_left_running_is_gone_before_changes_are_read(standing, work, mark):
    box = Box(workspace=work, cwd=str(work))
    for _ in range(5):
        ended = await run(standing, box, [standing.ground.python, "-c", LEAVES, mark])
        assert alive(mark) == []
        assert ended.ok
        assert {word for path, word in said(ended.changes).items()} <= {"added"}


async def test_what_cannot_be_read_is_not_kept(standing, work):
    ended = await overlay(standing, work, "mkdir -m 700 d; echo x > d/closed; chmod 000 d/closed")
    if os.geteuid() == 0:  # root reads everything
        assert said(ended.changes) == {"d": "added", "d/closed": "added"}
    else:
        refused = [(one.path, one.reason) for one in ended.changes.refused]
        assert refused == [("d/closed", "it cannot be read: Permission denied")]


async def test_nothing_changed_is_nothing(standing, work):
    ended = await overlay(standing, work, "grep -r one .; : >> a; chmod 644 a")
    assert not ended.changes


async def test_what_was_built_stays_newer_than_its_source(standing, work, record):
    (work / "stamp").write_text("")
    os.utime(work / "stamp", (1, 1))
    text = "echo new > source; sleep 0.02; cp source a.out; touch stamp; touch -d @1000 gone"
    ended = await overlay(standing, work, text)
    assert said(ended.changes) == {
        "a.out": "added", "gone": "changed", "source": "added", "stamp": "changed",
    }  # fmt: skip
    assert {change.path.name for change in ended.changes.files(work)} == {"a.out", "source"}
    await apply_changes(ended.changes, work, record)
    at = {path.name: path.stat().st_mtime for path in work.iterdir()}
    assert at["source"] < at["a.out"] <= at["stamp"]
    assert at["gone"] == 1000


async def test_directories_that_give_their_group_on_stay_so(standing, work, record):
    for path in (work, work / "deep"):
        path.chmod(0o2775)
    ended = await overlay(standing, work, "mkdir a.d deep/n; chmod g-w deep")
    await apply_changes(ended.changes, work, record)
    for name in ("a.d", "deep", "deep/n"):
        assert (work / name).stat().st_mode & stat.S_ISGID


async def test_a_large_file_that_is_only_touched_is_not_read_nor_too_much(standing, work):
    with (work / "pack").open("wb") as file:
        file.truncate(200 << 20)
    ended = await overlay(standing, work, "touch pack; echo x >> a", disk=1 << 30, file=1 << 30)
    assert ended.ok, ended.stderr
    assert (said(ended.changes), ended.changes.refused) == ({"a": "changed"}, ())
    text = "printf x | dd of=pack conv=notrunc seek=1500000 bs=1 status=none; chmod 600 a"
    os.truncate(work / "pack", 2 << 20)
    ended = await overlay(standing, work, text)
    assert said(ended.changes) == {"a": "changed", "pack": "changed"}


ATTACKS = {
    "mkdir -p .git/hooks; echo x > .git/hooks/pre-commit": ".git/hooks/pre-commit",
    "git init -q; echo x > .git/hooks/pre-commit": ".git/hooks/pre-commit",
    "git init -q; git config core.fsmonitor x": ".git/config",
    "git init -q; git remote add o 'ext::sh -c x'": ".git/config",
    "git init -q; git config include.path ../x": ".git/config",
    "git init -q --bare b; cp -r b c": "b/HEAD",
    "git init -q; mkdir .git/rebase-merge; echo exec x > .git/rebase-merge/git-rebase-todo":
        ".git/rebase-merge/git-rebase-todo",
    'git init -q; mkdir w; echo "gitdir: $PWD/evil" > w/.git': "w/.git",
    "mkdir -p sub/.git; echo x > sub/.git/config": "sub/.git/config",
    "mkdir -p .GIT/hooks; echo x > .GIT/hooks/post-merge": ".GIT/hooks/post-merge",
    "mkdir -p GIT~1/hooks; echo x > GIT~1/hooks/x": "GIT~1/hooks/x",
    "echo 'gitdir: /elsewhere' > .git": ".git",
    "mkdir -p .git/objects/info; echo /home > .git/objects/info/alternates":
        ".git/objects/info/alternates",
    "mkdir -p .git; ln -s ../a .git/index": ".git/index",
    "ln -s /etc/passwd out": "out",
    "ln -s ../../secret out": "out",
    "ln -s deep/er/../../.. out": "out",
    "mkdir x; ln -s ../.. x/out": "x/out",
    "mkdir x; ln -s ../.git/hooks/post-merge x/notes": "x/notes",
    "ln -s .Hermes-V2/policy.toml notes": "notes",
    "mkfifo pipe": "pipe",
    "cp /bin/true s; chmod u+s s": "s",
    "mkdir .hermes-v2; echo 'allow = [\"*\"]' > .hermes-v2/policy.toml": ".hermes-v2/policy.toml",
}  # fmt: skip


@pytest.mark.parametrize(("text", "path"), ATTACKS.items(), ids=ATTACKS.values())
async def test_what_would_act_later_is_refused_and_nothing_applied(
    standing, work, text, path, record
):
    before = tree(work)
    ended = await overlay(standing, work, f"echo harmless > also; {text}")
    assert ended.ok, ended.stderr
    assert path in {one.path for one in ended.changes.refused}
    with pytest.raises(Refused) as caught:
        await apply_changes(ended.changes, work, record)
    assert caught.value.exit_code == 3
    assert tree(work) == before


def git(*words):
    return subprocess.check_output(["git", *words], text=True, stderr=subprocess.DEVNULL)


async def test_a_commit_is_let_out(standing, work, record):
    git("init", "-q", work)
    who = "-c user.name=x -c user.email=x@x"
    ended = await overlay(standing, work, f"git add a && git {who} commit -qm first && git log")
    assert ended.ok, ended.stderr
    assert ended.changes.refused == ()
    await apply_changes(ended.changes, work, record)
    assert git("-C", work, "log", "--format=%s") == "first\n"
    assert git("-C", work, "fsck") == ""


@pytest.mark.parametrize(
    ("path", "target", "good"),
    [
        ("x/y", "/w/a", True),
        ("x/y", "/w//a/./b", True),
        ("x/y", "/w/../a", False),
        ("x/y", "/w/a/../../b", False),
        ("x/y", "/w/.git/hooks/x", False),
        ("x/y", "/w", False),
        ("x/y", "/ww/a", False),
        (".venv/bin/python3", "/usr/bin/python3.11", True),
        ("bin/python", "/home/jo/.pyenv/versions/3.11.7/bin/python3", True),
        (".venv/bin/python3", "/usr/bin/../../secret/bin/python3", False),
        (".venv/bin/python3", "/usr/bin/perl", False),
        (".venv/bin/other", "/usr/bin/python3", False),
        ("python3", "/usr/bin/python3", False),
    ],
)
def test_a_link_leads_inside_or_to_an_interpreter(path, target, good):
    delta = Delta(path, None, Node("link", target.encode(), 0o777))
    assert (not reason_of(delta, Path("/w"))) is good


async def test_an_edit_in_the_meantime_refuses_all(standing, work, record):
    ended = await overlay(standing, work, "echo two >> a; echo new > b")
    (work / "a").write_text("somebody else's\n")
    with pytest.raises(ToolFailure, match="a changed since"):
        await apply_changes(ended.changes, work, record)
    assert not (work / "b").exists()
    assert (work / "a").read_text() == "somebody else's\n"


async def test_a_directory_swapped_for_a_link_is_not_followed(standing, work, tmp_path, record):
    ended = await overlay(standing, work, "echo x > deep/new")
    outside = tmp_path / "outside"
    (work / "deep").rename(outside)
    (work / "deep").symlink_to(outside)
    with pytest.raises(ToolFailure):
        await apply_changes(ended.changes, work, record)
    assert not (outside / "new").exists()


async def test_a_failure_half_way_undoes_the_rest(tmp_path, record):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a").write_text("one")
    file = Node("file", b"two", 0o644)
    long = "n" * 300
    deltas = (Delta("a", Node("file", b"one", 0o644), file), Delta("b", None, file),
              Delta(long, None, file))  # fmt: skip
    (folder / "a").chmod(0o644)
    with pytest.raises(ToolFailure):
        await apply_changes(Changes(deltas), folder, record)
    assert tree(folder) == {"a": (stat.S_IFREG, 0o644, b"one")}


async def test_a_change_of_kind_that_fails_leaves_what_was_there(tmp_path, record):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a").write_text("one")
    (folder / "a").chmod(0o644)
    link = Delta("a", Node("file", b"one", 0o644), Node("link", b"n" * 5000, 0o777))
    with pytest.raises(ToolFailure):
        await apply_changes(Changes((link,)), folder, record)
    assert tree(folder) == {"a": (stat.S_IFREG, 0o644, b"one")}


async def test_changes_outlive_a_killed_command(standing, work):
    ended = await overlay(standing, work, "echo half > part; sleep 30", wall_s=1.0)
    assert ended.why == "wall clock"
    assert said(ended.changes) == {"part": "added"}


async def test_its_room_is_bounded(standing, work):
    ended = await overlay(
        standing, work, "head -c 20000000 /dev/zero > big; ls -l big | wc -l", disk=4 << 20
    )
    assert sum(len(one.after.data) for one in ended.changes.deltas) <= 4 << 20


async def test_what_is_hidden_is_empty_inside(standing, work):
    box = Box(workspace=work, cwd=str(work), hidden=(work / "deep", work / "gone"))
    text = "ls -A deep; cat gone; echo x > deep/new; echo y > gone; echo z > a"
    ended = await run(standing, box, ["/bin/bash", "-c", text])
    assert ended.stdout == b""
    assert said(ended.changes) == {"a": "changed"}
    with pytest.raises(Usage, match="only what lies in a workspace"):
        await run(standing, Box(hidden=(work,)), ["/bin/true"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_root_leaves_files_to_whom_they_belong(standing, work, record):
    for path in [work, *work.rglob("*")]:
        os.chown(path, 1234, 1234, follow_symlinks=False)
    ended = await overlay(standing, work, "echo two >> a; mkdir n; echo x > n/x; ln -s a l")
    assert ended.ok, ended.stderr
    await apply_changes(ended.changes, work, record)
    assert {path.lstat().st_uid for path in work.rglob("*")} == {1234}


NAMES = st.text("ab.gitGIT~1 /", min_size=1, max_size=12)


@given(st.lists(st.sampled_from(["..", ".", "a", "b", ""]), min_size=1, max_size=8))
def test_a_link_that_is_let_out_stays_inside(steps):
    target = "/".join(steps) or "."
    link = Delta("x/y/link", None, Node("link", target.encode(), 0o777))
    if not reason_of(link, Path()):
        depth = 2
        for step in steps:
            depth += {"..": -1, ".": 0, "": 0}.get(step, 1)
            assert depth >= 0
        assert not target.startswith("/")


@given(NAMES, NAMES)
def test_nothing_below_a_hooks_directory_is_ever_let_out(before, after):
    path = f"{before.strip('/')}/.git/hooks/{after.strip('/')}".strip("/")
    changes = Changes((Delta(path, None, Node("file", b"x", 0o755)),))
    assert checked(changes, Path()).refused
