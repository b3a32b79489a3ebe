import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from hermes.errors import NotAvailable
from hermes.sandbox.environment import clean_environment
from hermes.sandbox.ground import find_ground
from hermes.sandbox.landlock import abi
from hermes.sandbox.shell import Command, Shell
from hermes.sandbox.standing import examine_ground

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


@pytest.fixture(scope="session")
def ground():
    """What this machine has to make a sandbox of."""
    try:
        return find_ground()
    except NotAvailable as error:
        pytest.skip(f"this machine gives no user namespace: {error.message}")


@pytest.fixture(scope="session")
def bare(ground):
    """This machine, had it no namespaces: tier B."""
    if abi() < 6:
        pytest.skip("this machine gives no user namespace, and no Landlock of version 6")
    return anyio.run(examine_ground, replace(ground, bwrap=""))


@pytest.fixture
def open_folder():
    """A folder that another user can pass into: as root a sandbox runs as one."""
    with tempfile.TemporaryDirectory(prefix="hermes-open-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)
