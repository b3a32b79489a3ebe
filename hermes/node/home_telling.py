"""A turn's events on their way back to the node where it was asked for: in order, in batches.

One batch is on its way at a time; what happens meanwhile is in the next one, its words joined.
"""

import secrets
from collections.abc import Iterable

import anyio
import msgspec

from hermes.core.event import Event, Json, TextDelta, is_final, to_plain
from hermes.node.home_letters import EVENTS, Mail, Told

_PATIENCE_S = 10.0  # then the next batch goes, too: the lane keeps the order
_BATCH_BYTES = 200_000
_LONGEST = 100_000
_MOST = 2_000


class Telling:
    """The events of one turn for one node; `run` ends after the final one was sent."""

    def __init__(self, mail: Mail, to: str, turn: str, conversation: str) -> None:
        self._mail = mail
        self._to = to
        self._turn = turn
        self._conversation = conversation
        self._events: list[Event] = []
        self._news = anyio.Event()
        self._over = False
        self._run = secrets.token_hex(8)
        self._number = 0

    def tell(self, event: Event) -> None:
        """Say this next; never waits."""
        last = self._events[-1] if self._events else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            self._events[-1] = msgspec.structs.replace(event, text=last.text + event.text)
        elif len(self._events) < _MOST or is_final(event):
            self._events.append(event)
        self._over = self._over or is_final(event)
        self._news.set()

    async def run(self) -> None:
        """Send, to who is still a member."""
        while not self._over or self._events:
            await self._news.wait()
            if not self._mail.admits(self._to):
                return
            self._news = anyio.Event()
            due, self._events = self._events, []
            for batch in batches(due):
                self._number += 1
                told = Told(self._turn, self._conversation, self._run, self._number, batch)
                letter = await self._mail.send(
                    self._to, EVENTS, told, self._conversation, self._turn
                )
                if not self._over:
                    with anyio.move_on_after(_PATIENCE_S):
                        await self._mail.post.outcome(letter)


def batches(events: Iterable[Event]) -> list[tuple[dict[str, Json], ...]]:
    """Events as JSON, in so many batches that each fits a letter."""
    found: list[list[dict[str, Json]]] = []
    size = _BATCH_BYTES
    for event in events:
        plain = to_plain(event)
        for name in ("text", "result", "diff", "arguments", "error", "rule"):
            plain |= {name: _short(plain[name])} if name in plain else {}
        length = len(msgspec.json.encode(plain))
        if size + length > _BATCH_BYTES:
            found.append([])
            size = 0
        found[-1].append(plain)
        size += length
    return [tuple(batch) for batch in found]


def _short(value: Json) -> Json:
    """What would fill a letter alone is cut: the conversation's own record is whole."""
    whole = msgspec.json.encode(value)
    if len(whole) <= _LONGEST:
        return value
    text = (value if isinstance(value, str) else whole.decode())[:_LONGEST]
    if len(msgspec.json.encode(text)) > 2 * _LONGEST:  # what is escaped takes six times as much
        text = text[: _LONGEST // 4]
    return f"{text} […]"
