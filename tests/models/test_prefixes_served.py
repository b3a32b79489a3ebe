"""The warm prefix as the owner wires it: by its settings, and where it cannot be."""

from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from anyio import to_thread

from hermes.config import Memory, Settings
from hermes.core.ids import TurnId
from hermes.core.model import ChatMessage, ModelRequest
from hermes.core.request import TurnRequest
from hermes.node.served import Served
from hermes.node.shelf import Shelf
from hermes.node.wish import Wish

LONG = ModelRequest(
    "You are Hermes.",
    (ChatMessage("user", " ".join(f"w{n % 89}" for n in range(100))),),
    max_tokens=4,
)
SHIPPED = Wish("", "", 0, "", "/")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data", config_dir=tmp_path / "config", runtime_dir=tmp_path / "run"
    )


@asynccontextmanager
async def opened(settings: Settings, told: list[str]):
    async with AsyncExitStack() as stack:
        served = Served(settings, told.append, stack.enter_async_context)
        yield served, await served.open(SHIPPED)


async def cached(settings: Settings, told: list[str]) -> int:
    async with opened(settings, told) as (_, model), model.stream(LONG) as items:
        *_, reply = [item async for item in items]
    return reply.usage.cached


async def test_a_prefix_outlives_its_owner_below_the_data_directory(settings):
    told: list[str] = []
    assert await cached(settings, told) == 0
    assert await cached(settings, told) > 100
    async with opened(settings, told) as (served, _):
        facts = served.prefixes()
    assert (facts["prefixes"], facts["most"]) == (1, 512 << 20)
    assert (settings.data_dir / "prefixes").stat().st_mode & 0o777 == 0o700
    assert told == []


async def test_an_owner_that_is_cancelled_keeps_what_its_engine_evaluated(settings):
    request = TurnRequest(turn_id=TurnId(""), text="", cwd="/", root="/")
    for most in (0, 100):
        async with Shelf(settings, print) as shelf:  # closes by cancelling all that it holds
            model = await shelf.open(request, None)  # no script: the session is not looked at
            async with model.stream(LONG) as items:
                *_, reply = [item async for item in items]
        assert reply.usage.cached >= most


async def test_none_is_kept_where_the_person_wants_none(settings):
    told: list[str] = []
    await cached(settings, told)
    without = msgspec.structs.replace(settings, memory=Memory(prefix_mib=0))
    assert await cached(without, told) == 0
    assert await cached(without, told) == 0
    kept = await to_thread.run_sync(lambda: [*(settings.data_dir / "prefixes").iterdir()])
    assert [path.name for path in kept] == ["index.json"]
    async with opened(without, told) as (served, _):
        assert served.prefixes() == {}


async def test_a_place_that_cannot_be_used_is_said_and_costs_nothing_else(settings):
    told: list[str] = []
    settings.data_dir.mkdir()
    (settings.data_dir / "prefixes").write_text("a file in the way")
    assert await cached(settings, told) == 0
    (said,) = told
    assert said.startswith("evaluated prefixes are not kept: ")
