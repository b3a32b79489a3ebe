"""What of a conversation a window can hold: bulky results go first, whole old turns next.

Then what the model itself wrote, and the first steps of a long turn. Pure: `fit` decides,
`apply_cut` carries it out. A cut only grows, and it cuts deeper than it must, so that the
prefix then stays byte-stable for many turns.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from hermes.core.model import ChatMessage
from hermes.prompt.shorten import shortened

_DEPTH = 0.7  # how full the window is after a cut
_SHORT = 240  # characters that stay of a shortened result
_LEAST = 400  # characters that stay of what is being talked about now
_NOTE = "[Earlier turns left out here; they are stored and SessionSearch finds them.]"
_GAP_NOTE = "[The first steps of the work on this are left out here; they are done.]"


class Cut(msgspec.Struct, frozen=True):
    """Where the view is shortened, in messages from the start.

    Results before `results` are shortened, what the model wrote before `written` too;
    messages before `dropped` are left out, and those of one long turn from `gap` to
    `gap_end`; no single content is longer than `longest` characters (0: any length).
    `digest` stands for the messages before `told`, `gap_digest` for those of the long turn
    before `gap_told`; `by`: who wrote them.
    """

    results: int = 0
    dropped: int = 0
    longest: int = 0
    written: int = 0
    gap: int = 0
    gap_end: int = 0
    digest: str = ""
    told: int = 0
    gap_digest: str = ""
    gap_told: int = 0
    by: str = ""

    @property
    def untold(self) -> bool:
        """Whether something is left out that no digest tells of."""
        return self.dropped > self.told or self.gap_end > max(self.gap_told, self.dropped)


_WHOLE = Cut()


class Scale(msgspec.Struct, frozen=True):
    """How many bytes make a token for a model; learnt from what servers report."""

    bytes_per_token: float

    def tokens(self, count: int) -> int:
        """Estimate the tokens of `count` bytes, rounded up."""
        return int(count / self.bytes_per_token) + 1

    def learn(self, count: int, tokens: int) -> "Scale":
        """Take a report: `count` bytes were `tokens` tokens. Tiny prompts teach nothing."""
        if tokens < 32:  # noqa: PLR2004 - below, the template's own tokens dominate
            return self
        return Scale(min(8.0, max(0.5, count / tokens)))


def size_of(message: ChatMessage) -> int:
    """Bytes of a message as they count for the window."""
    shown = () if message.raw else message.calls
    calls = sum(len(call.name) + _bytes(call.arguments) + 40 for call in shown)
    return _bytes(message.content) + calls + 16


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def apply_cut(messages: Sequence[ChatMessage], cut: Cut) -> tuple[ChatMessage, ...]:
    """Shorten a conversation as the cut says."""
    if cut == _WHOLE:
        return tuple(messages)
    shown = [
        _as_cut(message, index, cut)
        for index, message in enumerate(messages)
        if index >= cut.dropped and not cut.gap <= index < cut.gap_end
    ]
    if cut.dropped and shown and shown[0].role == "user":
        note = _note(cut.digest, _NOTE, told=cut.told >= cut.dropped)
        shown[0] = _with(shown[0], f"{note}\n{shown[0].content}")
    before = cut.gap - 1 - cut.dropped
    if cut.gap_end and before >= 0:
        note = _note(cut.gap_digest, _GAP_NOTE, told=cut.gap_told >= cut.gap_end)
        shown[before] = _with(shown[before], f"{shown[before].content}\n{note}")
    return tuple(shown)


def _note(digest: str, note: str, *, told: bool) -> str:
    """What stands for messages that are left out; the digest may know only the first of them."""
    return digest if digest and told else f"{digest}\n{note}".strip()


def _as_cut(message: ChatMessage, index: int, cut: Cut) -> ChatMessage:
    end = {"tool": cut.results, "assistant": cut.written}.get(message.role, 0)
    if index < end:
        return shortened(message, _SHORT)
    return shortened(message, cut.longest) if cut.longest else message


def _with(message: ChatMessage, content: str) -> ChatMessage:
    return msgspec.structs.replace(message, content=content)


def taken(messages: Sequence[ChatMessage], before: Cut, after: Cut) -> tuple[int, int]:
    """Count what a grown cut takes away: results shortened, turns left out."""
    results = sum(
        message.role == "tool" and shortened(message, _SHORT) is not message
        for message in messages[before.results : after.results]
    )
    turns = sum(_opens_a_turn(m) for m in messages[before.dropped : after.dropped])
    return results, turns


def fit(messages: Sequence[ChatMessage], budget: int, cut: Cut, *, soft: bool = False) -> Cut:
    """Grow the cut until the messages take at most `budget` bytes; budget > 0.

    What belongs to the newest turn is never dropped, only shortened; if even that does not
    fit, the smallest view there is comes back. Linear in the number of messages. A `soft`
    cut takes all bulky results before it leaves a turn out, and shortens nothing to the bone.
    """
    if _size(messages, cut) <= budget:
        return cut
    target = int(budget * _DEPTH)
    newest = max((i for i, m in enumerate(messages) if _opens_a_turn(m)), default=0)
    last_step = max((i for i, m in enumerate(messages) if m.role == "assistant"), default=newest)
    read = len(messages) if soft else last_step  # a soft cut is shown once more was said
    ways: tuple[Callable[[Cut], Cut], ...] = (
        lambda cut: _shorten(messages, target, cut, "results", newest),
        lambda cut: _drop_turns(messages, target, cut, newest),
        lambda cut: _shorten(messages, target, cut, "results", read),
        lambda cut: _shorten(messages, target, cut, "written", read),
        lambda cut: _leave_out_steps(messages, target, cut, (newest + 1, last_step)),
    )
    for way in (ways[0], ways[2], ways[1], *ways[3:]) if soft else ways:
        cut = way(cut)
        if _size(messages, cut) <= budget:
            return cut
    if soft:
        return cut
    cut = msgspec.structs.replace(cut, digest="", told=0, gap_digest="", gap_told=0)
    longest = max(map(_longest, messages), default=0)
    while _size(messages, cut) > budget and longest > _LEAST:
        longest = max(_LEAST, longest // 2)
        cut = msgspec.structs.replace(cut, longest=longest)
    return cut


def _longest(message: ChatMessage) -> int:
    return max(len(message.content), *(len(call.arguments) for call in message.calls), 0)


def _shorten(
    messages: Sequence[ChatMessage],
    target: int,
    cut: Cut,
    what: Literal["results", "written"],
    end: int,
) -> Cut:
    """Move a mark on, message by message, until enough is saved."""
    role = {"results": "tool", "written": "assistant"}[what]
    total, index = _size(messages, cut), getattr(cut, what)
    while index < end and total > target:
        if index >= cut.dropped and messages[index].role == role:
            total -= size_of(messages[index]) - size_of(shortened(messages[index], _SHORT))
        index += 1
    return msgspec.structs.replace(cut, **{what: index})


def _leave_out_steps(
    messages: Sequence[ChatMessage], target: int, cut: Cut, steps: tuple[int, int]
) -> Cut:
    """Leave out the first steps of the newest turn, whole ones, never its last."""
    start, last = steps
    end = cut.gap_end if cut.gap == start else start
    total = _size(messages, msgspec.structs.replace(cut, gap=start, gap_end=end))
    for index in range(end, last):
        total -= size_of(_as_cut(messages[index], index, cut))
        if messages[index + 1].role == "assistant":
            end = index + 1
            if total <= target:
                break
    return msgspec.structs.replace(cut, gap=start, gap_end=end) if end > start else cut


def _drop_turns(messages: Sequence[ChatMessage], target: int, cut: Cut, newest: int) -> Cut:
    sizes = [
        0 if cut.gap <= index < cut.gap_end else size_of(_as_cut(message, index, cut))
        for index, message in enumerate(messages)
    ]
    total, dropped = sum(sizes[cut.dropped :]), cut.dropped
    for index in range(cut.dropped, newest):
        if _opens_a_turn(messages[index]) and total <= target:
            break
        total -= sizes[index]
        dropped = index + 1
    return msgspec.structs.replace(cut, dropped=dropped)


def _opens_a_turn(message: ChatMessage) -> bool:
    """Whether a person says it; a named one answers a call that could not be read."""
    return message.role == "user" and not message.name


def _size(messages: Sequence[ChatMessage], cut: Cut) -> int:
    return sum(size_of(message) for message in apply_cut(messages, cut))
