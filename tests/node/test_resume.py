"""Owners that come and go: attach, take over, resume, report what is unfinished."""

import anyio
import pytest
from house import call, calls, conversation_of, kinds, play, result_of

from hermes.core.event import Notice, TextDelta
from hermes.errors import StoreError


async def test_a_second_front_end_attaches_and_sees_the_same(house):
    model = house.script({"text": "hello"})
    async with house.client() as first, house.client() as second:
        assert first.hello.owner_is_us
        assert not second.hello.owner_is_us
        assert second.hello.node == first.hello.node
        events = await play(second, house.request(model=model))
        listed = await first.query("conversations.list")
    assert [info["id"] for info in listed] == [conversation_of(events)]


async def test_both_front_ends_see_a_turn_and_either_may_stop_it(house):
    model = house.script({"text": "a b c d e f", "chunk_delay_s": 0.05}, {"text": "x"})
    async with house.client() as first, house.client() as second:
        events = await play(first, house.request(model=house.script({"text": "."}, name="n")))
        conversation = conversation_of(events)
        async with second.watch(conversation) as seen, anyio.create_task_group() as tasks:
            request = house.request(model=model, conversation_id=conversation)
            tasks.start_soon(play, first, request)
            with anyio.fail_after(5):
                async for event in seen:
                    if isinstance(event, TextDelta):
                        await second.stop(conversation)
                    if type(event).__name__ == "TurnFailed":
                        assert event.kind == "TurnStopped"
                        break


async def test_a_client_that_leaves_does_not_stop_its_turn(house):
    model = house.script({"text": "a b c", "chunk_delay_s": 0.05})
    request = house.request(model=model)
    async with house.client() as owner:
        async with house.client() as visitor, visitor.turn(request) as events:
            started = await anext(aiter(events))
        with anyio.fail_after(5):
            while True:
                shown = await owner.query("conversations.show", id=started.conversation_id)
                if len(shown["messages"]) == 2:
                    break
                await anyio.sleep(0.01)
    assert shown["messages"][1]["parts"][0]["text"] == "a b c"


async def test_the_survivor_takes_over_and_the_turn_goes_on(house):
    (house.project / "a").write_text("alpha")
    model = house.script(
        call("FileRead", path="a"), {"text": "first answer", "delay_s": 0.3}, {"text": "second"}
    )
    request = house.request(model=model)
    seen, started = [], anyio.Event()

    async def survivor(ready: anyio.Event):
        async with house.client() as visitor:
            ready.set()
            async with visitor.turn(request) as events:
                async for event in events:
                    seen.append(event)
                    if type(event).__name__ == "ToolFinished":
                        started.set()
            assert visitor.hello.owner_is_us

    with anyio.fail_after(15):
        async with anyio.create_task_group() as tasks, anyio.create_task_group() as owning:
            ready = anyio.Event()

            async def owner():
                async with house.client(interactive=True):
                    tasks.start_soon(survivor, ready)
                    await anyio.sleep_forever()

            owning.start_soon(owner)
            await started.wait()
            owning.cancel_scope.cancel()
    assert "took over" in next(event.text for event in seen if isinstance(event, Notice))
    assert kinds(seen)[-1] == "TurnFinished"
    assert seen[-1].text == "first answer"
    resumed = [event.resumed for event in seen if type(event).__name__ == "TurnStarted"]
    assert resumed == [False, True]


async def test_an_unfinished_write_is_reported_and_not_repeated(house):
    model = house.script(
        calls(("Bash", {"command": "touch before && echo x >> log && sleep 60"}), ("Status", {})),
        {"text": "I see."},
    )
    request = house.request(model=model, yes=True)
    async with anyio.create_task_group() as owning:

        async def owner():
            async with house.client(interactive=True) as client, client.turn(request) as events:
                async for event in events:
                    if type(event).__name__ == "ToolStarted":
                        with anyio.fail_after(5):  # a file says nothing when it comes
                            while not (house.project / "log").exists():  # noqa: ASYNC110
                                await anyio.sleep(0.01)
                        owning.cancel_scope.cancel()

        owning.start_soon(owner)
    async with house.client() as client:
        events = await play(client, request)
    assert (house.project / "log").read_text() == "x\n"
    assert any("unfinished write: Bash" in e.text for e in events if isinstance(e, Notice))
    assert events[0].resumed
    assert events[-1].text == "I see."
    assert "node" in result_of(events, "Status")


async def test_an_interactive_owner_goes_on_by_itself(house):
    model = house.script({"text": "late", "delay_s": 0.2})
    request = house.request(model=model)
    async with anyio.create_task_group() as owning:

        async def owner():
            async with house.client(interactive=True) as client, client.turn(request) as events:
                await anext(aiter(events))
                owning.cancel_scope.cancel()

        owning.start_soon(owner)
    async with house.client(interactive=True) as client:
        with anyio.fail_after(5):
            events = await play(client, request)
    assert events[-1].text == "late"


async def test_a_corrupt_store_is_a_clear_error(house):
    house.settings.data_dir.mkdir()
    (house.settings.data_dir / "hermes.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreError):
        async with house.client():
            pass
