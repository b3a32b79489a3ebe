"""Whether an answer is right: the very calls with the very arguments, the very words, or no call.

An optional argument that equals its default may be absent, as the runtime reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hermes.core.event import Json
from hermes.core.message import ToolCall
from hermes.core.model import Reply
from training.evaluate.cases import Case
from training.evaluate.messages import arguments_of
from training.evaluate.offered import offered

Known = tuple[str, bytes]
"""A call with its arguments filled in and in order: equal where the runtime would do the same."""


@dataclass(frozen=True)
class Verdict:
    """What is right about an answer.

    `exact`: all of it. `tool`: the names. `called`: it calls, or began to. `valid`: every call
    could be read, names a tool that was offered and has the arguments that it wants.
    """

    exact: bool
    tool: bool
    called: bool = False
    valid: bool = True


def judge(case: Case, reply: Reply) -> Verdict:
    """Judge an answer."""
    called = bool(reply.calls or reply.malformed)
    made = [_made(call) for call in reply.calls]
    valid = not reply.malformed and all(known is not None for known in made)
    if case.words or case.said:
        return Verdict(not called and _says(case, reply.text), not called, called, valid)
    names = sorted(call.name for call in reply.calls)
    tool = not reply.malformed and any(
        names == sorted(call.tool for call in calls) for calls in case.accept
    )
    done = sorted(known for known in made if known is not None)
    exact = valid and any(
        done == sorted(_known(call.tool, call.args) for call in calls) for calls in case.accept
    )
    return Verdict(exact, tool, called, valid)


def rate(marks: Sequence[bool]) -> float | None:
    """The share that is true; None of nothing."""
    return sum(marks) / len(marks) if marks else None


def _says(case: Case, text: str) -> bool:
    if case.said:
        return text.strip() == case.said.strip()
    return any(word.casefold() in text.casefold() for word in case.words)


def _made(call: ToolCall) -> Known | None:
    """A call that was made; None where the runtime would refuse it."""
    arguments = arguments_of(call)
    if arguments is None:
        return None
    filled = _filled(call.name, arguments)
    return None if filled is None else (call.name, filled)


def _known(tool: str, args: dict[str, Json]) -> Known:
    """A call that was expected; one of a tool that is not ours stays as it is written."""
    filled = _filled(tool, args)
    return tool, msgspec.json.encode(args, order="deterministic") if filled is None else filled


def _filled(tool: str, args: dict[str, Json]) -> bytes | None:
    kind = offered().arguments.get(tool)
    if kind is None or not args.keys() <= {field.name for field in msgspec.structs.fields(kind)}:
        return None
    given = {name: value for name, value in args.items() if value is not None}
    try:
        return msgspec.json.encode(msgspec.convert(given, kind, strict=False), order="sorted")
    except msgspec.ValidationError:
        return None
