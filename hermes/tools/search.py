"""Grep and Glob: ripgrep where it is installed, else the search process; same answers."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import anyio.to_thread
import msgspec

import hermes
from hermes.core.tool import Outcome, Place, Tool, ToolContext, hides_nothing
from hermes.errors import ToolFailure
from hermes.sandbox.shell import Command, Finished, Shell
from hermes.tools.arguments import path_subject
from hermes.tools.disk import resolve
from hermes.tools.globs import matcher
from hermes.tools.plain import cut_line, listing, shown
from hermes.tools.scan import LINE_BYTES

SEARCH_S = 30.0
_CAP = 16 << 20
_MAX_PATTERN = 1_000
_LINE_CHARS = 300
_FOUND = re.compile(rb"([^\0]*)\0(\d+):([^\n]*)\n?")
_WARNING = re.compile(rb"^[^\0\n]*: WARNING: stopped searching binary file[^\n]*\n", re.MULTILINE)
_SCAN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from hermes.tools.scan import main; "
_SCAN += "sys.exit(main(sys.argv[1:]))"
_SOURCE = Path(hermes.__file__).parent.parent
_TREE = (
    "--no-config",
    "--hidden",
    "--no-require-git",
    "--no-ignore-global",
    "--no-ignore-dot",
    "--no-messages",
    "--glob=!.git",
    "--sort=path",
    "--color=never",
    "--null",
)
_LINES = (
    "--line-number",
    "--with-filename",
    "--no-heading",
    "--crlf",
    "--encoding=none",
    f"--max-columns={LINE_BYTES}",
    "--max-columns-preview",
)


class Grep(msgspec.Struct, frozen=True):
    """Arguments of Grep."""

    pattern: Annotated[str, msgspec.Meta(description="regular expression")]
    path: str = "."
    limit: int = 0


class Glob(msgspec.Struct, frozen=True):
    """Arguments of Glob."""

    pattern: Annotated[str, msgspec.Meta(description="such as **/*.py")]
    path: str = "."


class Search:
    """What both tools share: a shell, and ripgrep's path where there is one."""

    def __init__(
        self, shell: Shell, env: Mapping[str, str], rg: str | None, limit_s: float
    ) -> None:
        self._shell = shell
        self._env = env
        self._rg = rg
        self._limit_s = limit_s

    async def grep(self, context: ToolContext, args: Grep) -> Outcome:
        """Lines that match, as `path:line: text`."""
        if len(args.pattern) > _MAX_PATTERN or "\0" in args.pattern:
            raise ToolFailure("bad pattern: too long or not text")
        target, place = await anyio.to_thread.run_sync(_target, args.path, context.place)
        file = "" if target.is_dir else target.name
        found = await self._grep(target.top, file, args.pattern)
        rows = _parse(found.head)
        seen = await _visible(context, target.top, {path for path, _, _ in rows})
        lines = [
            f"{shown(place + path)}:{number}: {cut_line(text, _LINE_CHARS)}"
            for path, number, text in rows
            if path in seen
        ]
        total = found.lines if found.dropped else len(lines)
        if args.limit > 0:
            lines = lines[: args.limit]
        return listing(lines, context.result_chars, total)

    async def _grep(self, top: Path, file: str, pattern: str) -> Finished:
        if self._rg is not None:
            argv = (self._rg, *_TREE, *_LINES, "-e", pattern, "--", f"./{file}")
            found = await self._run(argv, top)
            if found.status in {0, 1} or _FOUND.search(found.head):
                return found
        found = await self._scan(("grep", str(top), file, pattern), top)
        if found.status not in {0, 1}:
            raise ToolFailure(found.head.decode(errors="replace") or "the search failed")
        return found

    async def glob(self, context: ToolContext, args: Glob) -> Outcome:
        """Paths of the files that match, one a line."""
        fits = matcher(args.pattern)
        target, place = await anyio.to_thread.run_sync(_target, args.path, context.place)
        if not target.is_dir:
            raise ToolFailure("not a directory")
        if self._rg is not None:
            found = await self._run((self._rg, "--files", *_TREE, "--", "./"), target.top)
        else:
            found = await self._scan(("files", str(target.top)), target.top)
        names = [os.fsdecode(raw).removeprefix("./") for raw in found.head.split(b"\0")[:-1]]
        seen = await _visible(context, target.top, set(filter(fits, names)))
        return listing(sorted(shown(place + name) for name in seen), context.result_chars)

    async def _scan(self, words: tuple[str, ...], top: Path) -> Finished:
        return await self._run((sys.executable, "-I", "-c", _SCAN, str(_SOURCE), *words), top)

    async def _run(self, argv: tuple[str, ...], top: Path) -> Finished:
        command = Command(argv, top, self._env, self._limit_s, _CAP * 2)
        found = await self._shell.run(command)
        if found.timed_out:
            raise ToolFailure(f"timed out after {self._limit_s:.0f} s; search a smaller directory")
        return found


class _Target(msgspec.Struct, frozen=True):
    top: Path
    name: str
    is_dir: bool


async def _visible(context: ToolContext, top: Path, names: set[str]) -> set[str]:
    """The names that policy does not keep from being read."""
    if context.hides is hides_nothing:
        return names
    hides = context.hides
    return await anyio.to_thread.run_sync(lambda: {name for name in names if not hides(top / name)})


def _target(text: str, place: Place) -> tuple[_Target, str]:
    """Where to search, and what stands before each found path so that it can be read."""
    path = resolve(text, place)
    if not path.exists():
        raise ToolFailure("no such file or directory")
    is_dir = path.is_dir()
    top = path if is_dir else path.parent
    prefix = top.relative_to(place.cwd) if top.is_relative_to(place.cwd) else top
    return _Target(top, path.name, is_dir), "" if prefix == Path() else f"{prefix}/"


def _parse(output: bytes) -> list[tuple[str, int, str]]:
    """Found lines; anything else that a search prints (warnings) is passed over."""
    return [
        (
            os.fsdecode(path).removeprefix("./"),
            int(number),
            line.decode("utf-8", "replace").removesuffix("\r"),
        )
        for path, number, line in _FOUND.findall(_WARNING.sub(b"", output))
    ]


def search_tools(
    shell: Shell, env: Mapping[str, str], rg: str | None, limit_s: float = SEARCH_S
) -> tuple[Tool, Tool]:
    """Grep and Glob; `rg`: where ripgrep lies, None: the search process is used."""
    search = Search(shell, env, rg, limit_s)
    grep = Tool(
        name="Grep",
        description="Search file contents.",
        arguments=Grep,
        effect="read",
        subject=path_subject,
        run=search.grep,
    )
    glob = Tool(
        name="Glob",
        description="Find files by name.",
        arguments=Glob,
        effect="read",
        subject=path_subject,
        run=search.glob,
    )
    return grep, glob
