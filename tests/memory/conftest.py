from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hermes.store.store import Store
from hermes.testing.history.keep import Dial
from tests.memory.talk import NOW


@pytest.fixture
def dial() -> Dial:
    """A clock that a test turns."""
    return Dial(NOW)


@pytest.fixture
async def store(tmp_path: Path, dial: Dial) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "store.db", dial) as opened:
        yield opened
