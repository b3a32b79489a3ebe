"""What a stop, a failure or a crash leaves open in a turn, and how it is closed.

A write with an intent and no outcome is reported, never repeated; a call that never began
may run.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from hermes.conversation.kit import Kit
from hermes.conversation.record import Record
from hermes.conversation.session import Session
from hermes.core.ids import CallId, TurnId
from hermes.core.message import Message, Text, ToolCall, ToolResult
from hermes.core.request import TurnRequest
from hermes.errors import HermesError, TurnStopped
from hermes.store.turns import TurnState

_UNKNOWN = "error: interrupted: it is not known whether this was done; check before you repeat it"


def open_calls(session: Session, turn: TurnId) -> tuple[ToolCall, ...]:
    """The calls of a turn's last step that have no results yet."""
    messages = session.of_turn(turn)
    return messages[-1].calls if messages and messages[-1].role == "assistant" else ()


async def settle(
    kit: Kit, request: TurnRequest, record: Record, calls: Sequence[ToolCall]
) -> dict[CallId, ToolResult]:
    """Answer the calls that the journal knows; unfinished writes are told to the person."""
    names = {call.id: call.name for call in calls}
    known: dict[CallId, ToolResult] = {}
    for entry in await kit.store.journal.of_turn(request.turn_id):
        if entry.call not in names:
            continue
        if entry.outcome is not None:
            known[entry.call] = ToolResult(
                entry.call, entry.tool, entry.outcome.text or _UNKNOWN, ok=entry.outcome.ok
            )
            continue
        await kit.store.journal.report_interrupted(entry.id)
        known[entry.call] = ToolResult(entry.call, entry.tool, _UNKNOWN, ok=False)
        record.notice(
            f"unfinished write: {entry.tool} {entry.arguments[:200]} was interrupted; "
            "it may or may not have happened and is not repeated"
        )
    return known


def answered(
    kit: Kit, session: Session, request: TurnRequest, results: Sequence[ToolResult]
) -> Message:
    """The message that carries a step's results."""
    return session.write(kit.clock, request.turn_id, "tool", tuple(results))


async def fail_turn(
    kit: Kit, session: Session, request: TurnRequest, record: Record, error: HermesError
) -> None:
    """Close a turn that has no answer, and say so."""
    stopped = isinstance(error, TurnStopped)
    said = "".join(record.partial) if stopped else ""
    ending = Ending("stopped" if stopped else "failed", error, said)
    record.failed(error, await _close(kit, session, request, record, ending))


async def close_earlier(kit: Kit, session: Session, request: TurnRequest, record: Record) -> None:
    """Close what an earlier owner left unfinished in this conversation, before a new turn."""
    if not session.unclosed:
        return
    for left in await kit.store.turns.unfinished():
        if left.conversation == session.conversation and left.id != request.turn_id:
            error = TurnStopped("interrupted")
            ending = Ending("interrupted", error, "")
            await _close(kit, session, left.request, record, ending)
    session.unclosed = False


class Ending(NamedTuple):
    """How a turn without an answer ended; `said` is what was generated of one."""

    state: TurnState
    error: HermesError
    said: str


async def _close(
    kit: Kit, session: Session, request: TurnRequest, record: Record, ending: Ending
) -> list[ToolResult]:
    """End a turn in the store; the conversation stays valid for the next one.

    Gives the results of the calls that had none.
    """
    results: list[ToolResult] = []
    for asked in await kit.store.approvals.of_turn(request.turn_id):
        if asked.answer is None:
            why = ending.error.message
            await kit.store.approvals.answer(asked.call, "no", ending.state, why)
    if calls := open_calls(session, request.turn_id):
        known = await settle(kit, request, record, calls)
        why = ending.error.message
        results = [
            known.get(call.id)
            or ToolResult(
                call.id,
                call.name,
                f"error: {why}" if call.id in session.busy else f"error: not run: {why}",
                ok=False,
            )
            for call in calls
        ]
        await session.append(kit.store, answered(kit, session, request, results))
    note = f"{ending.said}\n[{ending.error.message}]".strip()
    closing = session.write(kit.clock, request.turn_id, "assistant", (Text(note),))
    await kit.store.turns.finish(
        request.turn_id,
        ending.state,
        text=ending.said,
        error=ending.error.message,
        remedy=ending.error.remedy,
        usage=msgspec.to_builtins(record.total()),
        messages=(closing,),
    )
    session.stored(closing)
    return results
