"""Every watcher of a conversation gets its events, in order."""

from contextlib import ExitStack

import anyio

from hermes.conversation.bus import Bus
from hermes.core.event import Notice, TextDelta, ToolStarted, TurnFinished, TurnStarted, Usage


def _notice(conversation: str, text: str) -> Notice:
    return Notice(conversation_id=conversation, turn_id="t", at=0, text=text)


async def test_events_reach_the_watchers_of_their_conversation_only():
    bus = Bus()
    with bus.watch("a") as one, bus.watch("b") as two:
        bus.publish(_notice("a", "first"))
        bus.publish(_notice("a", "second"))
        assert [one.receive_nowait().text for _ in range(2)] == ["first", "second"]
        assert two.statistics().current_buffer_used == 0


async def test_a_conversation_is_deserted_when_the_last_person_is_away_long_enough():
    bus = Bus()
    with anyio.fail_after(2):
        await bus.deserted("a", 0)
    with bus.attend("a"), bus.attend("b"):
        with anyio.move_on_after(0.05) as waited:
            await bus.deserted("a", 0)
    assert waited.cancelled_caught
    with anyio.fail_after(2):
        await bus.deserted("a", 0.01)


async def test_who_comes_back_in_time_is_no_deserter():
    bus = Bus()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bus.deserted, "a", 0.2)
        await anyio.wait_all_tasks_blocked()
        with bus.attend("a"):
            await anyio.sleep(0.3)
            assert tasks.cancel_scope.cancel_called is False
            tasks.cancel_scope.cancel()
    with bus.attend("a"), anyio.move_on_after(0.05) as waited:
        await bus.deserted("a", 0)
    assert waited.cancelled_caught


async def test_who_is_too_slow_is_cut_off_and_nobody_else():
    bus = Bus(backlog=3)
    with bus.watch("a") as slow:
        with bus.watch("a") as quick:
            for number in range(5):
                bus.publish(_notice("a", str(number)))
                assert quick.receive_nowait().text == str(number)
        with bus.watch("a") as later:  # must outlive the one that was cut off
            assert [event.text async for event in slow] == ["0", "1", "2"]
            slow.close()
            bus.publish(_notice("a", "on"))
            assert later.receive_nowait().text == "on"


async def test_fifty_watchers_get_everything_in_order():
    bus = Bus()
    with ExitStack() as stack:
        watchers = [stack.enter_context(bus.watch("a")) for _ in range(50)]
        for number in range(100):
            bus.publish(_notice("a", str(number)))
        for watcher in watchers:
            got = [watcher.receive_nowait().text for _ in range(100)]
            assert got == [str(number) for number in range(100)]


async def test_who_comes_in_the_middle_is_told_what_was():
    bus = Bus()
    head = {"conversation_id": "a", "turn_id": "t", "at": 0}
    bus.publish(_notice("a", "unfinished write"))
    bus.publish(TurnStarted(**head))
    for word in ("one ", "two "):
        bus.publish(TextDelta(**head, text=word))
    bus.publish(ToolStarted(**head, call_id="c"))
    bus.publish(TextDelta(**head, text="three"))
    told = bus.so_far("a")
    assert [type(event).__name__ for event in told] == [
        "Notice", "TurnStarted", "TextDelta", "ToolStarted", "TextDelta",
    ]  # fmt: skip
    assert [event.text for event in told if isinstance(event, TextDelta)] == ["one two ", "three"]
    assert bus.so_far("b") == ()
    with bus.attend("a"):
        bus.publish(TurnFinished(**head, text="done", usage=Usage()))
    assert bus.so_far("a") == ()


async def test_a_notice_waits_for_a_person():
    bus = Bus()
    head = {"conversation_id": "a", "turn_id": "t", "at": 0}
    bus.publish(_notice("a", "unfinished write"))
    bus.publish(TurnFinished(**head, text="done", usage=Usage()))
    assert [event.text for event in bus.so_far("a")] == ["unfinished write"]  # a script looks
    with bus.attend("a"):
        assert [event.text for event in bus.so_far("a")] == ["unfinished write"]
        assert bus.so_far("a") == ()
        bus.publish(_notice("a", "seen"))
        bus.publish(TurnFinished(**head, text="done", usage=Usage()))
    assert bus.so_far("a") == ()


async def test_nobody_watching_is_nobody_waiting():
    Bus().publish(_notice("a", "unheard"))
