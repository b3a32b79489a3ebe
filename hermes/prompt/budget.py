"""What of a conversation a window can hold: bulky results go first, whole old turns next.

Pure: `fit` decides, `apply_cut` carries it out. A cut only grows, and it cuts deeper than it
must, so that the prefix then stays byte-stable for many turns.
"""

from collections.abc import Sequence

import msgspec

from hermes.core.model import ChatMessage

_DEPTH = 0.7  # how full the window is after a cut
_SHORT = 240  # characters that stay of a shortened result
_LEAST = 400  # characters that stay of what is being talked about now
_NOTE = "[Earlier turns left out here; they are stored and SessionSearch finds them.]"


class Cut(msgspec.Struct, frozen=True):
    """Where the view is shortened, in messages from the start.

    Results before `results` are shortened; messages before `dropped` are left out; no
    single content after that is longer than `longest` characters (0: any length).
    """

    results: int = 0
    dropped: int = 0
    longest: int = 0


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
    calls = sum(len(call.name) + len(call.arguments.encode()) + 40 for call in shown)
    return len(message.content.encode()) + calls + 16


def apply_cut(messages: Sequence[ChatMessage], cut: Cut) -> tuple[ChatMessage, ...]:
    """Shorten a conversation as the cut says."""
    kept = [
        _shortened(message, _SHORT)
        if message.role == "tool" and index < cut.results
        else _shortened(message, cut.longest)
        if cut.longest
        else message
        for index, message in enumerate(messages)
        if index >= cut.dropped
    ]
    if cut.dropped and kept and kept[0].role == "user":
        first = kept[0]
        kept[0] = msgspec.structs.replace(first, content=f"{_NOTE}\n{first.content}")
    return tuple(kept)


def taken(messages: Sequence[ChatMessage], before: Cut, after: Cut) -> tuple[int, int]:
    """Count what a grown cut takes away: results shortened, turns left out."""
    results = sum(
        message.role == "tool" and _shortened(message, _SHORT) is not message
        for message in messages[before.results : after.results]
    )
    turns = sum(m.role == "user" for m in messages[before.dropped : after.dropped])
    return results, turns


def fit(messages: Sequence[ChatMessage], budget: int, cut: Cut) -> Cut:
    """Grow the cut until the messages take at most `budget` bytes; budget > 0.

    What belongs to the newest turn is never dropped, only shortened; if even that does not
    fit, the smallest view there is comes back. Linear in the number of messages.
    """
    if _size(messages, cut) <= budget:
        return cut
    target = int(budget * _DEPTH)
    newest = max((i for i, m in enumerate(messages) if m.role == "user"), default=0)
    last_step = max((i for i, m in enumerate(messages) if m.role == "assistant"), default=newest)
    cut = _shorten_results(messages, target, cut, newest)
    if _size(messages, cut) > budget:
        cut = _drop_turns(messages, target, cut, newest)
    if _size(messages, cut) > budget:
        cut = _shorten_results(messages, target, cut, last_step)
    longest = max((len(m.content) for m in messages), default=0)
    while _size(messages, cut) > budget and longest > _LEAST:
        longest = max(_LEAST, longest // 2)
        cut = msgspec.structs.replace(cut, longest=longest)
    return cut


def _shorten_results(messages: Sequence[ChatMessage], target: int, cut: Cut, end: int) -> Cut:
    total, index = _size(messages, cut), cut.results
    while index < end and total > target:
        if index >= cut.dropped and messages[index].role == "tool":
            total -= size_of(messages[index]) - size_of(_shortened(messages[index], _SHORT))
        index += 1
    return msgspec.structs.replace(cut, results=index)


def _drop_turns(messages: Sequence[ChatMessage], target: int, cut: Cut, newest: int) -> Cut:
    sizes = [
        size_of(message) for message in apply_cut(messages, msgspec.structs.replace(cut, dropped=0))
    ]
    total, dropped = sum(sizes[cut.dropped :]), cut.dropped
    for index in range(cut.dropped, newest):
        if messages[index].role == "user" and total <= target:
            break
        total -= sizes[index]
        dropped = index + 1
    return msgspec.structs.replace(cut, dropped=dropped)


def _size(messages: Sequence[ChatMessage], cut: Cut) -> int:
    return sum(size_of(message) for message in apply_cut(messages, cut))


def _shortened(message: ChatMessage, limit: int) -> ChatMessage:
    text = message.content
    if len(text) <= limit + 40:
        return message
    head = limit * 2 // 3
    kept = f"{text[:head]}\n[{len(text) - limit} characters left out]\n{text[head - limit :]}"
    return msgspec.structs.replace(message, content=kept)
