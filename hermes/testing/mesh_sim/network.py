"""A network with a virtual clock: every message may be lost, delayed, doubled or cut off.

One seed, one course: all chance comes from one generator, all order from one queue.
"""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

_ENCODER = msgspec.json.Encoder()
SEAL_BYTES = 1_700
"""What two wraps (NIP-59) add to any message, measured; and they write it in base64 twice."""


@dataclass(frozen=True)
class Faults:
    """How bad the network is; delays are log-normal around the median."""

    loss: float = 0.01
    duplicate: float = 0.005
    median_ms: float = 50.0
    spread: float = 0.6


@dataclass
class Traffic:
    """What was sent, by sender; bytes before and after sealing."""

    messages: Counter[str] = field(default_factory=Counter)
    size: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def sealed(self, node: str) -> int:
        """What a node's messages weigh inside their wraps."""
        return self.size[node] * 16 // 9 + self.messages[node] * SEAL_BYTES


class Network:
    """Carries objects between names; `run` is the only thing that lets time pass."""

    def __init__(self, seed: int, faults: Faults, start_ms: int) -> None:
        self.now = start_ms
        self.faults = faults
        self.traffic = Traffic()
        self.random = random.Random(seed)  # noqa: S311 - a simulation that repeats
        self._queue: list[tuple[int, int, Callable[..., None], tuple[object, ...]]] = []
        self._count = 0
        self._sides: dict[str, int] = {}
        self._doors: dict[str, Callable[[str, object], None]] = {}
        self._weighed: tuple[object, int] = (None, 0)

    def attach(self, name: str, door: Callable[[str, object], None]) -> None:
        """Let messages reach a node."""
        self._doors[name] = door

    def detach(self, name: str) -> None:
        """Whatever is on its way to this node finds nobody."""
        self._doors.pop(name, None)

    def cut(self, *sides: list[str]) -> None:
        """Part the nodes: nothing passes between two sides; no sides: all is one again."""
        self._sides = {name: number for number, side in enumerate(sides, 1) for name in side}

    def at(self, when: int, call: Callable[..., None], *args: object) -> None:
        """Do something at a time, in the order in which it was asked for."""
        self._count += 1
        heapq.heappush(self._queue, (max(when, self.now), self._count, call, args))

    def send(self, sender: str, to: str, message: object) -> None:
        """Send; what becomes of it is up to the faults."""
        self._weigh(sender, message)
        faults, chance = self.faults, self.random.random()
        if chance < faults.loss:
            return
        copies = 2 if chance > 1 - faults.duplicate else 1
        for _ in range(copies):
            delay = faults.median_ms * math.exp(self.random.gauss(0, faults.spread))
            self.at(self.now + 1 + int(delay), self._arrive, sender, to, message)

    def _weigh(self, sender: str, message: object) -> None:
        if self._weighed[0] is not message:
            self._weighed = (message, len(_ENCODER.encode(message)))
        traffic = self.traffic
        traffic.messages[sender] += 1
        traffic.size[sender] += self._weighed[1]
        traffic.kinds[type(message).__name__] += self._weighed[1]

    def _arrive(self, sender: str, to: str, message: object) -> None:
        sides = self._sides
        if sides and sides.get(sender, 0) != sides.get(to, 0):
            return
        if door := self._doors.get(to):
            door(sender, message)

    def run(self, until: int) -> None:
        """Let time pass up to and including an instant."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            self.now, _, call, args = heapq.heappop(queue)
            call(*args)
        self.now = until
