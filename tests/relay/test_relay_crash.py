"""What was acknowledged is there: after kill -9, with a full disk, after an orderly end."""

import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
from nostr_sdk import Keys
from relay_people import NOW, Author, FixedClock, author_at, key_of

from hermes.errors import StoreCorrupt, StoreOwned
from hermes.testing.nostr_client import Closed, raw_client, signed
from relay.rules import Rules
from relay.server import DATABASE, Place, open_relay

CHILD = Path(__file__).with_name("relay_child.py")


@asynccontextmanager
async def child(place, owner):
    command = [sys.executable, str(CHILD), str(place.directory), key_of(owner)]
    root = CHILD.parents[2]
    async with await anyio.open_process(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.PIPE
    ) as process:
        try:
            with anyio.fail_after(30):
                yield process, (await process.stdout.receive()).decode().strip()
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.wait()


def rules_of(owner):
    return Rules(owners=frozenset({key_of(owner)}))


async def stored(place, owner):
    async with (
        open_relay(place, rules_of(owner)) as relay,
        author_at(relay, owner, admitted=False) as one,
    ):
        return set(await one.ids({"kinds": [1], "authors": [one.key]}))


@pytest.mark.parametrize("after", [1, 20])
async def test_kill_9_loses_nothing_that_was_acknowledged(place, after):
    owner, acknowledged, sent = Keys.generate(), set(), set()
    async with child(place, owner) as (process, url), anyio.create_task_group() as tasks:

        async def write(n):
            try:
                async with raw_client(url) as client:
                    for i in range(1_000):
                        event = signed(owner, 1, f"{n} {i}")
                        sent.add(event["id"])
                        assert (await client.publish(event))[0]
                        acknowledged.add(event["id"])
                        if len(acknowledged) >= after and process.returncode is None:
                            process.send_signal(signal.SIGKILL)
            except (Closed, anyio.BrokenResourceError, OSError):
                return

        for n in range(4):
            tasks.start_soon(write, n)
    found = await stored(place, owner)
    assert acknowledged <= found <= sent
    assert len(acknowledged) >= after


async def test_a_full_disk_refuses_and_keeps_what_it_has(tmp_path):
    place, owner = Place(tmp_path / "relay", max_pages=120), Keys.generate()
    async with (
        open_relay(place, rules_of(owner)) as relay,
        author_at(relay, owner, admitted=False) as one,
    ):
        took = []
        for n in range(20):
            event = one.event(1, str(n) + "x" * 50_000)
            took.append((event["id"], *await one.client.publish(event)))
        kept = {id_ for id_, ok, _ in took if ok}
        assert 0 < len(kept) < 20
        assert {words for _, ok, words in took if not ok} == {"error: database error"}
        assert set(await one.ids({"kinds": [1], "authors": [one.key]})) == kept
        assert relay.counters.events["StoreFull"] == 20 - len(kept)
        await one.post(5, tags=[["e", id_] for id_ in sorted(kept)])
        assert (await one.client.publish(one.event(1, "room again")))[0]


async def test_an_orderly_end_leaves_one_whole_file(place, owner):
    async with (
        open_relay(place, rules_of(owner)) as relay,
        author_at(relay, owner, admitted=False) as one,
    ):
        event = await one.post(1)
    left = {path.name async for path in anyio.Path(place.directory).iterdir()}
    assert left == {DATABASE, "owner.lock"}
    assert await stored(place, owner) == {event["id"]}


async def test_two_relays_do_not_share_a_directory(place, owner):
    async with open_relay(place, rules_of(owner)):
        with pytest.raises(StoreOwned, match="another process"):
            async with open_relay(place, rules_of(owner)):
                pass


async def test_a_file_of_another_kind_is_left_alone(place, owner):
    path = anyio.Path(place.directory) / DATABASE
    await path.parent.mkdir(parents=True)
    await path.write_bytes(b"these are somebody's letters" * 100)
    with pytest.raises(StoreCorrupt):
        async with open_relay(place, rules_of(owner)):
            pass
    assert await path.read_bytes() == b"these are somebody's letters" * 100


async def test_what_expires_goes_from_sight_at_once(place, owner):
    clock = FixedClock(NOW * 1000)
    async with (
        open_relay(place, rules_of(owner), clock) as relay,
        author_at(relay, owner, admitted=False) as one,
    ):
        await one.post(1, "soon gone", [["expiration", str(NOW + 3_600)]])
        await one.post(1, "stays")
        clock.at += 3_601_000
        assert len(await one.ids({"authors": [one.key]})) == 1


async def test_strangers_post_makes_room_for_newer(tmp_path, owner):
    place = Place(tmp_path / "relay", wrap_mib=1)
    rules = msgspec.structs.replace(
        rules_of(owner), free_per_minute=1_000, free_total_per_minute=1_000
    )
    to = [["p", key_of(owner)]]
    async with open_relay(place, rules) as relay, raw_client(relay.url) as client:
        wraps = [signed(Keys.generate(), 1059, "x" * 50_000, to, NOW - 100 + n) for n in range(30)]
        for wrap in wraps:
            assert (await client.publish(wrap))[0]
    async with (  # it tidies up when it starts
        open_relay(place, rules) as relay,
        author_at(relay, owner, admitted=False) as one,
    ):
        mine = {"kinds": [1059], "#p": [one.key]}
        with anyio.fail_after(10):
            while len(found := await one.ids(mine)) == len(wraps):
                await anyio.lowlevel.checkpoint()
        assert found == [wrap["id"] for wrap in reversed(wraps[-len(found) :])]
        assert 15 <= len(found) <= 20


async def test_lmdb_in_its_place(tmp_path, owner):
    place = Place(tmp_path / "relay", lmdb=True)
    for already in (0, 1):
        async with (
            open_relay(place, rules_of(owner)) as relay,
            author_at(relay, owner, admitted=False) as one,
        ):
            assert len(await one.ids({"kinds": [1], "authors": [one.key]})) == already
            await one.post(1, str(already))


async def test_a_relay_ends_with_callers_on_the_line(place, owner):
    with anyio.fail_after(10):
        async with AsyncExitStack() as callers, open_relay(place, rules_of(owner)) as relay:
            client = await callers.enter_async_context(raw_client(relay.url))
            await Author(owner, client).post(1)
            await client.subscribe({"kinds": [1]})
        assert relay.counters.open == 0
