"""What happens to one call around its run: events, policy, approval, journal."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import assert_never

import anyio.to_thread
import msgspec

from hermes.conversation.kit import Kit
from hermes.conversation.limits import Meter
from hermes.conversation.record import Record
from hermes.conversation.session import Session
from hermes.core.event import ApprovalAsked, Json, ToolCalled
from hermes.core.ids import CallId
from hermes.core.message import ToolCall, ToolResult
from hermes.core.request import TurnRequest
from hermes.core.tool import Change, Effect, Place, Tool, ToolContext, Tried, hides_nothing
from hermes.policy.gate import Call, Decision, Gate, with_yes
from hermes.store.journal import JournalId
from hermes.tools.diff import diff_of
from hermes.tools.hooks import Admission


class TurnHooks:
    """The conversation's side of the router (`hermes.tools.router.Hooks`)."""

    def __init__(
        self,
        kit: Kit,
        session: Session,
        request: TurnRequest,
        record: Record,
        meter: Meter,
        gate: Gate,
    ) -> None:
        self._kit = kit
        self._session = session
        self._request = request
        self._record = record
        self._meter = meter
        self._gate = gate
        self._place = Place(Path(request.cwd), Path(request.root))
        self._asked: set[CallId] = set()
        self._hides = partial(gate.hides, place=self._place) if gate.restricts else hides_nothing

    def context(self, call: ToolCall) -> ToolContext:
        """What one call may know."""
        return ToolContext(
            conversation=self._session.conversation,
            session=self._session.id,
            turn=self._request.turn_id,
            call=call.id,
            place=self._place,
            files=self._session.files,
            private=self._session.private,
            hides=self._hides,
            narrow=self._gate.narrow,
        )

    async def called(self, call: ToolCall, effect: Effect) -> None:
        """The model asked; nothing was decided."""
        self._record.tell(
            ToolCalled(
                **self._record.head(),
                call_id=call.id,
                name=call.name,
                arguments=plain_arguments(call.arguments),
                effect=effect,
            )
        )

    async def admit(
        self,
        call: ToolCall,
        tool: Tool,
        args: msgspec.Struct,
        effect: Effect,
        changes: Sequence[Change],
    ) -> Admission:
        """Let policy decide, and a person where policy asks."""
        asked = Call(
            tool=tool.name,
            effect=effect,
            subject=tool.subject(args),
            place=self._place,
            mode=self._request.mode,
            changes=tuple(change.path for change in changes),
        )
        decision = await anyio.to_thread.run_sync(self._decide, asked, tool, args)
        if self._request.yes:
            decision = with_yes(decision)
        match decision.verdict:
            case "allow":
                return Admission(allowed=True)
            case "deny":
                return self._refuse(f"denied by policy: {decision.reason or decision.rule}")
            case "ask":
                return await self._ask(call, tool, decision, changes)
            case _:
                assert_never(decision.verdict)

    def _decide(self, asked: Call, tool: Tool, args: msgspec.Struct) -> Decision:
        why = tool.outside(args, self._place) if tool.outside else ""
        return self._gate.decide(replace(asked, outside=why))

    async def settle(self, call: ToolCall, tool: Tool, tried: Tried) -> Admission:
        """Let policy decide about what a call did aside; nobody is asked about a call twice."""
        changed = partial(self._gate.decide_changes, tried.touches, self._place)
        decision = await anyio.to_thread.run_sync(changed)
        covered = self._request.yes or call.id in self._asked
        if decision.verdict == "deny":
            return self._refuse(f"denied by policy: {decision.reason or decision.rule}")
        if decision.verdict == "allow" or covered:
            return Admission(allowed=True)
        return await self._ask(call, tool, decision, tried.changes)

    async def _ask(
        self, call: ToolCall, tool: Tool, decision: Decision, changes: Sequence[Change]
    ) -> Admission:
        self._asked.add(call.id)
        diff = await anyio.to_thread.run_sync(diff_of, changes)
        with self._meter.waiting():
            answered = await self._kit.approvals.ask(
                ApprovalAsked(
                    **self._record.head(),
                    call_id=call.id,
                    name=tool.name,
                    arguments=plain_arguments(call.arguments),
                    rule=decision.always,
                    reason=decision.reason or decision.rule,
                    diff=diff,
                ),
                expected=self._request.interactive,
            )
        if answered.answer == "always" and decision.always:
            self._gate.add_session(decision.always)
            self._session.rules.append(decision.always)
        if answered.answer == "no":
            what = (
                "not approved to run outside of the sandbox" if decision.outside else "not approved"
            )
            return self._refuse(f"{what}: {answered.reason or 'the person said no'}")
        return Admission(allowed=True)

    def _refuse(self, why: str) -> Admission:
        self._record.denied += 1
        return Admission(allowed=False, text=f"error: {why}")

    async def intent(self, call: ToolCall, tool: Tool, changes: Sequence[Change]) -> JournalId:
        """Journal what is about to be done; durable before it is done."""
        return await self._kit.store.journal.intend(
            turn=self._request.turn_id,
            conversation=self._session.conversation,
            call=call.id,
            tool=tool.name,
            arguments=call.arguments,
            changes=[(str(change.path), change.before, change.after) for change in changes],
            heads=self._session.heads,
        )

    async def started(self, call: ToolCall) -> None:
        """It runs."""
        self._record.tool_started(call)

    async def outcome(self, token: JournalId, result: ToolResult) -> None:
        """Journal what came of it."""
        await self._kit.store.journal.outcome(token, ok=result.ok, text=result.text)

    async def finished(self, _call: ToolCall, result: ToolResult, diff: str) -> None:
        """What the model will see."""
        self._record.tool_finished(result, diff)

    async def bug(self, call: ToolCall, error: Exception) -> None:
        """A tool broke in a way it should not."""
        self._kit.report(f"tool {call.name}", error)


def plain_arguments(text: str) -> Json:
    """The arguments as JSON data; the text itself when it is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
