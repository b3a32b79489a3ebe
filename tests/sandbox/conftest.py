import os
import sys
import tempfile
from pathlib import Path

import pytest

from hermes.sandbox.environment import clean_environment
from hermes.sandbox.shell import Command, Shell

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def shell():
    async with Shell() as running:
        yield running


@pytest.fixture
def command(tmp_path):
    env = clean_environment(os.environ)

    def make(text: str, **more) -> Command:
        return Command(("bash", "-c", text), tmp_path, env, **more)

    return make


@pytest.fixture
def mark():
    """A number of seconds that no other sleep on this machine has."""
    return f"3{int.from_bytes(os.urandom(4), 'big')}"


@pytest.fixture
def open_folder():
    """A folder that another user can pass into: as root a sandbox runs as one."""
    with tempfile.TemporaryDirectory(prefix="hermes-open-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)
