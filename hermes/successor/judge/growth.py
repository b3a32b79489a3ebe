"""Whether a version grows: memory and processor time as the state does, against its parent's."""

from collections.abc import Mapping
from typing import Any

Json = Any
_WARM = 2  # weighings after a start that say nothing yet
_KIB = 4 << 10
_MORE_KIB = 2 << 10
_RATIO = 1.5
_BLOCKS = 3  # one after the other: one alone is a busy machine
_MORE_MS = 80
_CEILING_KIB = 512 << 10


class Growth:
    """Weighings of both sides since they were started."""

    def __init__(self) -> None:
        self._taken: list[tuple[Mapping[str, Json], Mapping[str, Json]]] = []
        self._slow = 0

    def take(self, parent: Mapping[str, Json], candidate: Mapping[str, Json]) -> str:
        """Take one more; "" or what grows."""
        self._taken.append((parent, candidate))
        if len(self._taken) <= _WARM:
            return ""
        if self._memory():
            return "memory grows"
        if candidate["kib"] > _CEILING_KIB:
            return "memory over the ceiling"
        return self._time()

    def _memory(self) -> bool:
        """Room for large answers comes and goes, of each side when it likes: floors count."""
        weighed = [[side["kib"] for side in both] for both in self._taken[_WARM - 1 :]]
        parent, candidate = zip(*weighed, strict=True)
        grown: int = min(candidate[-_BLOCKS:]) - min(candidate[:_BLOCKS])
        swing: int = max(parent[-_BLOCKS:]) - min(parent[:_BLOCKS])
        return grown > max(_KIB, _RATIO * swing + _MORE_KIB)

    def _time(self) -> str:
        before, now = self._taken[-2:]
        spent = [after["ms"] - then["ms"] for then, after in zip(before, now, strict=True)]
        self._slow = self._slow + 1 if spent[1] > _RATIO * spent[0] + _MORE_MS else 0
        return "slower as the state grows" if self._slow >= _BLOCKS else ""
