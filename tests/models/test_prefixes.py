"""The warm prefix on the real engine: restarts, new conversations, and everything that breaks."""

import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from hermes.core.model import ChatMessage, ModelRequest, Piece, Reply
from hermes.errors import EngineDied
from hermes.models.embedded import EmbeddedModel
from hermes.models.engine import Engine, EngineServer
from hermes.models.gguf import GgufInfo, read_gguf, shipped_model
from hermes.models.prefixes import Prefixes
from hermes.models.prefixes_index import INDEX
from hermes.models.prefixes_shelf import PrefixShelf, open_shelf
from tests.models.engine_talk import INFO, call, plan

LONG = 1_000.0
SYSTEM = "You are Hermes. " + " ".join(f"rule {n} holds" for n in range(40))
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd")


def words(seed: int, count: int = 60) -> str:
    return " ".join(f"w{n * seed % 89}" for n in range(count))


def asking(*texts: str, most: int = 8) -> ModelRequest:
    roles = ("user", "assistant")
    messages = (ChatMessage(roles[n % 2], text) for n, text in enumerate(texts))
    return ModelRequest(SYSTEM, tuple(messages), max_tokens=most)


class Life:
    """One life of an owner: its engine, its model, its shelf."""

    def __init__(self, model: EmbeddedModel, engine: Engine, shelf: PrefixShelf) -> None:
        self.model = model
        self.engine = engine
        self.shelf = shelf

    async def ask(self, request: ModelRequest) -> Reply:
        async with self.model.stream(request) as items:
            *_, reply = [item async for item in items]
        assert isinstance(reply, Reply)
        return reply

    async def server(self) -> EngineServer:
        return await self.engine.ensure()

    async def has(self, prefixes: int) -> None:
        with anyio.fail_after(20):
            while (await to_thread.run_sync(self.shelf.facts))["prefixes"] != prefixes:
                pass


@asynccontextmanager
async def life(
    tmp_path: Path,
    *,
    info: GgufInfo = INFO,
    settle_s: float = LONG,
    parting_s: float = LONG,
    mib: int = 64,
    **planned,
) -> AsyncIterator[Life]:
    shelf = await to_thread.run_sync(open_shelf, tmp_path / "prefixes", mib << 20)
    given = plan(tmp_path, slots_dir=shelf.directory, **planned)
    engine = Engine(info, given, keeping=Prefixes(shelf, info, 2_048, settle_s, parting_s))
    async with engine, EmbeddedModel(engine, "native") as model:
        yield Life(model, engine, shelf)


def saved(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "prefixes").iterdir() if path.name != INDEX)


async def gone(pid: int) -> None:
    fd = os.pidfd_open(pid)
    try:
        with anyio.fail_after(20):
            await anyio.wait_readable(fd)
    finally:
        os.close(fd)


FIRST = asking(words(3))


async def test_a_conversation_goes_on_after_a_restart_as_if_nothing_happened(tmp_path):
    async with life(tmp_path) as one:
        told = await one.ask(FIRST)
        following = asking(words(3), told.text, "and now read README.md")
        expected = await one.ask(following)
    async with life(tmp_path) as two:
        assert (await two.ask(following)).text == expected.text
    async with life(tmp_path) as three:
        longer = asking(words(3), told.text, "and now read README.md", expected.text, "again")
        usage = (await three.ask(longer)).usage
    assert usage.cached >= expected.usage.prompt
    assert len(saved(tmp_path)) == 1


async def test_a_new_conversation_begins_with_what_an_earlier_one_began_with(tmp_path):
    async with life(tmp_path) as one:
        cold = (await one.ask(FIRST)).usage
    async with life(tmp_path) as two:
        shared = (await two.ask(asking("read README.md"))).usage
    assert cold.cached == 0
    assert shared.cached > 0.9 * shared.prompt
    async with life(tmp_path) as three:
        other = ModelRequest("Other rules.", FIRST.messages, max_tokens=4)
        assert (await three.ask(other)).usage.cached < 10


@pytest.mark.slow
async def test_conversations_in_turn_are_each_taken_up(tmp_path):
    async with life(tmp_path, settle_s=0.0) as one:
        for number, seed in enumerate((3, 5, 7)):
            await one.ask(asking(words(seed), "ok", "go on"))
            await one.has(number + 1)
    async with life(tmp_path) as two:
        for seed in (5, 3, 7, 5, 3):
            usage = (await two.ask(asking(words(seed), "ok", "go on", "ok", "further"))).usage
            assert usage.cached > 0.9 * usage.prompt


async def test_two_conversations_at_once(tmp_path):
    requests = [asking(words(3)), asking(words(5))]
    for _ in range(2):  # without a prefix, then with one
        async with life(tmp_path) as now, anyio.create_task_group() as tasks:
            for request in requests:
                tasks.start_soon(now.ask, request)
    async with life(tmp_path) as last:
        for request in requests:
            usage = (await last.ask(request)).usage
            assert usage.cached > 0.9 * usage.prompt


async def test_it_is_saved_while_nothing_runs(tmp_path):
    async with life(tmp_path, settle_s=0.01) as one:
        await one.ask(FIRST)
        await one.has(1)
        os.kill((await one.server()).pid, signal.SIGKILL)  # nothing is left to the end
    async with life(tmp_path) as two:
        usage = (await two.ask(FIRST)).usage
    assert usage.cached >= usage.prompt - 1


async def test_nothing_is_saved_while_a_turn_runs(tmp_path):
    async with life(tmp_path, settle_s=0.0) as one:
        async with one.model.stream(asking("list the files in src")) as items:
            await anext(items)
            await one.ask(FIRST)
            for _ in range(20):
                await call(await one.server(), "/health")
            assert saved(tmp_path) == []
        await one.has(1)


@linux_only
async def test_an_idle_engine_is_saved_before_it_goes(tmp_path):
    async with life(tmp_path, keep_alive_s=0.05) as one:
        server = await one.server()
        await one.ask(FIRST)
        await gone(server.pid)
        assert one.shelf.facts()["prefixes"] == 1
        usage = (await one.ask(FIRST)).usage
    assert usage.cached >= usage.prompt - 1


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))


GONE = pytest.param(Path.unlink, marks=pytest.mark.slow)


@pytest.mark.parametrize("harm", [cut, flip, GONE])
async def test_a_damaged_file_is_evaluated_anew(tmp_path, harm):
    async with life(tmp_path) as one:
        expected = await one.ask(FIRST)
    (path,) = saved(tmp_path)
    harm(path)
    async with life(tmp_path) as two:
        again = await two.ask(FIRST)
    assert (again.text, again.usage.cached) == (expected.text, 0)
    async with life(tmp_path) as three:
        assert (await three.ask(FIRST)).usage.cached > 0


async def test_a_file_that_the_engine_refuses_is_deleted(tmp_path):
    async with life(tmp_path) as one:
        expected = await one.ask(FIRST)
        shelf = one.shelf
    key = await to_thread.run_sync(partial(shelf.identify, INFO.path, 2_048, most=1 << 30))
    (prefix,) = shelf.of(key)
    part = shelf.directory / "x.part"
    part.write_bytes(b"whole by its digest, and no state")
    keep = partial(shelf.keep, "x.part", key, prefix.chain, prefix.tokens, part.stat().st_size)
    assert await to_thread.run_sync(keep)
    async with life(tmp_path) as two:
        again = await two.ask(FIRST)
        assert two.shelf.of(key) == ()
    assert (again.text, again.usage.cached) == (expected.text, 0)


@pytest.mark.slow
async def test_an_engine_that_hangs_or_dies_while_it_saves_costs_the_prefix_alone(tmp_path):
    async with life(tmp_path, parting_s=0.1) as one:
        await one.ask(FIRST)
        os.kill((await one.server()).pid, signal.SIGSTOP)
    assert saved(tmp_path) == []
    (tmp_path / "prefixes" / "0123456789abcdef.part").write_bytes(b"half of it")
    async with life(tmp_path) as two:
        assert saved(tmp_path) == []
        assert (await two.ask(FIRST)).usage.cached == 0
    assert len(saved(tmp_path)) == 1


@linux_only
async def test_a_full_disk_costs_the_prefix_alone(tmp_path):
    async with life(tmp_path) as one:
        server = await one.server()
        expected = await one.ask(FIRST)
        most = (64 * 1024, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, most)
    assert saved(tmp_path) == []
    async with life(tmp_path) as two:
        again = await two.ask(FIRST)
    assert (again.text, again.usage.cached) == (expected.text, 0)


async def test_a_model_that_was_replaced_does_not_get_the_old_prefix(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(shipped_model().read_bytes())
    info = await to_thread.run_sync(read_gguf, path)
    async with life(tmp_path, info=info) as one:
        await one.ask(FIRST)
    assert len(saved(tmp_path)) == 1
    data = bytearray(shipped_model().read_bytes())
    data[-1_000:] = bytes(1_000)
    path.write_bytes(data)
    async with life(tmp_path, info=info) as two:
        assert saved(tmp_path) == []
        assert (await two.ask(FIRST)).usage.cached == 0


async def killed_in_an_answer(where: Life) -> None:
    async with where.model.stream(asking(words(3), "ok", "go on", most=1_000)) as items:
        assert isinstance(await anext(items), Piece)
        os.kill((await where.server()).pid, signal.SIGKILL)
        async for _ in items:
            pass


async def test_an_engine_that_dies_in_an_answer_is_started_with_the_last_prefix(tmp_path):
    async with life(tmp_path, settle_s=0.0) as one:
        await one.ask(FIRST)
        await one.has(1)
        with pytest.raises(EngineDied):
            await killed_in_an_answer(one)
        usage = (await one.ask(FIRST)).usage
    assert usage.cached >= usage.prompt - 1


async def test_a_turn_that_is_stopped_leaves_its_prefix(tmp_path):
    async with life(tmp_path) as one, one.model.stream(asking(words(3), most=1_000)) as items:
        await anext(items)
    async with life(tmp_path) as two:
        usage = (await two.ask(FIRST)).usage
    assert usage.cached >= usage.prompt - 1


async def test_a_short_prompt_is_not_worth_a_file(tmp_path):
    async with life(tmp_path) as one:
        await one.ask(ModelRequest("", (ChatMessage("user", "hello"),), max_tokens=4))
    assert saved(tmp_path) == []


async def test_a_prefix_larger_than_the_limit_is_not_kept(tmp_path):
    async with life(tmp_path, mib=1) as one:
        assert (await one.ask(FIRST)).usage.prompt * 4_096 > 1 << 20
    assert saved(tmp_path) == []
