"""Answers that are a call and nothing else: bare JSON, fenced JSON, `[f(a="b")]`.

Nothing marks these as calls, so they count only when they are the whole answer and name
offered tools; anything else is an answer that happens to look so.
"""

import re
from collections.abc import Container

from hermes.models.calls_json import MOST, Call, Read, encoded, read_objects
from hermes.models.loose import Loose, Unreadable

_EDGES = re.compile(r"\s*(?:<\|python_tag\|>|\[TOOL_CALLS\])?\s*")
_END = re.compile(r"\s*(?:<\|[a-z_]{1,32}\|>|</s>|<end_of_turn>)?\s*\Z")
_FENCED = re.compile(r"(```+)[ \t]*(?:json|JSON|tool_calls?|tool_code)?[ \t]*\n\s*")
_FENCE_END = re.compile(r"\s*```+")
_NAMED = re.compile(
    r"[\"']?(?:name|function|tool)[\"']?\s*:\s*(?:\{\s*[\"']?name[\"']?\s*:\s*)?[\"']([\w.-]+)[\"']"
)
_CALLED = re.compile(r"\s*([A-Za-z_][\w.-]{0,127})\s*(?=\()")
_SEEMS = re.compile(r"\{|\[\s*[{A-Za-z_]")
_LIST = re.compile(r"\[\s*[A-Za-z_]")
_HEAD = 400  # characters within which a broken call must name its tool


def read_whole(text: str, names: Container[str]) -> Read | None:
    """Read an answer that is only calls; None where it is something else.

    Raises Unreadable where it clearly calls an offered tool and can't be read.
    """
    edge = _EDGES.match(text)
    start = edge.end() if edge else 0
    fence = _FENCED.match(text, start)
    start = fence.end() if fence else start
    if not _SEEMS.match(text, start):
        return None
    called = bool(_LIST.match(text, start))
    try:
        read = _brackets(text, start, names) if called else read_objects(text, start)
    except ValueError as error:
        head = text[start : start + _HEAD]
        named = _CALLED.match(head, 1) if called else _NAMED.search(head)
        if named and named[1] in names:
            raise Unreadable(str(error)) from error
        return None
    return _alone(text, read, names, fenced=bool(fence))


def _alone(text: str, read: Read, names: Container[str], *, fenced: bool) -> Read | None:
    end = read.end
    if fenced and (closing := _FENCE_END.match(text, end)):
        end = closing.end()
    if not _END.match(text, end) or not read.calls:
        return None
    if not all(call.name in names for call in read.calls):
        return None
    return Read(read.calls, end, read.closed)


def _brackets(text: str, start: int, names: Container[str]) -> Read:
    """`[f(a="b"), g()]` as Llama and LFM write it."""
    calls: list[Call] = []
    loose = Loose(text, start)
    loose.expect("[")
    while name := _CALLED.match(text, loose.pos):
        if name[1] not in names or len(calls) >= MOST:
            raise Unreadable(f"more than {MOST} calls, or one to {name[1]!r}")
        loose.pos = name.end()
        calls.append(Call(name[1], encoded(loose.pairs("(", ")", "="))))
        if loose.peek() != ",":
            break
        loose.pos += 1
    if loose.peek():
        loose.expect("]")
    else:
        loose.closed = False
    return Read(calls, loose.pos, loose.closed)
