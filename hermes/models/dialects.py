"""Tool calls out of generated text, where a server does not parse them itself.

Seven dialects that local models really write (notes/agents.md §6). Only text that the model
generated is ever given to this; what it merely quotes, in a code fence amid prose or in
backticks, is no call. It does not judge whether a call is wise: that is policy's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ToolSpec
from hermes.models.calls_json import MOST, Call, Read
from hermes.models.calls_tags import Schemas, read_tag
from hermes.models.calls_whole import read_whole
from hermes.models.loose import Unreadable
from hermes.models.quoting import MARKS, find_mark

_CUT = "it was cut off where the answer reached its token limit"


@dataclass(frozen=True)
class Parsed:
    """What a text says and calls. `malformed` says why a call can't be read; no calls then."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    malformed: str = ""


def parse(text: str, tools: Sequence[ToolSpec], *, cut: bool = False) -> Parsed:
    """Take the calls out of a generated text.

    Args:
        text: what the model generated, without its thoughts.
        tools: what it was offered; without tools nothing is a call.
        cut: whether the answer reached its token limit: an unfinished call is then no call.
    """
    if not tools:
        return Parsed(text)
    schemas = {tool.name: tool.parameters for tool in tools}
    try:
        whole = read_whole(text, schemas)
        if whole:
            return Parsed("", _calls(_checked(whole, cut=cut).calls))
    except Unreadable as error:
        return Parsed("", malformed=str(error))
    return _tagged(text, schemas, cut=cut)


def _tagged(text: str, schemas: Schemas, *, cut: bool) -> Parsed:
    if not any(mark in text for mark in MARKS):
        return Parsed(text)
    said: list[str] = []
    calls: list[Call] = []
    pos = after = 0
    while (start := find_mark(text, after)) is not None:
        try:
            read = read_tag(text, start, schemas)
            if read is None:
                after = start + 1
                continue
            calls += _checked(read, cut=cut).calls
            if len(calls) > MOST:
                raise Unreadable(f"more than {MOST} calls in one message")
        except ValueError as error:
            return Parsed("".join((*said, text[pos:start])).rstrip(), malformed=str(error))
        said.append(text[pos:start])
        pos = after = read.end
    said.append(text[pos:])
    spoken = "".join(said)
    return Parsed(spoken.rstrip() if calls else spoken, _calls(calls))


def _checked(read: Read, *, cut: bool) -> Read:
    if cut and not read.closed:
        raise Unreadable(_CUT)
    return read


def _calls(found: Sequence[Call]) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(CallId(f"call_{number}"), call.name, call.arguments)
        for number, call in enumerate(found)
    )
