"""FileWrite and FileEdit: they only plan; the router applies (`hermes.tools.apply`)."""

import difflib
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.core.tool import Change, Tool, ToolContext
from hermes.errors import ToolFailure
from hermes.tools.arguments import path_subject
from hermes.tools.disk import digest, is_binary, read_whole, resolve
from hermes.tools.plain import cut_line

_HINT_LINES = 1_000
_HINT_CHARS = 120


class FileWrite(msgspec.Struct, frozen=True):
    """Arguments of FileWrite."""

    path: str
    content: str


class FileEdit(msgspec.Struct, frozen=True):
    """Arguments of FileEdit."""

    path: str
    old: str
    new: str


async def _plan_write(context: ToolContext, args: FileWrite) -> tuple[Change, ...]:
    return await anyio.to_thread.run_sync(_written, context, args)


async def _plan_edit(context: ToolContext, args: FileEdit) -> tuple[Change, ...]:
    return await anyio.to_thread.run_sync(_edited, context, args)


def _written(context: ToolContext, args: FileWrite) -> tuple[Change, ...]:
    path = resolve(args.path, context.place)
    if args.path.endswith("/"):
        raise ToolFailure("is a directory")
    before = read_whole(path)
    _refuse_stale(context, path, before)
    content = args.content
    if before is not None and _is_crlf(before):
        content = _to_crlf(content)
    return (Change(path, before, _bytes(content, "content")),)


def _edited(context: ToolContext, args: FileEdit) -> tuple[Change, ...]:
    if not args.old:
        raise ToolFailure("old: must not be empty; FileWrite makes new files")
    if args.old == args.new:
        raise ToolFailure("old and new are the same")
    path = resolve(args.path, context.place)
    before = read_whole(path)
    _refuse_stale(context, path, before)
    if before is None:
        raise ToolFailure("no such file or directory")
    if is_binary(before):
        raise ToolFailure(f"binary file, {len(before)} bytes")
    try:
        text = before.decode()
    except UnicodeDecodeError as error:
        raise ToolFailure("not UTF-8: cannot be edited, use Bash") from error
    old, new = _endings(args, before)
    if old not in text:
        raise ToolFailure(f"text not found{_nearest(text, args.old)}")
    return (Change(path, before, _bytes(text.replace(old, new), "new")),)


def _endings(args: FileEdit, before: bytes) -> tuple[str, str]:
    if _is_crlf(before):
        return _to_crlf(args.old), _to_crlf(args.new)
    return args.old, args.new


def _is_crlf(data: bytes) -> bool:
    ends = data.count(b"\n")
    return 0 < ends == data.count(b"\r\n")


def _to_crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _bytes(text: str, name: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailure(f"{name}: not valid text") from error


def _refuse_stale(context: ToolContext, path: Path, before: bytes | None) -> None:
    seen = context.files.seen.get(path)
    if seen is None:
        return
    if before is None:
        raise ToolFailure("file was removed since it was read; read it again")
    if digest(before) != seen:
        raise ToolFailure("file changed since it was read; read it again")


def _nearest(text: str, old: str) -> str:
    wanted = next((line for line in old.splitlines() if line.strip()), "")[:_HINT_CHARS]
    lines = [line[:_HINT_CHARS] for line in text.splitlines()[:_HINT_LINES]]
    found = difflib.get_close_matches(wanted, lines, n=1, cutoff=0.6)
    if not found:
        return ""
    return f"; nearest is line {lines.index(found[0]) + 1}: {cut_line(found[0], _HINT_CHARS)}"


def _wrote(_: FileWrite, changes: tuple[Change, ...]) -> str:
    return f"wrote {sum(len(change.after or b'') for change in changes)} bytes"


def _changed(args: FileEdit, changes: tuple[Change, ...]) -> str:
    before = changes[0].before or b""
    old, _ = _endings(args, before)
    return f"changed {before.decode().count(old)}"


FILE_WRITE = Tool(
    name="FileWrite",
    description="Write a whole file.",
    arguments=FileWrite,
    effect="write",
    subject=path_subject,
    plan=_plan_write,
    summary=_wrote,
)
FILE_EDIT = Tool(
    name="FileEdit",
    description="Replace exact text, every occurrence.",
    arguments=FileEdit,
    effect="write",
    subject=path_subject,
    plan=_plan_edit,
    summary=_changed,
)
