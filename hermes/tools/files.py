"""FileRead and ListDir."""

import os
from typing import Annotated, BinaryIO

import anyio.to_thread
import msgspec

from hermes.core.tool import Outcome, Tool, ToolContext
from hermes.errors import ToolFailure
from hermes.tools.arguments import path_subject
from hermes.tools.disk import MAX_WHOLE, digest, failure, is_binary, open_regular, resolve
from hermes.tools.plain import cut_line, head_of, listing, shown

LONGEST = 2_000
NOT_UTF8 = "[not UTF-8: shown as latin-1]"
_MAX_NAMES = 100_000


class FileRead(msgspec.Struct, frozen=True):
    """Arguments of FileRead."""

    path: str
    offset: Annotated[int, msgspec.Meta(description="first line, from 1")] = 0
    limit: Annotated[int, msgspec.Meta(description="lines")] = 0


class ListDir(msgspec.Struct, frozen=True):
    """Arguments of ListDir."""

    path: str = "."


async def _read(context: ToolContext, args: FileRead) -> Outcome:
    return await anyio.to_thread.run_sync(_read_now, context, args)


def _read_now(context: ToolContext, args: FileRead) -> Outcome:
    path = resolve(args.path, context.place)
    with open_regular(path) as file:
        try:
            data = file.read(MAX_WHOLE + 1)
            if is_binary(data):
                size = max(os.fstat(file.fileno()).st_size, len(data))
                raise ToolFailure(f"binary file, {size} bytes")
            if len(data) > MAX_WHOLE:
                return _huge(file, args, context.result_chars)
        except OSError as error:
            raise failure(error) from error
    context.files.seen[path] = digest(data)
    return _window(data, args, context.result_chars)


def _window(data: bytes, args: FileRead, room: int) -> Outcome:
    note = ""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text, note = data.decode("latin-1"), f"{NOT_UTF8}\n"
    text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    total = len(lines) - (lines[-1] == "")
    if total == 0:
        return Outcome("[0 lines]")
    first = max(args.offset, 1)
    if first > total:
        raise ToolFailure(f"offset: the file has {total} lines")
    last = min(first + args.limit - 1, total) if args.limit > 0 else total
    longest = max(map(len, lines))
    if (first, last) == (1, total) and len(text) + len(note) <= room and longest <= LONGEST:
        return Outcome(f"{note}{text}")
    wanted = [cut_line(line, LONGEST) for line in lines[first - 1 : last]]
    mark = f"[{total} lines]" if first == 1 else f"[{total} lines, from {first}]"
    kept = head_of(wanted, room - len(mark) - len(note) - 30)
    if len(kept) < len(wanted):
        kept.append(f"[to line {first + len(kept) - 1}]")
    return Outcome("\n".join([mark, f"{note}{kept[0]}", *kept[1:]]), truncated=True)


def _huge(file: BinaryIO, args: FileRead, room: int) -> Outcome:
    """Only the window of a file that is not held in memory; its lines are not counted."""
    size = os.fstat(file.fileno()).st_size
    first = max(args.offset, 1)
    kept: list[str] = [f"[{size} bytes, from line {first}]"]
    file.seek(0)
    number = 0
    room -= len(kept[0]) + 30
    while room > 0 and (raw := file.readline(LONGEST)):
        number += 1
        while not raw.endswith(b"\n") and (rest := file.readline(1 << 20)):
            raw = raw[:LONGEST] + (b"\n" if rest.endswith(b"\n") else b"")
        if number < first:
            continue
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        kept.append(cut_line(line, max(room, 1)))
        room -= len(line) + 1
        if number - first + 1 == args.limit:
            break
    if len(kept) == 1:
        raise ToolFailure(f"offset: the file has {number} lines")
    return Outcome("\n".join([*kept, f"[to line {number}]"]), truncated=True)


async def _list(context: ToolContext, args: ListDir) -> Outcome:
    names = await anyio.to_thread.run_sync(_names, context, args.path)
    return listing(names, context.result_chars)


def _names(context: ToolContext, text: str) -> list[str]:
    directory = resolve(text, context.place)
    names: list[str] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                names.append(_name(entry))
                if len(names) >= _MAX_NAMES:
                    break
    except OSError as error:
        raise failure(error) from error
    return sorted(names)


def _name(entry: "os.DirEntry[str]") -> str:
    try:
        is_directory = entry.is_dir()
    except OSError:
        is_directory = False
    return shown(entry.name) + ("/" if is_directory else "")


FILE_READ = Tool(
    name="FileRead",
    description="Read a text file.",
    arguments=FileRead,
    effect="read",
    subject=path_subject,
    run=_read,
)
LIST_DIR = Tool(
    name="ListDir",
    description="List a directory.",
    arguments=ListDir,
    effect="read",
    subject=path_subject,
    run=_list,
)
