import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "node")]

from stranger import at_home  # noqa: E402 - found through the path above


@pytest.fixture
def stranger():
    with at_home() as someone:
        yield someone


def pytest_collection_modifyitems(items):
    """All of these start processes of their own: they go with the slow ones."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
