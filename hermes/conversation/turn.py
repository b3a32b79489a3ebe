"""One turn, from the user's words to the final answer (seed 004 §4). Start reading here.

No callbacks, no branch on a provider. What policy, journal and approvals do to a call stands
in `hooks`; what a crash leaves open is closed in `mend`.
"""

import secrets
import string
from collections.abc import Sequence

import anyio
import msgspec

from hermes.conversation.hooks import TurnHooks
from hermes.conversation.kit import Kit
from hermes.conversation.limits import Meter
from hermes.conversation.mend import answered, fail_turn, open_calls, settle
from hermes.conversation.record import Record
from hermes.conversation.session import LastCall, Session, View, view_key
from hermes.core.ids import CallId
from hermes.core.message import Message, Part, Text, ToolCall, ToolResult
from hermes.core.model import Reply
from hermes.core.request import TurnRequest
from hermes.errors import HermesError, ModelGarbled, ModelOverflow
from hermes.models.model import Model
from hermes.prompt.budget import Scale
from hermes.prompt.builder import Frame, Prompt, build

_MALFORMED_MOST = 2  # an unreadable call goes back to the model so many times
_OVERFLOW_MOST = 6
_BYTES_PER_TOKEN = 3.0  # until the server said how many there were
_SMALL_VOCABULARY = 2.2  # the same for the model that ships, whose pieces are short
_ID_LETTERS = string.ascii_lowercase + string.digits


async def run_turn(kit: Kit, session: Session, request: TurnRequest, record: Record) -> None:
    """Run a turn whose user message is durable; everything it does is stored as it happens.

    Ends with exactly one final event, or with the cancellation that a closing owner sends:
    the turn then stays unfinished in the store, and the next owner resumes it.
    """
    meter = Meter(kit.limits, request.max_steps)
    try:
        with meter.wall():
            final = await _converse(kit, session, request, record, meter)
        with anyio.CancelScope(shield=True):  # from here a stop comes too late
            await kit.store.turns.finish(
                request.turn_id,
                "finished",
                text=final.text,
                usage=msgspec.to_builtins(record.total()),
                messages=(final,),
            )
        session.stored(final)
        record.finished(final.text)
    except HermesError as error:
        with anyio.CancelScope(shield=True):
            await fail_turn(kit, session, request, record, error)


async def _converse(
    kit: Kit, session: Session, request: TurnRequest, record: Record, meter: Meter
) -> Message:
    model = await kit.models.open(request, session)
    await kit.recollection.look(session, request, model.profile)
    view = await _view(kit, session, request, model)
    router = kit.router(request, model)
    gate = await kit.gate(request, session)
    for note in set(gate.notes) - session.told:
        session.told.add(note)
        record.notice(note)
    hooks = TurnHooks(kit, session, request, record, meter, gate)
    if calls := open_calls(session, request.turn_id):  # a crash left them behind
        known = await settle(kit, request, record, calls)
        ran = await router.run(
            [call for call in calls if call.id not in known], hooks.context, hooks
        )
        known |= {result.call_id: result for result in ran}
        await session.append(
            kit.store, answered(kit, session, request, [known[c.id] for c in calls])
        )
    malformed = 0
    while True:
        meter.step()
        reply = await _generate(kit, session, model, view, record)
        message = _said(kit, session, request, reply)
        if not message.calls and not reply.malformed:
            if reply.finish == "length":
                record.notice("the answer was cut at its longest: say 'go on' for the rest")
            return message
        meter.spend(reply.usage)
        await session.append(kit.store, message)
        record.partial.clear()
        if reply.malformed:
            malformed += 1
            if malformed > _MALFORMED_MOST:
                raise ModelGarbled(
                    f"the model's tool call could not be read: {reply.malformed}",
                    "ask again in other words, or use a larger model (/model)",
                )
            results: Sequence[ToolResult] = (_unreadable(reply.malformed),)
        else:
            meter.calls(message.calls)
            results = await router.run(message.calls, hooks.context, hooks)
        await session.append(kit.store, answered(kit, session, request, results))


async def _generate(kit: Kit, session: Session, model: Model, view: View, record: Record) -> Reply:
    """Ask the model once; what does not fit is cut further and asked again."""
    window = model.window
    tools = kit.opening.tools(model.profile, view.sections)
    frame = Frame(view.sections, tools, model.profile, session.lines())
    for _ in range(_OVERFLOW_MOST):
        ready = kit.compaction.take(session, view)
        prompt = build(
            frame, session.messages, window=window, scale=view.scale, cut=view.cut, offered=ready
        )
        if prompt.cut != view.cut:
            saved = view.scale.tokens(prompt.full_size - prompt.size)
            record.compacted(prompt, saved, ready.by if ready == prompt.cut else "limit")
            view.cut = prompt.cut
        try:
            reply = await _stream(kit, session, model, prompt, view, record)
        except ModelOverflow as overflow:
            tokens = overflow.prompt_tokens or 2 * view.scale.tokens(prompt.size)
            known = (window, view.scale)
            window = overflow.window or window
            view.scale = view.scale.learn(prompt.size, tokens)
            if known == (window, view.scale):
                break  # the same prompt again would not fit either
        else:
            kit.compaction.note(session, view, prompt, model)
            return reply
    raise ModelOverflow(f"even the shortest prompt does not fit {window} tokens", 0, window)


async def _stream(
    kit: Kit, session: Session, model: Model, prompt: Prompt, view: View, record: Record
) -> Reply:
    began = kit.clock.now_ms()
    record.partial.clear()
    async with model.stream(prompt.request) as pieces:
        async for piece in pieces:
            if isinstance(piece, Reply):
                spent_ms = kit.clock.now_ms() - began
                record.spent(piece.usage, spent_ms)
                session.last = _last_call(model, piece, spent_ms)
                view.scale = view.scale.learn(prompt.size, piece.usage.prompt)
                return piece
            if not piece.thought and piece.text:
                record.text(piece.text)
    raise ModelGarbled("the model's answer ended without an end", "ask again")


async def _view(kit: Kit, session: Session, request: TurnRequest, model: Model) -> View:
    """The fixed part is written once a conversation, model and skin: its bytes never change."""
    key = view_key(model, request)
    if key not in session.views:
        sections = await kit.opening.sections(model.profile, request, session)
        guess = Scale(_SMALL_VOCABULARY if model.profile == "native" else _BYTES_PER_TOKEN)
        view = View(sections, scale=guess, key=key)
        await kit.compaction.restore(session, view, model.window)
        session.views[key] = view
    return session.views[key]


def _last_call(model: Model, reply: Reply, spent_ms: int) -> LastCall:
    usage = reply.usage
    return LastCall(
        model=model.name,
        window=model.window,
        used=usage.prompt + usage.completion,
        cached=usage.cached,
        tokens_per_s=round(1000 * usage.completion / max(1, spent_ms), 1),
    )


def _said(kit: Kit, session: Session, request: TurnRequest, reply: Reply) -> Message:
    parts: list[Part] = [Text(reply.text)] if reply.text or not reply.calls else []
    parts += (ToolCall(_call_id(), call.name, call.arguments) for call in reply.calls)
    return session.write(kit.clock, request.turn_id, "assistant", tuple(parts), reply.raw)


def _call_id() -> CallId:
    """Servers repeat their ids; ours are unique (nine letters: some templates insist)."""
    return CallId("".join(secrets.choice(_ID_LETTERS) for _ in range(9)))


def _unreadable(why: str) -> ToolResult:
    text = f"error: the tool call could not be read: {why}; send it again as valid JSON"
    return ToolResult(CallId(""), "", text, ok=False)
