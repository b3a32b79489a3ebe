"""What lies in which slot of a running engine, and what of it is worth saving or restoring.

Apart from the keeper because it decides and does nothing. The engine does not say which slot a
request went to: a slot's newest task is the request that ended last. Where that guess is wrong
a state gets the wrong label, and a later restore of it spares nothing.
"""

from dataclasses import dataclass, field

from hermes.models.prefixes_chain import Chain, shared_bytes, shared_tokens
from hermes.models.prefixes_index import Prefix
from hermes.models.prefixes_slots import Slot

_WORTH = 128  # tokens that a save or a restore must spare
_SHARE = 8  # of a file that is read, at least the eighth part must be of use
_ABOUT = 0.9
_BYTES_PER_TOKEN = 3

Saved = tuple[Prefix, ...]


@dataclass(eq=False)
class Held:
    """What lies in a slot. `at`: the order of use."""

    chain: Chain
    tokens: int
    at: int
    saved: bool = False


@dataclass(eq=False)
class Asked:
    """A request that runs or has just ended. `chain` empty: it failed."""

    chain: Chain
    number: int


@dataclass(eq=False)
class SlotBook:
    """The books of one life of an engine. `requests`: how many there were."""

    held: dict[int, Held] = field(default_factory=dict)
    requests: int = 0
    _seen: dict[int, int] = field(default_factory=dict)
    _running: list[Asked] = field(default_factory=list)
    _ended: list[Asked] = field(default_factory=list)

    @property
    def is_busy(self) -> bool:
        """Whether a request runs."""
        return bool(self._running)

    @property
    def is_behind(self) -> bool:
        """Whether a request has ended whose slot is not known."""
        return bool(self._ended)

    def begin(self, chain: Chain) -> Asked:
        """A request goes to the engine."""
        self.requests += 1
        asked = Asked(chain, self.requests)
        self._running.append(asked)
        return asked

    def end(self, asked: Asked) -> None:
        """It is over."""
        self._running.remove(asked)
        self._ended.append(asked)

    def attribute(self, slots: list[Slot]) -> None:
        """Find the slots of the requests that ended."""
        idle = (slot for slot in slots if not slot.is_processing)
        fresh = [slot for slot in idle if slot.id_task != self._seen.get(slot.id, -1)]
        self._ended.sort(key=lambda asked: asked.number)
        for slot in sorted(fresh, key=lambda slot: -slot.id_task):
            self.empty(slot)
            asked = self._ended.pop() if self._ended else None
            if asked is not None and asked.chain:
                self.held[slot.id] = Held(asked.chain, slot.n_prompt_tokens, asked.number)
        if not any(slot.is_processing for slot in slots):
            self._ended.clear()  # others came after them into the same slot

    def empty(self, slot: Slot) -> None:
        """Nothing is known of a slot any more."""
        self._seen[slot.id] = slot.id_task
        self.held.pop(slot.id, None)

    def fill(self, slot: Slot, prefix: Prefix, tokens: int) -> None:
        """A saved state was put into a slot."""
        self.held[slot.id] = Held(prefix.chain, tokens, self.requests, saved=True)

    def free(self, slots: list[Slot]) -> Slot | None:
        """A slot for a restore: an unused one, else the one used longest ago.

        None while a request has not found its own yet: it might be that very slot.
        """
        if sum(slot.is_processing for slot in slots) < len(self._running):
            return None
        idle = [slot for slot in slots if not slot.is_processing]
        return min(idle, key=self._age, default=None)

    def best(self, chain: Chain, saved: Saved) -> Prefix | None:
        """The saved state that spares by far more than any slot would; the smallest of equals."""
        spared = [(shared_tokens(chain, one.chain, one.tokens), one) for one in saved]
        most = max((tokens for tokens, _ in spared), default=0)
        gained = most * _ABOUT - self._warm(chain)
        near = [one for tokens, one in spared if tokens >= most * _ABOUT]
        best = min(near, key=lambda one: one.size, default=None)
        if best is None or gained < _WORTH or gained * _SHARE < best.tokens:
            return None
        return best

    def is_worth_saving(self, held: Held, saved: Saved) -> bool:
        """Whether a slot holds enough that is on no disk."""
        known = (shared_tokens(held.chain, one.chain, one.tokens) for one in saved)
        return held.tokens - max(known, default=0) >= _WORTH

    def _warm(self, chain: Chain) -> int:
        """Tokens that the engine has evaluated already."""
        lies = (shared_tokens(chain, one.chain, one.tokens) for one in self.held.values())
        comes = (shared_bytes(chain, one.chain) for one in (*self._running, *self._ended))
        return max(max(lies, default=0), max(comes, default=0) // _BYTES_PER_TOKEN)

    def _age(self, slot: Slot) -> int:
        return self.held[slot.id].at if slot.id in self.held else -1
