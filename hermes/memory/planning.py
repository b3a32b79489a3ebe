"""From a long conversation to the shorter view of it: pure, so that it can run in a thread.

The digests are always made from the messages themselves, which stay where they are; a
model's summary stands in for the lines of the very messages it was written about.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from hermes.core.message import Message
from hermes.core.model import ChatMessage
from hermes.memory.digest import Left, Typed, digest_of
from hermes.prompt.budget import Cut, apply_cut, fit, size_of
from hermes.prompt.builder import chat_messages

SOFT = 0.7
"""How full the room is when a shorter view is prepared."""

_DEPTH = 0.64  # how full it may be afterwards; `fit` goes deeper than that
_DEEPER = 0.8
_DIGEST_SHARE = 8  # of the room, for both digests
_DIGEST_MOST = 4_000

BY_RULES = "rules"
"""Who wrote a digest that no model had a hand in."""

Part = Literal["turns", "steps"]


class Told(NamedTuple):
    """A summary of the messages from `start` up to `end`, as they are stored."""

    start: int
    end: int
    text: str
    by: str


class Plan(NamedTuple):
    """A cut, what it wins in bytes, and the spans of stored messages that it leaves out."""

    cut: Cut
    won: int
    spans: Mapping[Part, tuple[int, int]]
    digest_room: int


def plan_cut(
    messages: Sequence[Message], room: int, base: Cut, told: Mapping[Part, Told], typed: Typed
) -> Plan:
    """Grow a cut to well below `room` bytes and write down what it leaves out.

    Args:
        messages: the conversation.
        room: bytes that a window has for messages.
        base: the cut that is shown now.
        told: summaries that there are.
        typed: how much of each turn's words is the person's own.
    """
    chats: list[ChatMessage] = []
    places: list[int] = []  # of each chat message, the stored message
    for index, message in enumerate(messages):
        parts = chat_messages(message)
        chats += parts
        places += [index] * len(parts)
    places.append(len(messages))
    digests = min(_DIGEST_MOST, room // _DIGEST_SHARE)
    bare = msgspec.structs.replace(base, digest="", told=0, gap_digest="", gap_told=0)
    most = room * _DEPTH
    if base.untold:  # deep enough that the digests find room
        most = min(most, _size(chats, base) * _DEEPER)
    cut = fit(chats, max(1, int(most) - digests), bare, soft=True)
    spans: dict[Part, tuple[int, int]] = {}
    if cut.dropped:
        spans["turns"] = (0, places[cut.dropped])
    if cut.gap_end > max(cut.gap, cut.dropped):
        spans["steps"] = (places[cut.gap], places[cut.gap_end])
    cut = _unchanged(base, with_digests(messages, cut, spans, told, digests, typed))
    won = _size(chats, base) - _size(chats, cut)
    return Plan(cut, won, spans, digests)


def _unchanged(base: Cut, cut: Cut) -> Cut:
    """Leave a digest as it is that tells of the same messages: each new byte costs the prefix."""
    if cut.by not in {BY_RULES, base.by}:
        return cut  # a model's words are to come in
    if base.digest and base.told == cut.told:
        cut = msgspec.structs.replace(cut, digest=base.digest, by=base.by)
    if base.gap_digest and (base.gap, base.gap_told) == (cut.gap, cut.gap_told):
        cut = msgspec.structs.replace(cut, gap_digest=base.gap_digest, by=base.by)
    return cut


def retold(messages: Sequence[Message], plan: Plan, told: Mapping[Part, Told], typed: Typed) -> Cut:
    """A plan's cut with the summaries that have come; as it was where they cost what it wins."""
    cut = with_digests(messages, plan.cut, plan.spans, told, plan.digest_room, typed)
    return cut if _told(cut) - _told(plan.cut) < plan.won else plan.cut


def _told(cut: Cut) -> int:
    return len(cut.digest.encode()) + len(cut.gap_digest.encode())


def with_digests(
    messages: Sequence[Message],
    cut: Cut,
    spans: Mapping[Part, tuple[int, int]],
    told: Mapping[Part, Told],
    most: int,
    typed: Typed,
) -> Cut:
    """Put into a cut what stands for the messages that it leaves out."""
    used = {
        part: one
        for part, one in told.items()
        if part in spans and one.start == spans[part][0] and one.end <= spans[part][1]
    }
    words = {
        part: digest_of(_left(messages, span, used.get(part), typed), part, most // len(spans))
        for part, span in spans.items()
    }
    return msgspec.structs.replace(
        cut,
        digest=words.get("turns", ""),
        told=cut.dropped,
        gap_digest=words.get("steps", ""),
        gap_told=cut.gap_end,
        by=next((one.by for one in used.values()), BY_RULES),
    )


def _left(
    messages: Sequence[Message], span: tuple[int, int], told: Told | None, typed: Typed
) -> Left:
    start, end = span
    if told is None:
        return Left(messages[start:end], typed)
    return Left(messages[start:end], typed, told.text, told.end - start)


def _size(chats: Sequence[ChatMessage], cut: Cut) -> int:
    return sum(map(size_of, apply_cut(chats, cut)))
