"""Taking back a turn: the head moves back, and the files it changed get their bytes back.

Nothing is deleted: the turn stays in the store. A file that changed since is left alone and
named. What a shell command did outside of the sandbox is not known and not taken back.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.core.event import Json
from hermes.core.ids import ConversationId
from hermes.core.message import Text
from hermes.core.tool import Change
from hermes.errors import ToolFailure, TurnError
from hermes.store.blobs import digest_of
from hermes.store.journal import JournalEntry
from hermes.store.store import Store
from hermes.tools.apply import apply
from hermes.tools.diff import diff_of
from hermes.tools.disk import open_regular


class UndoneFile(msgspec.Struct, frozen=True):
    """One file; `state`: clean (its bytes can come back), changed since, or unknown."""

    path: str
    state: str
    diff: str


class _Return(msgspec.Struct, frozen=True):
    """A file's bytes before the turn, and the digest that the turn left (empty: none)."""

    path: Path
    before: bytes | None
    left: str


async def undo(store: Store, conversation: ConversationId, *, carry_out: bool) -> Json:
    """Show, or carry out, the way back over the conversation's last turn.

    Returns:
        turn_id, text (the person's words), files (path, state, diff), applied,
        unknown (tools whose effect on files is not known).

    Raises:
        TurnError: there is no turn to take back.
    """
    history = [stored.message for stored in await store.conversations.history(conversation)]
    if not history:
        raise TurnError("there is no turn to take back")
    turn = history[-1].turn
    first = next(message for message in history if message.turn == turn)
    entries = [entry for entry in await store.journal.of_turn(turn) if not entry.undone]
    files, changes = await _way_back(store, entries)
    if carry_out:
        for change in changes:
            await apply((change,))
        record = await store.turns.get(turn)
        if record is not None and record.state == "running":  # its owner died: none resumes it
            await store.turns.finish(turn, "interrupted", error="taken back")
        await store.conversations.set_heads(conversation, first.parents)
        await store.journal.mark_undone([entry.id for entry in entries])
    words = "\n".join(part.text for part in first.parts if isinstance(part, Text))
    return {
        "turn_id": turn,
        "text": words,
        "files": [msgspec.to_builtins(file) for file in files],
        "unknown": sorted({entry.tool for entry in entries if not entry.changes}),
        "applied": carry_out,
    }


async def _way_back(
    store: Store, entries: Sequence[JournalEntry]
) -> tuple[list[UndoneFile], list[Change]]:
    files, changes = [], []
    for back in await _returns(store, entries):
        try:
            now = await anyio.to_thread.run_sync(_bytes_of, back.path)
        except ToolFailure:  # a directory, a pipe, not ours to read: it is another thing now
            files.append(UndoneFile(str(back.path), "changed", ""))
            continue
        if (digest_of(now) if now is not None else "") != back.left:
            files.append(UndoneFile(str(back.path), "changed", ""))
            continue
        change = Change(back.path, now, back.before)
        files.append(UndoneFile(str(back.path), "clean", diff_of((change,))))
        changes.append(change)
    return files, changes


async def _returns(store: Store, entries: Sequence[JournalEntry]) -> list[_Return]:
    """Several changes of one file are one way back: its first before, its last after."""
    found: dict[str, _Return] = {}
    for entry in entries:
        if entry.outcome is None or not entry.outcome.ok:
            continue
        for change in entry.changes:
            earlier = found.get(change.path)
            before = earlier.before if earlier else await store.journal.before(entry, change.path)
            found[change.path] = _Return(Path(change.path), before, change.after or "")
    return list(found.values())


def _bytes_of(path: Path) -> bytes | None:
    if not os.path.lexists(path):
        return None
    with open_regular(path) as file:
        return file.read()
