"""Stops and owners that close, in every phase of a turn: one final event, nothing lost."""

import json

import anyio
import pytest
from house import House, call, calls, conversation_of, kinds, play
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.config import Limits
from hermes.core.clock import SystemClock
from hermes.core.event import ApprovalAsked, ToolFinished, ToolStarted, is_final
from hermes.gateway.client import RemoteError
from hermes.store.store import Store

SLOW = {"text": "one two three four five six", "chunk_delay_s": 0.05}
SLEEP = call("Bash", command="sleep 60")
WRITE = call("FileWrite", path="a", content="1")
PHASES = {
    "TurnStarted": [{"text": "late", "delay_s": 60}],
    "TextDelta": [SLOW],
    "ToolStarted": [SLEEP],
    "ApprovalAsked": [WRITE],
    "ToolFinished": [call("Status"), {"text": "late", "delay_s": 60}],
}

LONG = {"TurnStarted", "ToolStarted", "ToolFinished"}  # would take a minute


async def _history(client, conversation):
    shown = await client.query("conversations.show", id=conversation)
    return [(m["role"], m["parts"]) for m in shown["messages"]]


@pytest.mark.parametrize("phase", PHASES)
async def test_a_stop_ends_any_phase_once_and_the_next_turn_works(house, phase):
    model = house.script(*PHASES[phase])
    async with house.client(interactive=True) as client:
        seen = []
        with anyio.fail_after(10):
            async with client.turn(house.request(model=model, interactive=True)) as events:
                async for event in events:
                    seen.append(event)
                    if type(event).__name__ == phase:
                        assert await client.stop(event.conversation_id) is not None
                        await client.stop(event.conversation_id)
        conversation = conversation_of(seen)
        assert seen[-1].kind == "TurnStopped"
        assert sum(map(is_final, seen)) == 1
        started = [one.call_id for one in seen if isinstance(one, ToolStarted)]
        finished = [one for one in seen if isinstance(one, ToolFinished)]
        assert [one.call_id for one in finished] == started
        if phase == "ToolStarted":
            assert finished[0].result == "error: stopped"
        fine = house.script({"text": "fine"}, name="fine")
        events = await play(client, house.request(model=fine, conversation_id=conversation))
        history = await _history(client, conversation)
    assert events[-1].text == "fine"
    asked = [p["id"] for _, parts in history for p in parts if p["type"] == "tool_call"]
    told = [p["call_id"] for _, parts in history for p in parts if p["type"] == "tool_result"]
    assert asked == told
    roles = [role for role, _ in history]
    assert roles[-3:] == ["assistant", "user", "assistant"]
    async with Store.open(house.settings.data_dir / "hermes.db", SystemClock()) as store:
        assert await store.approvals.open() == ()
        asked = await store.approvals.of_turn(seen[0].turn_id)
        assert all(json.loads(one.arguments) == {"path": "a", "content": "1"} for one in asked)
        assert await store.verify() == ()


async def test_what_was_said_before_a_tool_is_not_said_again_by_a_stop(house):
    model = house.script({"text": "I look.", **SLEEP})
    async with house.client() as client:
        async with client.turn(house.request(model=model)) as events:
            async for event in events:
                if type(event).__name__ == "ToolStarted":
                    await client.stop(event.conversation_id)
        history = await _history(client, event.conversation_id)
    assert history[-1][1][0]["text"] == "[stopped]"


async def test_a_stop_leaves_the_queue_alone(house):
    slow = house.script({"text": "late", "delay_s": 60}, name="slow")
    quick = house.script({"text": "quick"}, name="quick")
    first = house.script({"text": "."}, name="first")
    async with house.client() as client:
        conversation = conversation_of(await play(client, house.request(model=first)))
        done = []

        async def ask(model):
            done.append(
                await play(client, house.request(model=model, conversation_id=conversation))
            )

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, slow)
                while not (await client.status())["running"]:
                    await anyio.lowlevel.checkpoint()
                tasks.start_soon(ask, quick)
                while not (await client.status())["running"][0]["waiting"]:
                    await anyio.lowlevel.checkpoint()
                assert await client.stop(conversation)
    assert [events[-1].turn_id == events[0].turn_id for events in done] == [True, True]
    assert [kinds(events)[-1] for events in done] == ["TurnFailed", "TurnFinished"]


@pytest.mark.parametrize("phase", PHASES)
async def test_an_owner_that_closes_in_any_phase_leaves_the_turn_resumable(house, phase):
    model = house.script(*PHASES[phase], *([{"text": "done"}] * 2))
    request = house.request(model=model, interactive=True)
    async with anyio.create_task_group() as owning:

        async def owner():
            async with house.client(interactive=True) as client, client.turn(request) as events:
                async for event in events:
                    if type(event).__name__ == phase:
                        owning.cancel_scope.cancel()

        owning.start_soon(owner)
    async with house.client() as client:
        seen = []
        with anyio.fail_after(10):
            async with client.turn(request) as events:
                async for event in events:
                    seen.append(event)
                    if isinstance(event, ApprovalAsked):
                        await client.approve(event.call_id, "yes")
                    if type(event).__name__ == "TurnStarted" and phase in LONG:
                        await client.stop(event.conversation_id)
        history = await _history(client, conversation_of(seen))
    assert seen[0].resumed
    assert sum(map(is_final, seen)) == 1
    assert [role for role, _ in history].count("user") == 1
    asked = [p["id"] for _, parts in history for p in parts if p["type"] == "tool_call"]
    told = [p["call_id"] for _, parts in history for p in parts if p["type"] == "tool_result"]
    assert asked == told
    if phase == "ApprovalAsked":
        assert (house.project / "a").read_text() == "1"


async def test_a_stop_and_a_close_at_once_are_a_stop(house):
    request = house.request(model=house.script({"text": "late", "delay_s": 60}))
    async with anyio.create_task_group() as owning:

        async def owner():
            async with house.client(interactive=True) as client, client.turn(request) as events:
                started = await anext(aiter(events))
                await client.stop(started.conversation_id)
                owning.cancel_scope.cancel()

        owning.start_soon(owner)
    async with Store.open(house.settings.data_dir / "hermes.db", SystemClock()) as store:
        assert (await store.turns.get(request.turn_id)).state == "stopped"


async def test_the_rest_of_a_step_runs_after_a_take_over_and_results_keep_their_order(house):
    (house.project / "a").write_text("alpha")
    model = house.script(
        calls(
            ("FileRead", {"path": "a"}),
            ("Bash", {"command": "touch one"}),
            ("Bash", {"command": "touch two && sleep 60"}),
            ("FileRead", {"path": "a"}),
        ),
        {"text": "done"},
    )
    request = house.request(model=model, yes=True)
    async with anyio.create_task_group() as owning:

        async def owner():
            async with house.client(interactive=True) as client, client.turn(request) as events:
                started = 0
                async for event in events:
                    started += type(event).__name__ == "ToolStarted"
                    if started == 3:
                        owning.cancel_scope.cancel()

        owning.start_soon(owner)
    (house.project / "one").unlink()
    async with house.client() as client:
        events = await play(client, request)
        history = await _history(client, conversation_of(events))
    results = [part for part in history[2][1] if part["type"] == "tool_result"]
    asked = [part["id"] for part in history[1][1] if part["type"] == "tool_call"]
    assert [result["call_id"] for result in results] == asked
    assert [result["ok"] for result in results] == [True, True, False, True]
    assert not (house.project / "one").exists()
    assert events[-1].text == "done"


async def test_an_undone_unfinished_turn_is_not_resumed(house):
    request = house.request(model=house.script({"text": "late", "delay_s": 60}))
    conversation = ""
    async with anyio.create_task_group() as owning:

        async def owner():
            nonlocal conversation
            async with house.client(interactive=True) as client, client.turn(request) as events:
                conversation = (await anext(aiter(events))).conversation_id
                owning.cancel_scope.cancel()

        owning.start_soon(owner)
    async with house.client() as client:
        await client.query("conversations.undo", id=conversation, apply=True)
    async with house.client(interactive=True) as client:
        assert (await client.status())["running"] == []
        assert await _history(client, conversation) == []


async def test_who_asks_twice_at_once_gets_one_turn(house):
    request = house.request(model=house.script({"text": "once"}, {"text": "twice"}))
    async with house.client() as first, house.client() as second:
        done = []

        async def ask(client):
            done.append((await play(client, request))[-1].text)

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, first)
                tasks.start_soon(ask, second)
        listed = await first.query("conversations.list")
    assert done == ["once", "once"]
    assert [info["messages"] for info in listed] == [2]


async def test_a_short_owner_stays_until_its_visitors_are_served(house):
    first = house.script({"text": "."}, name="first")
    slow = house.script({"text": "a", "delay_s": 0.1}, {"text": "b"}, name="slow")
    done = []
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            gone = anyio.Event()

            async def visit(ready):
                async with house.client() as visitor:
                    conversation = conversation_of(await play(visitor, house.request(model=first)))

                    async def ask(text):
                        request = house.request(text, model=slow, conversation_id=conversation)
                        done.append((await play(visitor, request))[-1].text)

                    async with anyio.create_task_group() as asking:
                        asking.start_soon(ask, "1")
                        asking.start_soon(ask, "2")
                        while len((await visitor.status())["running"]) == 0:
                            await anyio.lowlevel.checkpoint()
                        ready.set()
                    assert not gone.is_set() or not visitor.hello.owner_is_us

            async with house.client():
                ready = anyio.Event()
                tasks.start_soon(visit, ready)
                await ready.wait()
            gone.set()
    assert done == ["a", "b"]


async def test_an_approval_waits_for_a_person_who_comes_back_and_then_no_longer(tmp_path):
    house = House(tmp_path, limits=Limits(approval_s=30))
    model = house.script(WRITE, {"text": "ok"})
    request = house.request(model=model, interactive=True)
    async with house.client() as owner:
        async with house.client() as visitor, visitor.turn(request) as events:
            async for event in events:
                if isinstance(event, ApprovalAsked):
                    break
        async with house.client() as other:
            with anyio.fail_after(5):
                async with other.watch(event.conversation_id, interactive=True) as events:
                    asked = event
                    async for asked in events:  # first what the turn told so far
                        if isinstance(asked, ApprovalAsked):
                            break
                    assert asked.call_id == event.call_id
                    assert await other.approve(asked.call_id, "yes")
                    assert not await owner.approve(asked.call_id, "no")
                    async for event in events:
                        if is_final(event):
                            break
    assert (house.project / "a").read_text() == "1"


async def test_a_late_answer_to_nobody(tmp_path):
    house = House(tmp_path, limits=Limits(approval_s=0.1))
    model = house.script(WRITE, {"text": "ok"})
    async with house.client() as client:
        events = await play(client, house.request(model=model, interactive=True))
    answered = next(event for event in events if type(event).__name__ == "ApprovalAnswered")
    assert (answered.answer, answered.by) == ("no", "timeout")
    assert "no answer within" in answered.reason
    assert events[-1].denied == 1


_lines = st.lists(
    st.sampled_from(
        [
            call("Status"),
            call("ListDir", path="."),
            calls(("Status", {}), ("FileWrite", {"path": "w", "content": "x"}), ("Status", {})),
            call("Bash", command="sleep 0.05"),
            call("NoSuchTool"),
            {"text": "words come slowly", "chunk_delay_s": 0.01},
            {"error": "the model is ill"},
        ]
    ),
    min_size=1,
    max_size=5,
)


@given(lines=_lines, stop_at=st.integers(0, 25), twice=st.booleans())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_turn_ends_once_and_its_story_is_in_order(
    tmp_path_factory, lines, stop_at, twice
):
    house = House(tmp_path_factory.mktemp("house"))
    async with house.client() as client:
        seen = []
        with anyio.fail_after(10):
            request = house.request(model=house.script(*lines), yes=True)
            async with client.turn(request) as events:
                async for event in events:
                    if len(seen) == stop_at:
                        await client.stop(event.conversation_id)
                        if twice:
                            await client.stop(event.conversation_id)
                    seen.append(event)
        history = await _history(client, conversation_of(seen))
    names = [type(event).__name__ for event in seen]
    assert names[0] == "TurnStarted"
    assert [is_final(event) for event in seen] == [False] * (len(seen) - 1) + [True]
    called = [event.call_id for event in seen if type(event).__name__ == "ToolCalled"]
    for event in seen:
        if type(event).__name__ in {"ToolStarted", "ToolFinished"}:
            assert event.call_id in called
    asked = [p["id"] for _, parts in history for p in parts if p["type"] == "tool_call"]
    told = [p["call_id"] for _, parts in history for p in parts if p["type"] == "tool_result"]
    assert asked == told
    assert history[0][0] == "user"
    assert history[-1][0] == "assistant"


async def _die_at(house, request, phase, name=""):
    """An owner that is gone as soon as the turn got so far."""
    async with anyio.create_task_group() as owning:

        async def owner():
            async with house.client(interactive=True) as client, client.turn(request) as events:
                async for event in events:
                    if type(event).__name__ == phase and (not name or event.name == name):
                        owning.cancel_scope.cancel()

        owning.start_soon(owner)


async def test_a_script_goes_on_where_it_was_however_often_owners_die(house):
    model = house.script(
        call("Status"), call("ListDir", path="."), call("Glob", pattern="*"), {"text": "done"}
    )
    request = house.request(model=model)
    await _die_at(house, request, "ToolCalled", "ListDir")
    await _die_at(house, request, "ToolCalled", "Glob")
    async with house.client() as client:
        events = await play(client, request)
        history = await _history(client, conversation_of(events))
    asked = [p["name"] for _, parts in history for p in parts if p["type"] == "tool_call"]
    assert asked == ["Status", "ListDir", "Glob"]
    assert events[-1].text == "done"


async def test_a_turn_that_takes_every_owner_down_is_given_up(house):
    request = house.request(model=house.script({"text": "late", "delay_s": 60}))
    for _ in range(3):
        await _die_at(house, request, "TurnStarted")
    async with house.client(interactive=True) as client:
        assert (await client.status())["running"] == []
        with pytest.raises(RemoteError, match="interrupted 3 times"):
            await play(client, request)
        listed = await client.query("conversations.list")
        again = house.script({"text": "fine"}, name="again")
        request = house.request(model=again, conversation_id=listed[0]["id"])
        assert (await play(client, request))[-1].text == "fine"
