"""Builds trees: of a commit, and of a patch on one; read-only folders named by their digest.

Whatever reads a diff, an archive or a source file does so in a box. What comes out is taken in
file by file (`frames`), and compiled in a second box that a patch cannot have touched: no
compiled file is ever taken from a patch, so the digest of the sources says what runs.
"""

import hashlib
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

from hermes.core.task_groups import lone_error
from hermes.errors import BuildFailed, PatchInvalid
from hermes.sandbox.box import HOME, Bind, Box, Ended, Limits, Wires
from hermes.sandbox.changes import Delta, Node
from hermes.sandbox.off_loop import off_loop
from hermes.sandbox.standing import Standing, run
from hermes.successor.forest import Forest, change, compiled, link, put
from hermes.successor.frames import MOST_BYTES, MOST_FILES, Frame, read_frames
from hermes.successor.source import Source
from hermes.successor.told import Told, waiting
from hermes.successor.trees import Files, differences, digest_of
from hermes.successor.workbench import NICE, REPO, interpreter

_SCRIPT = f"{HOME}/build.py"
_PARENT = f"{HOME}/parent"
_LIMITS = Limits(
    tree_memory=2 << 30, disk=2 * MOST_BYTES, inodes=2 * MOST_FILES, output=MOST_BYTES, cpu_s=300
)
_UNCOMPILED = ("tests/", "benchmarks/", "scripts/")
_Files = dict[str, tuple[bytes, bool] | None]
_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


@dataclass(frozen=True)
class Built:
    """A built tree; `broken`: modules of the patch that do not compile, each with the reason.

    `shape` is that of the difference to the parent; empty for a commit's own tree. `files` is
    what lies in it, `deltas` what differs.
    """

    path: Path
    digest: str
    shape: str = ""
    broken: tuple[str, ...] = ()
    ended: tuple[Ended, ...] = field(default=(), compare=False)
    files: Files = field(default_factory=dict, compare=False, repr=False)
    deltas: tuple[Delta, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class _Compiled:
    ended: Ended
    broken: tuple[str, ...]
    shapes: Mapping[str, Frame]


class Builder:
    """Builds in boxes of one standing, into one forest."""

    def __init__(self, source: Source, forest: Forest, standing: Standing) -> None:
        self._source = source
        self._forest = forest
        self._standing = standing

    async def commit(self, commit: str) -> Built:
        """The tree of a commit; built once, then only looked at."""
        await anyio.to_thread.run_sync(self._forest.prepare)
        known = await anyio.to_thread.run_sync(self._forest.of_commit, commit)
        if known is not None:
            return Built(known[0], known[0].name, files=known[1])
        async with self._source.archive(commit) as tar:
            files, _ = await self._files("unpack", tar, ())
        modules = {path for path in files if _is_compiled(path)}
        nodes = _changed({}, files)
        async with self.planting() as new, self._compiler(new) as compile_:
            await _off(change, new, files)
            done = await self._compile(compile_, new, modules)
            name = digest_of(nodes)
            place = await _off(self._forest.plant, new, name)
        if done.broken:
            raise BuildFailed(f"the parent itself does not compile: {done.broken[0]}")
        await _off(self._forest.note, commit, place)
        return Built(place, name, files=nodes)

    async def patched(self, parent: Built, diff: bytes, place: Path | None = None) -> Built:
        """The tree that a diff makes of a commit's; raises PatchInvalid and BuildFailed.

        `place`: a folder of `planting` to make it in, for whoever opens boxes on it before.
        """
        if place is not None:
            return await self._patched(parent, diff, place)
        async with self.planting() as new:
            return await self._patched(parent, diff, new)

    async def _patched(self, parent: Built, diff: bytes, new: Path) -> Built:
        shown = (Bind(parent.path, Path(_PARENT)),)
        linked = partial(anyio.to_thread.run_sync, link, parent.path, new)
        async with self._compiler(new, *shown) as compile_:
            files, applied = await _beside(linked, partial(self._files, "apply", diff, shown))
            if not files:
                raise PatchInvalid("the patch changes nothing")
            modules = {path for path, found in files.items() if found and _is_compiled(path)}
            try:
                await _off(change, new, files)
            except OSError as error:
                raise BuildFailed(f"what the patch makes is no tree: {error.strerror}") from error
            sources = {path for path in files if path.endswith(".py")}
            done = await self._compile(compile_, new, modules, sources)
            nodes = _changed(parent.files, files)
            name = digest_of(nodes)
            place = await _off(self._forest.plant, new, name)
        deltas = differences(parent.files, nodes, files)
        shape = _shape(files, done.shapes)
        return Built(place, name, shape, done.broken, (applied, done.ended), nodes, deltas)

    @asynccontextmanager
    async def planting(self) -> AsyncGenerator[Path]:
        """A new folder for a tree; gone afterwards unless one was made."""
        planting: AbstractContextManager[Path] = self._forest.planting()
        async with off_loop(planting) as new:
            yield new

    async def _files(
        self, mode: str, stdin: bytes | int, shown: tuple[Bind, ...]
    ) -> tuple[_Files, Ended]:
        """The files that a box says, with nothing in them that is no file."""
        ended = _ended(await run(self._standing, _box(*shown), _argv(mode), Wires(stdin=stdin)))
        found: _Files = {}
        for frame, data in await _off(_heard, ended.stdout):
            if frame.refused:
                raise PatchInvalid(f"the patch does not apply: {_plain(frame.refused)}")
            if frame.odd:
                raise PatchInvalid(f"{frame.path} is no plain file ({_plain(frame.odd)})")
            if frame.path.endswith((".pyc", ".pyo")):
                raise PatchInvalid(f"{frame.path} is compiled code: only sources are tried")
            found[frame.path] = None if frame.gone else (data, frame.x)
        return found, ended

    @asynccontextmanager
    async def _compiler(self, new: Path, *shown: Bind) -> AsyncGenerator[Told]:
        """A box that waits to be told what to compile in a tree that is still being made."""
        box = _box(Bind(new, Path(REPO)), *shown)
        async with waiting(self._standing, box, _argv("compile")) as tell:
            yield tell

    async def _compile(
        self,
        tell: Told,
        new: Path,
        modules: AbstractSet[str],
        shaped: AbstractSet[str] = frozenset(),
    ) -> _Compiled:
        """Compile modules of a tree into it, and see the shapes of some."""
        asked = {"compile": sorted(modules), "shape": sorted(shaped)}
        ended = _ended(await tell(json.dumps(asked).encode()))
        broken, shapes, made = list[str](), dict[str, Frame](), dict[str, bytes]()
        for frame, data in await _off(_heard, ended.stdout):
            if frame.path not in modules and frame.path not in shaped:
                raise BuildFailed(f"{frame.path} was compiled unasked")
            if frame.broken:
                broken.append(f"{frame.path}: {_plain(frame.broken)}")
            elif frame.pyc:
                made[compiled(frame.path)] = data
            else:
                shapes[frame.path] = frame
        await _off(_put_all, new, made)
        return _Compiled(ended, tuple(broken), shapes)


def _box(*shown: Bind) -> Box:
    script = Path(__file__).with_name("inside_build.py")
    read = (*interpreter(), Bind(script, Path(_SCRIPT)), *shown)
    return Box(limits=_LIMITS, read=read, inet=False, nice=NICE)


def _argv(mode: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-B", _SCRIPT, mode]


def _ended(ended: Ended) -> Ended:
    if not ended.ok:
        said = _plain(ended.stderr.decode(errors="replace"))[-300:]
        why = f"exit code {ended.status}" if ended.why == "exit" else ended.why
        raise BuildFailed(f"the box that builds ended by {why}: {said}")
    return ended


def _changed(before: Files, files: _Files) -> dict[str, Node]:
    """A tree's files after a change; what lies beside compiled ones is none of them."""
    after = {path: node for path, node in before.items() if path not in files}
    for path, found in files.items():
        if found is not None and "__pycache__" not in path.split("/")[:-1]:
            after[path] = Node("file", found[0], 0o755 if found[1] else 0o644)
    return after


def _heard(said: bytes) -> list[tuple[Frame, bytes]]:
    return list(read_frames(said))


def _put_all(new: Path, made: Mapping[str, bytes]) -> None:
    for path, data in made.items():
        put(new / path, data, 0o444)


def _is_compiled(path: str) -> bool:
    return path.endswith(".py") and not path.startswith(_UNCOMPILED)


def _shape(files: _Files, shapes: Mapping[str, Frame]) -> str:
    """One digest of what a change is, whatever its comments and formatting."""
    whole = hashlib.sha256(b"hermes/shape/1\0")
    for path, found in sorted(files.items()):
        seen = shapes.get(path, Frame())
        if not seen.after or seen.after != seen.before:
            whole.update(f"{path}\0{seen.after or _exact(found)}\n".encode())
    return whole.hexdigest()


def _exact(found: tuple[bytes, bool] | None) -> str:
    return "gone" if found is None else f"{hashlib.sha256(found[0]).hexdigest()} {found[1]:d}"


def _plain(text: str) -> str:
    """What the inside said, as one harmless line."""
    return "".join(one if one.isprintable() else " " for one in text)[:600].strip()


async def _off(work: Callable[[*_Ts], _T], *arguments: *_Ts) -> _T:
    return await anyio.to_thread.run_sync(work, *arguments)


async def _beside(
    one: Callable[[], Coroutine[Any, Any, object]], other: Callable[[], Awaitable[_T]]
) -> _T:
    """Do both at once; what the second gives."""
    found: list[_T] = []

    async def keep() -> None:
        found.append(await other())

    with lone_error():
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(keep)
    return found[0]
