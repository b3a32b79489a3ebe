"""Direct messages where relays, strangers and the node itself misbehave."""

import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from dm_house import phone, serving
from nostr_sdk import LocalRelayBuilder, NostrLmdb, RateLimit

from hermes.mesh.nostr_keys import NostrKeys
from hermes.mesh.nostr_loop import loop_lent, shut_down
from hermes.testing.relays import local_relay, meddler

PARAGRAPH = "It was a long answer, of many words, and it went on. " * 30 + "\n\n"


@pytest.fixture
async def relay():
    async with local_relay() as url:
        yield url


async def test_a_flood_from_strangers(relay, house):
    house = type(house)(house.base, model=house.script({"text": "Still here."}))
    async with serving(house, relay) as post, phone(relay) as person, phone(relay) as crowd:
        await post.pair(person)

        async def shout(number):
            keys = NostrKeys(os.urandom(32))
            await crowd.publish(crowd.wrap(f"buy {number}", keys=keys))

        async with anyio.create_task_group() as tasks:
            for number in range(300):
                tasks.start_soon(shout, number)
        assert await person.ask("are you there?") == "Still here."
        await post.refusal("not paired", 300)
        assert crowd.got == []
        assert post.faults == []


@pytest.mark.parametrize("times", [40, pytest.param(650, marks=pytest.mark.slow)])
async def test_long_texts_in_and_out(relay, house, times):
    long = PARAGRAPH * times
    house = type(house)(house.base, model=house.script({"text": long}, {"text": "Read."}))
    async with serving(house, relay) as post, phone(relay) as person:
        await post.pair(person)
        said = await person.wire.publish(
            person.keys.sign(1059, "A" * 1_000_000, (("p", person.to),), 1_800_000_000)
        )
        assert "" not in said.values()  # no relay takes it
        await person.say("tell me everything")
        parts = [await person.hear(40) for _ in range(12)]
        assert [part.split()[0] for part in parts] == [f"({n}/12)" for n in range(1, 13)]
        conversation = (await post.client.query("pairings.list"))[0]["conversation"]
        assert f"more characters: `hermes conversations show {conversation}`" in parts[-1]
        times = [one.created_at for one in person.got]
        assert times == sorted(set(times))
        assert await person.ask("x" * 20_000) == "Read."


async def test_what_came_while_the_node_was_away(relay, house):
    house = type(house)(house.base, model=house.script({"text": "One."}, {"text": "Two."}))
    async with phone(relay) as person:
        async with serving(house, relay) as post:
            await post.pair(person)
            assert await person.ask("first") == "One."
        await person.say("second")
        await person.say("/new", at=1)  # 1970: too old to count
        await anyio.sleep(1.1)  # their order is told by the second in which they were written
        await person.say("third")
        async with serving(house, relay) as post:
            assert [await person.hear(), await person.hear()] == ["One.", "Two."]
            (made,) = await post.client.query("conversations.list")
            shown = await post.client.query("conversations.show", id=made["id"])
            said = [m["parts"][0]["text"] for m in shown["messages"] if m["role"] == "user"]
            assert said == ["first", "second", "third"]


async def test_a_relay_that_tells_nothing(relay, house):
    """What it keeps back is found by reconciling."""

    def meddle(way, frame):
        keeps_back = way == "down" and frame[0] == "EVENT" and frame[1] == "ear"
        return [] if keeps_back else [frame]

    house = type(house)(house.base, model=house.script({"text": "Found you."}))
    async with (
        meddler(relay, meddle) as sly,
        serving(house, sly, look_s=0.2) as post,
        phone(relay) as person,
    ):
        await post.pair(person)
        assert await person.ask("hello") == "Found you."


@pytest.mark.slow
async def test_the_relay_is_restarted_in_the_middle_of_an_answer(tmp_path, house):
    house = type(house)(house.base, model=house.script({"text": PARAGRAPH * 12}))
    cut, down = anyio.Event(), []
    sent = 0

    def meddle(way, frame):
        nonlocal sent
        if way == "up" and frame[0] == "EVENT":
            sent += 1
            if sent == 4:  # the welcome, two parts, and this one is lost
                down.append(True)
                cut.set()
        return [None] if down else [frame]

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(loop_lent())
        lives = Relays(await NostrLmdb.open(str(tmp_path / "lmdb")))
        url = await lives.start()
        front = await stack.enter_async_context(meddler(url, meddle))
        person = await stack.enter_async_context(phone(url))
        post = await stack.enter_async_context(serving(house, front))
        await post.pair(person)
        await person.say("at length")
        with anyio.fail_after(10):
            await cut.wait()
        await lives.stop()
        assert await lives.start() == url
        down.clear()
        for _ in range(12):
            await person.hear(30)
        parts = sorted(person.got[1:], key=lambda one: one.created_at)  # as clients show them
        assert [one.content.split()[0] for one in parts] == [f"({n}/12)" for n in range(1, 13)]
        await lives.stop()


class Relays:
    """One durable relay, started and stopped at one address."""

    def __init__(self, database: NostrLmdb) -> None:
        limit = RateLimit(max_reqs=1_000, notes_per_minute=1_000_000)
        builder = LocalRelayBuilder().addr("127.0.0.1").rate_limit(limit)
        self._builder = builder.database(database)

    async def start(self) -> str:
        self._relay = self._builder.build()
        await self._relay.run()
        url = str(await self._relay.url())
        self._builder = self._builder.port(int(url.rsplit(":", 1)[1]))
        return url

    async def stop(self) -> None:
        await shut_down(self._relay)
        del self._relay


class Node:
    """A node in a process of its own, to be killed."""

    def __init__(self, base: Path, relay: str, model: str) -> None:
        child = Path(__file__).with_name("dm_child.py")
        command = [sys.executable, str(child), str(base), relay, model]
        path = os.pathsep.join([str(child.parent), str(child.parents[2])])
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )

    async def first_line(self) -> str:
        with anyio.fail_after(30):
            return (await anyio.to_thread.run_sync(self._process.stdout.readline)).strip()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()


@pytest.mark.slow
async def test_killed_between_receive_and_answer(relay, house):
    model = house.script({"text": "Answered.", "delay_s": 3}, {"text": "Afterwards."})
    async with phone(relay) as person:
        node = Node(house.base, relay, model)
        try:
            assert (await person.ask(await node.first_line())).startswith("You are paired")
            await person.say("work")
            with anyio.fail_after(20):
                while "running" not in (await person.ask("/status")).splitlines()[0]:
                    pass
        finally:
            node.kill()
        assert "Answered." not in {one.content for one in person.got}
        node = Node(house.base, relay, model)
        try:
            assert await node.first_line() == "up"
            assert await person.hear(30) == "Answered."
            assert await person.ask("more") == "Afterwards."
        finally:
            node.kill()
        assert [one.content for one in person.got].count("Answered.") == 1


@pytest.mark.slow
async def test_killed_between_answer_and_relay(relay, house):
    held = anyio.Event()
    holds: list[bool] = []

    def meddle(way, frame):
        if holds and way == "up" and frame[0] == "EVENT":
            held.set()
            return [None]
        return [frame]

    model = house.script({"text": "Answered."})
    after = house.script({"text": "Afterwards."}, name="after.jsonl")
    async with phone(relay) as person, meddler(relay, meddle) as between:
        node = Node(house.base, between, model)
        try:
            assert (await person.ask(await node.first_line())).startswith("You are paired")
            holds.append(True)
            await person.say("work")
            with anyio.fail_after(20):
                await held.wait()
        finally:
            node.kill()
        holds.clear()
        node = Node(house.base, between, after)
        try:
            assert await person.hear(30) == "Answered."
            assert await person.ask("more") == "Afterwards."
        finally:
            node.kill()
        assert [one.content for one in person.got].count("Answered.") == 1
