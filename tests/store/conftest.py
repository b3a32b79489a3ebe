from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hermes.store.store import Store


class Ticks:
    """A clock that moves one millisecond each time it is read."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def now_ms(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
def clock() -> Ticks:
    return Ticks()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


@pytest.fixture
async def store(path: Path, clock: Ticks) -> AsyncIterator[Store]:
    async with Store.open(path, clock) as opened:
        yield opened
