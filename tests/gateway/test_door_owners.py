"""Front ends whose owner goes away, perhaps twice, perhaps for good."""

import anyio
import pytest

from hermes.core.clock import SystemClock
from hermes.core.event import Notice, TurnFinished, Usage, is_final
from hermes.errors import OwnerGone, StoreCorrupt
from hermes.gateway.client import Client, RemoteError
from hermes.gateway.server import Visitor
from hermes.gateway.wire import Lines, Wire, memory_wires
from tests.gateway.test_door import HEAD, FakeDesk, FakeOpener, _client, _request, tasks

__all__ = ["tasks"]


class BrokenOpener(FakeOpener):
    """Has one owner; then the store turns out corrupt."""

    async def open(self):
        if not self.desks:
            raise StoreCorrupt("the store is damaged", "restore it")
        return await super().open()


async def test_two_owners_that_die_one_after_the_other(tasks):
    desks = [FakeDesk(pid=number) for number in range(1, 4)]
    client, opener = await _client(tasks, *desks)
    with anyio.fail_after(2):
        async with client.watch("c"), client.turn(_request()) as events:
            await opener.owners[0].aclose()
            while len(opener.owners) < 2:
                await anyio.lowlevel.checkpoint()
            await opener.owners[1].aclose()
            await desks[2].asked.wait()
            desks[2].bus.publish(TurnFinished(**HEAD, text="hi", usage=Usage()))
            seen = [event async for event in events]
    assert seen[-1].text == "hi"
    assert client.hello.pid == 3
    assert client.hello.pid == 3


async def test_when_no_owner_is_left_every_turn_ends_with_the_reason(tasks):
    opener = BrokenOpener(tasks, FakeDesk())
    client = Client(opener, SystemClock())
    await client.connect()
    tasks.start_soon(client.run)
    with anyio.fail_after(2):
        async with client.watch("c") as watched, client.turn(_request()) as events:
            await opener.owners[0].aclose()
            seen = [event async for event in events]
            assert [event async for event in watched] == []
        assert [is_final(event) for event in seen] == [True]
        assert (seen[0].error, seen[0].kind) == ("the store is damaged", "StoreCorrupt")
        assert seen[0].at > 0
        with pytest.raises(RemoteError, match="damaged") as raised:
            await client.query("x")
    assert raised.value.remedy == "restore it"


async def test_calls_during_a_change_of_owners_wait_for_the_next(tasks):
    first, second = FakeDesk(pid=1), FakeDesk(pid=2)
    client, opener = await _client(tasks, first, second)
    with anyio.fail_after(2):
        await opener.owners[0].aclose()
        while client.hello.pid == 1:
            try:
                assert await client.stop("c")
            except OwnerGone:
                continue  # it was on its way
        assert await client.approve("call", "yes")


async def test_watchers_stay_as_interactive_as_they_were(tasks):
    first, second = FakeDesk(pid=1), FakeDesk(pid=2)
    client, opener = await _client(tasks, first, second)
    with anyio.fail_after(2):
        async with client.watch("c") as quiet, client.watch("d", interactive=True):
            await opener.owners[0].aclose()
            while client.hello.pid == 1:
                await anyio.lowlevel.checkpoint()
            await client.status()
            second.bus.publish(Notice(**HEAD, text="on"))
            assert (await anext(quiet)).text == "on"
            await second.bus.deserted("c", 0)
            with anyio.move_on_after(0.05) as attended:
                await second.bus.deserted("d", 0)
            assert attended.cancelled_caught
        await second.bus.deserted("d", 0)  # nobody here looks any more


async def test_a_quiet_watcher_can_become_one_that_answers(tasks):
    desk = FakeDesk()
    client, _ = await _client(tasks, desk)
    with anyio.fail_after(2):
        async with client.watch("c"):
            await desk.bus.deserted("c", 0)
            async with client.watch("c", interactive=True):
                with anyio.move_on_after(0.05) as attended:
                    await desk.bus.deserted("c", 0)
    assert attended.cancelled_caught


async def test_what_a_newer_owner_says_is_passed_over(tasks):
    opener = FakeOpener(tasks, FakeDesk())
    client = Client(opener, SystemClock())
    await client.connect()
    tasks.start_soon(client.run)
    head = {"conversation_id": "c", "turn_id": "t", "at": "2026-01-01T00:00:00.000Z"}
    with anyio.fail_after(2):
        async with client.watch("c") as events:
            await opener.owners[0].note("event", {**head, "type": "mood_changed"})
            await opener.owners[0].note("event", {**head, "type": "notice", "text": "x"})
            assert (await anext(events)).text == "x"


async def test_a_waiting_question_is_shown_to_who_asks_for_the_turn_again(tasks):
    first, second = FakeDesk(pid=1), FakeDesk(pid=2)
    second.waits = (Notice(**HEAD, text="may I?"),)
    client, opener = await _client(tasks, first, second)
    with anyio.fail_after(2):
        async with client.turn(_request()) as events:
            await opener.owners[0].aclose()
            texts = {(await anext(events)).text for _ in range(2)}
    assert "may I?" in texts


async def test_who_is_cut_off_comes_again(tasks):
    first, second = FakeDesk(pid=1), FakeDesk(pid=2)
    first.bus._backlog = 3
    client, _ = await _client(tasks, first, second)
    with anyio.fail_after(2):
        async with client.watch("c") as events:
            for number in range(9):
                first.bus.publish(Notice(**HEAD, text=str(number)))
            while client.hello.pid == 1:
                await anyio.lowlevel.checkpoint()
            await client.status()
            second.bus.publish(Notice(**HEAD, text="on"))
            texts = [(await anext(events)).text]
            while texts[-1] != "on":
                texts.append((await anext(events)).text)
    assert 3 < len(texts) < 9
    assert texts == [*map(str, range(len(texts) - 1)), "on"]


async def test_a_defect_costs_one_request_and_is_reported(tasks):
    desk = FakeDesk()
    client, _ = await _client(tasks, desk)
    with anyio.fail_after(2):
        with pytest.raises(RemoteError, match="internal error: TypeError"):
            await client.query("defect")
        assert await client.query("x") == {"x": {}}
    assert [type(error) for _, error in desk.reported] == [TypeError]


async def test_bad_parameters_are_the_callers_fault(tasks):
    desk = FakeDesk()
    ours, theirs = memory_wires()
    tasks.start_soon(Visitor(desk, ours, "test").serve)
    await theirs.receive()
    bad = [
        ("watch", {}),
        ("watch", []),
        ("approve", {"call_id": "x", "answer": "maybe"}),
        ("query", {"name": 5}),
        ("turn", {"text": "x"}),
        ("stop", {"conversation_id": []}),
        ("status", "now"),
    ]
    with anyio.fail_after(2):
        for number, (method, params) in enumerate(bad):
            await theirs.send({"id": number, "method": method, "params": params})
        codes = {(await theirs.receive())["error"]["code"] for _ in bad}
    await theirs.aclose()
    assert codes == {-32602}
    assert desk.reported == []


async def test_text_that_is_no_unicode_comes_through_as_well_as_it_can(tasks):
    client, _ = await _client(tasks, FakeDesk())
    with anyio.fail_after(2):
        assert await client.query("x", a="caf\udce9") == {"x": {"a": "caf?"}}


async def test_a_visitor_that_leaves_in_the_middle_of_a_line_ends_its_visit_only(tmp_path):
    desk, served = FakeDesk(), anyio.Event()

    async def serve(stream):
        await Visitor(desk, Wire(Lines(stream)), "v").serve()
        served.set()

    listener = await anyio.create_unix_listener(tmp_path / "s")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        stream = await anyio.connect_unix(tmp_path / "s")
        await stream.send(b'{"id": 1, "method": "qu')
        await stream.aclose()
        with anyio.fail_after(2):
            await served.wait()
        group.cancel_scope.cancel()


async def test_a_line_that_was_cut_off_is_the_last_one(tmp_path):
    refused = anyio.Event()

    async def serve(stream):
        wire = Wire(Lines(stream))
        with anyio.move_on_after(0.2):
            await wire.send({"big": "x" * 10_000_000})
        with pytest.raises(OwnerGone):
            await wire.send({"small": "y"})
        refused.set()

    listener = await anyio.create_unix_listener(tmp_path / "s")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        stream = await anyio.connect_unix(tmp_path / "s")
        with anyio.fail_after(5):
            await refused.wait()
            wire = Wire(Lines(stream))
            with pytest.raises(OwnerGone):
                await wire.receive()
            await wire.aclose()
        group.cancel_scope.cancel()
