"""Adopted versions: commits in a repository of their own, and folders that are run from.

The repository (`versions/repo.git`) holds what was adopted, as git sees it; the checkout of the
person is only read, unless `publish` is asked for. Files are written as they were judged: no
attribute, filter or hook has a say, and the digest of what lies there is compared before it runs.
"""

import os
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from hermes.errors import NotAvailable, Refused, SuccessorError
from hermes.sandbox.stdin import stdin_of
from hermes.successor.pointer import TAG, Pointer, settle, write_whole
from hermes.successor.trees import digest

BRANCH = "refs/heads/adopted"
_THERE = "refs/heads/hermes/adopted"
_WAIT_S = 120.0
_SYSTEM = "/usr/local/bin:/usr/bin:/bin"


class Leaf(msgspec.Struct, frozen=True):
    """What stands beside a version's folder, written last: a version without one is none."""

    tag: str
    commit: str
    tree: str
    previous: str


class Versions:
    """The versions of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.pointer = Pointer(data_dir)
        self._folder = self.pointer.folder
        self._repository = self._folder / "repo.git"

    async def commit(self, source: Path, parent: str, tree: Path, about: str, at: int) -> str:
        """Make a commit of a tree on its parent, which is brought from `source`; gives its name.

        Nothing refers to it yet. Raises SuccessorError.
        """
        await self._prepare(source, parent)
        names = await anyio.to_thread.run_sync(_names, tree)
        paths = "\n".join(str(tree / name) for name, _ in names) + "\n"
        words = ["hash-object", "-w", "--no-filters", "--stdin-paths"]
        made = (await self._git(words, paths.encode())).split()
        if len(made) != len(names):
            raise SuccessorError("git did not take every file of the version")
        index = self._folder / f".index.{os.getpid()}"
        entries = b"\0".join(
            f"{mode} {blob}\t".encode() + os.fsencode(name)
            for (name, mode), blob in zip(names, made, strict=True)
        )
        try:
            more = {"GIT_INDEX_FILE": str(index)}
            await self._git(["update-index", "-z", "--index-info"], entries + b"\0", more)
            written = await self._git(["write-tree"], more=more)
        finally:
            await anyio.to_thread.run_sync(lambda: index.unlink(missing_ok=True))
        moment = f"{at // 1000} +0000"
        who = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
        return await self._git(["commit-tree", written, "-p", parent], about.encode(), who)

    async def name(self, tag: str, commit: str, about: str) -> None:
        """Give a commit its tag, and make it the tip of what was adopted; once more is no harm."""
        found = await self._git(["tag", "--list", tag])
        if found and await self._git(["rev-parse", f"{tag}^{{commit}}"]) != commit:
            raise Refused(f"{tag} is another commit's tag already")
        if not found:
            await self._git(["tag", "-a", "-F", "-", tag, commit], about.encode())
        await self._git(["update-ref", BRANCH, commit])

    async def next_tag(self, now: str, step: str, taken: Iterable[str] = ()) -> str:
        """The semantic version after the highest of those here, those taken and what runs."""
        here = [one for one in (*await self._tags(), *taken) if TAG.fullmatch(one)]
        major, minor, patch = max(_numbers(one) for one in [*here, f"v{now.removeprefix('v')}"])
        steps = {
            "major": (major + 1, 0, 0),
            "minor": (major, minor + 1, 0),
            "patch": (major, minor, patch + 1),
        }
        return "v" + ".".join(map(str, steps[step]))

    async def stage(self, tree: Path, leaf: Leaf) -> None:
        """Lay a version's files in its folder, whole or not at all; done before, it is done."""
        if await anyio.to_thread.run_sync(self.pointer.usable, leaf.tag):
            return
        draft = self._folder / f".{leaf.tag}.new"
        await anyio.to_thread.run_sync(self._lay, tree, draft, leaf)
        compiled = [
            sys.executable, "-I", "-S", "-m", "compileall", "-q",
            "--invalidation-mode", "unchecked-hash", str(draft),
        ]  # fmt: skip
        await _run(compiled, {"PATH": _SYSTEM})
        await anyio.to_thread.run_sync(self._finish, draft, leaf)

    async def publish(self, source: Path, tag: str) -> None:
        """Bring tag and branch into the person's own checkout: its files stay as they are."""
        refs = [f"{BRANCH}:{_THERE}", f"refs/tags/{tag}:refs/tags/{tag}"]
        words = ["-C", str(source), "fetch", "--no-tags", "--quiet", str(self._repository), *refs]
        await self._git(words, more={"GIT_DIR": str(await self._git_dir(source))})

    async def running(self, tag: str) -> Leaf | None:
        """What a version says of itself; None: there is no such version."""
        path = self._folder / f"{tag}.json"
        try:
            data = await anyio.to_thread.run_sync(path.read_bytes)
            return msgspec.json.decode(data, type=Leaf)
        except (OSError, msgspec.DecodeError):
            return None

    async def prune(self, tags: Sequence[str]) -> None:
        """Let the files of versions go; their commits stay. The one that runs stays whole."""
        named = await anyio.to_thread.run_sync(self.pointer.named)
        for tag in tags:
            if TAG.fullmatch(tag) and tag != named:
                await anyio.to_thread.run_sync(self._remove, tag)

    async def _prepare(self, source: Path, parent: str) -> None:
        await anyio.to_thread.run_sync(
            lambda: self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        )
        await self._git(["init", "--quiet", "--bare", str(self._repository)])
        try:
            await self._git(["cat-file", "-e", f"{parent}^{{commit}}"])
        except SuccessorError:
            whole = ["fetch", "--quiet", "--no-tags", str(await self._git_dir(source)), parent]
            await self._git(whole)

    async def _git_dir(self, source: Path) -> Path:
        words = ["-C", str(source), "rev-parse", "--absolute-git-dir"]
        return Path(await _run([await _program(), *_quiet(source), *words], _ENV))

    async def _tags(self) -> list[str]:
        if not await anyio.to_thread.run_sync(self._repository.exists):
            return []
        return (await self._git(["tag", "--list"])).split()

    async def _git(
        self, words: Sequence[str], said: bytes = b"", more: Mapping[str, str] | None = None
    ) -> str:
        env = _ENV | {"GIT_DIR": str(self._repository)} | dict(more or {})
        return await _run([await _program(), *_quiet(), *words], env, said)

    def _lay(self, tree: Path, draft: Path, leaf: Leaf) -> None:
        _gone(draft)
        for name, mode in _names(tree):
            place = draft / name
            place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            place.write_bytes((tree / name).read_bytes())
            place.chmod(0o555 if mode == "100755" else 0o444)
        if digest(draft) != leaf.tree:
            _gone(draft)
            raise Refused("the files of the candidate are not those that were judged")

    def _finish(self, draft: Path, leaf: Leaf) -> None:
        admin = self._repository / "worktrees" / leaf.tag
        write_whole(admin / "HEAD", f"{leaf.commit}\n".encode())
        write_whole(admin / "commondir", b"../..\n")
        write_whole(admin / "gitdir", f"{self.pointer.place(leaf.tag) / '.git'}\n".encode())
        (draft / ".git").write_text(f"gitdir: {admin}\n")
        for folder, _, names in os.walk(draft, topdown=False):
            for name in names:
                _sync(Path(folder, name))
            settle(Path(folder))
        place = self.pointer.place(leaf.tag)
        _gone(place)
        draft.rename(place)
        settle(self._folder)
        write_whole(self._folder / f"{leaf.tag}.json", msgspec.json.encode(leaf))

    def _remove(self, tag: str) -> None:
        (self._folder / f"{tag}.json").unlink(missing_ok=True)
        settle(self._folder)
        _gone(self.pointer.place(tag))


_ENV: dict[str, str] = {
    "PATH": _SYSTEM,
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_AUTHOR_NAME": "Hermes",
    "GIT_AUTHOR_EMAIL": "hermes@localhost",
    "GIT_COMMITTER_NAME": "Hermes",
    "GIT_COMMITTER_EMAIL": "hermes@localhost",
}


def _quiet(source: Path | None = None) -> list[str]:
    safe = ["-c", f"safe.directory={source or '*'}"]
    return [*safe, "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false"]


async def _program() -> str:
    found = await anyio.to_thread.run_sync(partial(shutil.which, "git", path=_SYSTEM))
    if not found:
        raise NotAvailable("git is not installed", "apt-get install git")
    return found


def _names(tree: Path) -> list[tuple[str, str]]:
    """Every file's path and git mode; raises Refused on anything else than files."""
    found: list[tuple[str, str]] = []
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for name in sorted(names):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) or "\n" in str(path):
                raise Refused(f"{name!r} is no plain file")
            executable = mode & 0o100
            found.append((str(path.relative_to(tree)), "100755" if executable else "100644"))
    return found


def _gone(folder: Path) -> None:
    if folder.exists():
        for one, _, _ in os.walk(folder):
            Path(one).chmod(0o755)
        shutil.rmtree(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _numbers(tag: str) -> tuple[int, int, int]:
    major, minor, patch = tag.removeprefix("v").split(".")
    return int(major), int(minor), int(patch)


async def _run(command: Sequence[str], env: Mapping[str, str], said: bytes = b"") -> str:
    with anyio.fail_after(_WAIT_S), await anyio.to_thread.run_sync(stdin_of, said) as stdin:
        done = await anyio.run_process(
            list(command), stdin=stdin, env=dict(env), cwd="/", check=False
        )
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip()[-300:]
        name = Path(command[0]).name
        raise SuccessorError(f"{name} could not: {why or f'exit code {done.returncode}'}")
    return done.stdout.decode(errors="replace").strip()
