"""What git does to a repository: let out where it only describes, refused where it acts later."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.sandbox.box import Box, Limits
from hermes.sandbox.changes import Delta, Node
from hermes.sandbox.changes_apply import apply_changes
from hermes.sandbox.changes_check import reason_of
from hermes.sandbox.changes_config import config_reason, read_config
from hermes.sandbox.changes_index import index_reason
from hermes.sandbox.environment import clean_environment
from hermes.sandbox.standing import run

WHO = "git config user.name 'Jo Doe'; git config user.email jo@x"
FIRST = f"git init -q -b main; {WHO}; echo one > a; git add a; git commit -qm first"


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def git_in(standing, work, tmp_path):
    """Runs a text on the workspace and makes its changes; what was refused."""

    async def run_in(text):
        env = clean_environment({"PATH": "/usr/bin:/bin"})
        box = Box(workspace=work, cwd=str(work), limits=Limits(), env=env)
        ended = await run(standing, box, ["/bin/bash", "-ec", text])
        assert ended.ok, ended.stderr
        if not ended.changes.refused:
            await apply_changes(ended.changes, work, tmp_path / "record")
        return {one.path: one.reason for one in ended.changes.refused}

    return run_in


def git(work, *words):
    return subprocess.check_output(["git", "-C", work, *words], text=True).strip()


WAYS = {
    "remotes": "git remote add o https://example.org/x.git; git remote add p git@host:a/b.git; "
    "git remote rename o q; git remote remove p",
    "branches": "git checkout -qb topic; git branch -q --track other main; git branch -d other",
    "merge": "git checkout -qb t; echo t > t; git add t; git commit -qm t; git checkout -q main; "
    "echo m > m; git add m; git commit -qm m; git merge -q t -m joined",
    "conflict": "git checkout -qb t; echo t > a; git commit -qam t; git checkout -q main; "
    "echo m > a; git commit -qam m; git merge t || git status",
    "rebase": "git checkout -qb t; echo t > t; git add t; git commit -qm t; git checkout -q main; "
    "echo m > m; git add m; git commit -qm m; git checkout -q t; git rebase -q main",
    "rebase stopped": "git checkout -qb t; echo t > a; git commit -qam t; git checkout -q main; "
    "echo m > a; git commit -qam m; git checkout -q t; git rebase main || git status",
    "stash": "echo more >> a; git stash -q; git stash pop -q",
    "tags": "git tag v1; git tag -am two v2; git pack-refs --all; git gc -q",
    "worktree": "git worktree add -q wt; cd wt; echo w > w; git add w; git commit -qm w",
    "rerere": "mkdir .git/rr-cache; git checkout -qb t; echo t > a; git commit -qam t; "
    "git checkout -q main; echo m > a; git commit -qam m; git merge t || echo j > a; "
    "git commit -qam j",
    "housekeeping": "for n in $(seq 600); do echo $n | git hash-object -w --stdin; done; "
    "git -c gc.auto=1 commit -q --allow-empty -m more",
    "bisect": "git bisect start -q HEAD; git bisect good HEAD || true",
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS)
async def test_what_only_describes_works(git_in, work, text):
    assert await git_in(FIRST) == {}
    assert git(work, "log", "--format=%an %s") == "Jo Doe first"
    assert await git_in(text) == {}
    git(work, "fsck", "--strict")


async def test_a_stopped_rebase_goes_on_outside(git_in, work):
    await git_in(FIRST)
    assert await git_in(WAYS["rebase stopped"]) == {}
    (work / "a").write_text("both\n")
    git(work, "add", "a")
    git(work, "-c", "core.editor=true", "rebase", "--continue")
    assert git(work, "log", "--format=%s") == "t\nm\nfirst"


ACTS = {
    "core.fsmonitor": "git config core.fsmonitor ./x",
    "core.hookspath": "git config core.hooksPath .",
    "core.sshcommand": "git config core.sshCommand ./x",
    "alias.st": "git config alias.st '!./x'",
    "include.path": "git config include.path ../x",
    "remote.o.url": "git remote add o 'ext::sh -c ./x'",
    "remote.p.url": "git remote add p -- -u./x",
    "remote.q.url": "git remote add q ssh://-oProxyCommand=x/",
    "remote.s.fetch": "git config remote.s.fetch '+refs/heads/*:refs/heads/*'",
    "remote.r.vcs": "git config remote.r.vcs x",
    "submodule.s.update": "git config submodule.s.update '!x'",
    "filter.f.smudge": "git config filter.f.smudge ./x",
    "core.worktree": "git config core.worktree ../..",
    "credential.helper": "git config credential.helper ./x",
    "url.e.insteadof": "git config url.e.insteadOf https://",
}


@pytest.mark.parametrize(("name", "text"), ACTS.items(), ids=ACTS)
async def test_a_setting_that_acts_is_refused_by_name(git_in, work, name, text):
    await git_in(FIRST)
    before = (work / ".git/config").read_bytes()
    refused = await git_in(text)
    assert name in refused[".git/config"].casefold()
    assert (work / ".git/config").read_bytes() == before


async def test_what_the_person_set_stays_and_bars_nothing(git_in, work):
    await git_in(FIRST)
    git(work, "config", "alias.lg", '!f() { git log "$@"; }; f')
    git(work, "config", "core.hooksPath", "my hooks")
    git(work, "remote", "add", "origin", "https://example.org/mine.git")
    assert await git_in("git config user.name Other; git remote add fork /srv/x.git") == {}
    assert git(work, "config", "alias.lg") == '!f() { git log "$@"; }; f'
    moved = await git_in("git remote set-url origin https://example.org/theirs.git")
    assert "lead elsewhere" in moved[".git/config"]
    loosened = await git_in("git config --unset core.hooksPath")
    assert "core.hookspath" in loosened[".git/config"]


PIECES = st.sampled_from(
    ["[core]", "\v", "\f", '[remote "o"]', '[a "b\\"c"]', "[A.b]", "\n", "\r\n", " ", "\t", "url",
     "=", "x", '"', "\\", "\\n",
     "\\\n", "#", ";", "ext::x", "fsmonitor", "é", "\ufeff", "]", "name = J"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14))
def test_it_is_read_as_git_reads_it(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("config") / "config"
    path.write_bytes("".join(pieces).encode())
    words = ["git", "config", "--file", path, "--list", "-z"]
    told = subprocess.run(words, capture_output=True, check=False)
    try:
        mine = read_config(path.read_bytes())
    except ValueError:
        return
    assert told.returncode == 0, pieces
    theirs = [one.decode().partition("\n") for one in told.stdout.split(b"\0") if one]
    assert [(name, value) for name, _, value in theirs] == list(mine)


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_read_or_refused(data):
    assert isinstance(config_reason(b"[core]\n", b"[core]\n" + data), str)


@pytest.mark.parametrize(
    "path", [".git/hooks/pre-commit", ".git/config.worktree", ".git/modules/x/config",
             ".git/info/attributes", ".git/sequencer/opts", ".git/rebase-merge/strategy",
             ".git/worktrees/w/config", ".git/worktrees/w/config.worktree", ".git/hooks/a/b.sample",
             ".git/branches/x", ".git/worktrees/w/hooks/update",
             ".git/refs/heads/.git/config", ".git/objects/.GIT/hooks/update"],
)  # fmt: skip
def test_a_file_that_git_runs_or_reads_is_refused(path):
    assert reason_of(Delta(path, None, Node("file", b"x", 0o644)), Path("/w"))


@pytest.mark.parametrize(
    ("data", "good"),
    [(b"gitdir: /w/.git/worktrees/a\n", True), (b"gitdir: /w/sub/.git/worktrees/a\n", True),
     (b"gitdir: /x/.git/worktrees/a\n", False), (b"gitdir: /w/../x/.git/worktrees/a\n", False),
     (b"gitdir: /w/evil\n", False), (b"gitdir: /w/.git/worktrees/a", False),
     (b"gitdir: /w/.git/worktrees/..\n", False)],
)  # fmt: skip
def test_a_working_tree_beside_the_first_leads_inside(data, good):
    reason = reason_of(Delta("t/.git", None, Node("file", data, 0o644)), Path("/w"))
    assert (not reason) is good


def stuffed(index, name):
    """An index that names `name` where it named `aaaa/…` of the same length."""
    data = index.read_bytes()[:-20]
    data = data[: data.find(b"TREE") if b"TREE" in data else None]
    data = data.replace(b"aaaa/hooks/pre-commit", name)
    return data + hashlib.sha1(data, usedforsecurity=False).digest()


@pytest.mark.parametrize("version", ["2", "4"])
@pytest.mark.parametrize("name", [b".git/hooks/pre-commit", b"../../../../../../x.p",
                                  b".GIT/hooks/pre-commit", b"/aaa/hooks/pre-commit",
                                  b"a/./hooks/pre-commitx", b"git~1/hooks/update.qq"])  # fmt: skip
def test_an_index_that_names_what_git_would_never_write_is_refused(work, name, version):
    assert len(name) == len("aaaa/hooks/pre-commit")
    git(work, "init", "-q")
    (work / "aaaa/hooks").mkdir(parents=True)
    for path in ("aaaa/hooks/pre-commit", "b", "c"):
        (work / path).write_text("touch pwned\n")
    git(work, "add", ".")
    git(work, "update-index", "--index-version", version)
    good = (work / ".git/index").read_bytes()
    assert reason_of(Delta(".git/index", None, Node("file", good, 0o644)), work) == ""
    bad = stuffed(work / ".git/index", name)
    assert "names a file" in reason_of(Delta(".git/index", None, Node("file", bad, 0o644)), work)
    if name.startswith(b".git"):
        (work / ".git/index").write_bytes(bad)
        git(work, "restore", ".")
        assert (work / ".git/hooks/pre-commit").exists()  # so git does act on it


@pytest.mark.parametrize("kind", [b"IEOT", b"link", b"abcd"])
def test_an_index_that_is_read_from_other_places_is_refused(work, kind):
    git(work, "init", "-q")
    (work / "a").write_text("")
    git(work, "add", ".")
    data = (work / ".git/index").read_bytes()
    odd = data[:-20] + kind + bytes(4) + data[-20:]
    assert "cannot be read" in index_reason(odd)
    assert index_reason(data) == ""


@given(st.binary(max_size=40), st.integers(0, 200))
def test_an_index_of_any_bytes_is_read_or_refused(data, at):
    head = b"DIRC\0\0\0\2\0\0\0\1" + bytes(60)
    assert isinstance(index_reason(head[:at] + data), str)


@pytest.mark.parametrize(("name", "good"), [("a/b", True), (".git/config", False), ("../a", False)])
def test_remembered_conflicts_are_only_of_files_that_git_writes(name, good):
    data = f"{'0' * 40}\ta\0{'1' * 40}\t{name}\0".encode()
    reason = reason_of(Delta(".git/MERGE_RR", None, Node("file", data, 0o644)), Path("/w"))
    assert (not reason) is good


def test_a_name_of_any_length_is_read(work):
    git(work, "init", "-q")
    for size in (1, 9, 4094, 4095, 4096, 5000):
        name = "/".join(["d" * 99] * 60)[-size:].strip("/")
        blob = subprocess.check_output(
            ["git", "-C", work, "hash-object", "-w", "/dev/null"]
        ).strip()
        git(work, "update-index", "--add", "--cacheinfo", f"100644,{blob.decode()},x{size}{name}")
        for version in ("2", "4"):
            git(work, "update-index", "--index-version", version)
            assert index_reason((work / ".git/index").read_bytes()) == ""


@pytest.mark.parametrize("head", [b"0" * 40 + b" and more", b"A" * 40, b"ref:refs/heads/x"])
def test_what_git_takes_for_a_repository_is_taken_for_one(work, head):
    (work / "b/refs").mkdir(parents=True)
    (work / "b/objects").mkdir()
    (work / "b/HEAD").write_bytes(head)
    assert git(work / "b", "rev-parse", "--is-bare-repository")
    assert reason_of(Delta("b/HEAD", None, Node("file", head, 0o644)), work)


@pytest.mark.parametrize(
    ("path", "good"),
    [("b/hooks/post-receive", False), ("b/refs/heads/x", True), ("b/objects/11/22", True),
     ("c/hooks/post-receive", True)],
)  # fmt: skip
def test_a_repository_without_a_name_is_held_where_it_was_there_before(work, path, good):
    git(work, "init", "-q", "--bare", "b")
    delta = Delta(path, None, Node("file", b"x", 0o755))
    assert (not reason_of(delta, work)) is good


@pytest.mark.parametrize(("place", "refused"), [
    ("my hooks", {"my hooks/pre-push"}), (".husky/_", {".husky/_/h", ".husky/pre-commit"}),
    ("{work}/hooks", {"hooks/x"}), (".", set()), ("/elsewhere", set()), ("..", set()),
])  # fmt: skip
async def test_hooks_that_lie_elsewhere_are_hooks(git_in, work, place, refused):
    await git_in(FIRST)
    git(work, "config", "core.hooksPath", place.format(work=work))
    text = "mkdir -p 'my hooks' .husky/_ hooks; for one in 'my hooks/pre-push' .husky/_/h "
    found = await git_in(text + '.husky/pre-commit hooks/x; do echo x > "$one"; done')
    assert refused <= set(found)
    assert bool(found) is bool(refused)


def test_many_remotes_take_no_time_for_each_pair():
    lines = [f'[remote "r{n}"]\nurl=/r{n}\n' for n in range(12_000)]
    before, after = "".join(lines).encode(), "".join([*lines, "[user]\nname=J\n"]).encode()
    assert config_reason(before, after) == ""
    assert "remote.r7.url" in config_reason(before, after.replace(b"url=/r7\n", b"url=/r8\n"))


async def test_a_remote_does_not_go_to_come_back_as_another(git_in, work):
    await git_in(f"{FIRST}; git remote add o https://example.org/mine.git")
    gone = await git_in("git remote remove o")
    assert "lead elsewhere" in gone[".git/config"]
    assert git(work, "remote") == "o"
