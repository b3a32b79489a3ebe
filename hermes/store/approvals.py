"""Approvals: a question to the person, a stored row, and the first answer."""

import msgspec

from hermes.core.canonical import Value
from hermes.core.clock import Clock
from hermes.core.event import Answer
from hermes.core.ids import CallId, Cid, ConversationId, TurnId
from hermes.store.blocks import record
from hermes.store.database import Database
from hermes.store.statement import Statement, Unmet

ASK_KIND = "hermes/ask/1"
ANSWER_KIND = "hermes/answer/1"

_COLUMNS = (
    "call, turn, conversation, tool, arguments, rule, diff, asked, answer, answered_by, reason"
)
_ASK = (
    "INSERT INTO approvals"
    " (call, turn, conversation, tool, arguments, rule, diff, asked, cid)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (call, turn) WHERE answer IS NULL DO NOTHING"
)
_OPEN = "SELECT seq, cid FROM approvals WHERE call = ? AND answer IS NULL ORDER BY seq DESC LIMIT 1"
_ANSWER = (
    "UPDATE approvals SET answer = ?, answered_by = ?, reason = ?, answered = ?, answer_cid = ?"
    " WHERE seq = ? AND answer IS NULL"
)


class ApprovalRecord(msgspec.Struct, frozen=True):
    """A question and, once it has one, its answer."""

    call: CallId
    turn: TurnId
    conversation: ConversationId
    tool: str
    arguments: str
    rule: str
    diff: str
    asked: int
    answer: Answer | None
    by: str | None
    reason: str | None


class Approvals:
    """Questions and answers."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def ask(  # noqa: PLR0913 - a question is made of these
        self,
        *,
        call_id: CallId,
        turn: TurnId,
        conversation: ConversationId,
        tool: str,
        arguments: str,
        rule: str,
        diff: str = "",
        at: int,
    ) -> None:
        """Store a question; one that is open already stays. `rule`: what "always" would add."""
        fields: dict[str, Value] = {
            "call": call_id, "turn": turn, "conversation": conversation, "tool": tool,
            "arguments": arguments, "rule": rule, "diff": diff, "at": at,
        }  # fmt: skip
        cid, block = record(ASK_KIND, (), fields)
        row = (call_id, turn, conversation, tool, arguments, rule, diff, at, cid)
        try:
            await self._database.write(block, Statement(_ASK, row, expect=1))
        except Unmet:
            return

    async def answer(self, call: CallId, answer: Answer, by: str, reason: str = "") -> bool:
        """Answer the newest open question about a call; False when somebody was faster."""
        rows = await self._database.read(_OPEN, (call,))
        if not rows:
            return False
        seq, asked = rows[0]
        now = self._clock.now_ms()
        fields: dict[str, Value] = {"answer": answer, "by": by, "reason": reason, "at": now}
        cid, block = record(ANSWER_KIND, (Cid(asked),), fields)
        row = (answer, by, reason, now, cid, seq)
        try:
            await self._database.write(block, Statement(_ANSWER, row, expect=1))
        except Unmet:
            return False
        return True

    async def open(self, conversation: ConversationId | None = None) -> tuple[ApprovalRecord, ...]:
        """Questions without an answer, oldest first."""
        rest = "WHERE answer IS NULL AND (?1 IS NULL OR conversation = ?1) ORDER BY seq"
        return await self._select(rest, (conversation,))

    async def of_turn(self, turn: TurnId) -> tuple[ApprovalRecord, ...]:
        """Every question of a turn, oldest first."""
        return await self._select("WHERE turn = ? ORDER BY seq", (turn,))

    async def _select(
        self, rest: str, parameters: tuple[str | None, ...]
    ) -> tuple[ApprovalRecord, ...]:
        rows = await self._database.read(
            f"SELECT {_COLUMNS} FROM approvals {rest}",  # noqa: S608 - constants
            parameters,
        )
        return tuple(ApprovalRecord(*row) for row in rows)
