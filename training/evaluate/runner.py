"""Puts cases to a model, several at once, and keeps what came back with its times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import msgspec

from hermes.core.model import ModelRequest, Reply
from hermes.errors import (
    HermesError,
    ModelError,
    ModelFailed,
    ModelGarbled,
    ModelOverflow,
    ModelRefused,
    ModelTimedOut,
)
from hermes.models.dialects import parse
from hermes.models.model import Model
from hermes.prompt.sections import IDENTITY, Voice, fixed_sections
from training.evaluate.cases import Case
from training.evaluate.offered import offered
from training.evaluate.score import Verdict, judge

_MOST_TOKENS = 512
_ONE_ANSWER = (ModelFailed, ModelGarbled, ModelOverflow, ModelRefused, ModelTimedOut)
_ROOT = Path("/project")
_HOW = (
    "Tools, as JSON schemas:\n{tools}\n"
    "To call one, answer only with\n"
    '<tool_call>\n{{"name": "…", "arguments": {{…}}}}\n</tool_call>'
)


@dataclass(frozen=True)
class Answered:
    """A case and what became of it; times in ms, `error` where there was no answer."""

    case: Case
    verdict: Verdict
    reply: Reply
    first_ms: float = 0.0
    total_ms: float = 0.0
    error: str = ""


async def run_cases(
    model: Model, cases: Sequence[Case], *, grammar: bool = True, at_once: int = 1
) -> list[Answered]:
    """Answer every case, in their order; raises ModelError when the model itself is gone.

    Without `grammar` no tools are sent: what looks like a call in the text is read as one.
    """
    answers: dict[int, Answered] = {}
    lost: list[HermesError] = []

    async def work(queue: Iterator[tuple[int, Case]]) -> None:
        for index, case in queue:
            try:
                answers[index] = await ask(model, case, grammar=grammar)
            except ModelError as error:
                lost.append(error)
                tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        queue = iter(enumerate(cases))
        for _ in range(max(1, at_once)):
            tasks.start_soon(work, queue)
    if lost:
        raise lost[0]
    return [answers[index] for index in range(len(cases))]


async def ask(model: Model, case: Case, *, grammar: bool = True) -> Answered:
    """Put one case; an answer that fails is a wrong one; raises ModelError for a lost model."""
    began = first = anyio.current_time()
    reply, error = Reply(""), ""
    try:
        async with model.stream(request_of(model, case, grammar=grammar)) as pieces:
            first = anyio.current_time()
            async for piece in pieces:
                reply = piece if isinstance(piece, Reply) else reply
    except _ONE_ANSWER as failed:
        error = failed.message
    end = anyio.current_time()
    reply = reply if grammar else read_calls(reply)
    verdict = Verdict(exact=False, tool=False, valid=False) if error else judge(case, reply)
    return Answered(case, verdict, reply, (first - began) * 1e3, (end - began) * 1e3, error)


def request_of(model: Model, case: Case, *, grammar: bool) -> ModelRequest:
    """What the model gets: its profile's prompt, the case, and the tools it is offered."""
    own = [line for line in case.system.split("\n") if line and line != IDENTITY]
    sections = fixed_sections(model.profile, Voice(IDENTITY), (), str(_ROOT), ())
    parts = ["\n\n".join(section.text for section in sections), "\n".join(own)]
    specs = offered().specs
    if not grammar and model.profile != "native":
        parts.append(_HOW.format(tools=msgspec.json.encode(specs).decode()))
    return ModelRequest(
        system="\n\n".join(part for part in parts if part),
        messages=case.messages,
        tools=specs if grammar else (),
        max_tokens=min(_MOST_TOKENS, model.window // 4),
    )


def read_calls(reply: Reply) -> Reply:
    """The calls in an answer that was generated without a grammar."""
    parsed = parse(reply.text, offered().specs, cut=reply.finish == "length")
    return msgspec.structs.replace(
        reply, text=parsed.text, calls=parsed.calls, malformed=parsed.malformed
    )
