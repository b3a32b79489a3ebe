"""Turns through the owner's door, on scripted models and real files."""

import anyio
import pytest
from house import TIGHT, House, call, calls, conversation_of, kinds, play, result_of

from hermes.core.event import ApprovalAsked, TextDelta


async def test_an_answer_is_streamed_and_stored(house):
    model = house.script({"text": "Hello there, owner."})
    async with house.client() as client:
        events = await play(client, house.request("hi", model=model))
        shown = await client.query("conversations.show", id=conversation_of(events))
    assert kinds(events) == ["TurnStarted", "TurnFinished"]
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert said == events[-1].text == "Hello there, owner."
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant"]
    assert shown["title"] == "hi"


async def test_a_tool_reads_a_real_file(house):
    (house.project / "a.txt").write_text("alpha\n")
    model = house.script(call("FileRead", path="a.txt"), {"text": "It says alpha."})
    async with house.client() as client:
        events = await play(client, house.request(model=model))
    assert kinds(events) == [
        "TurnStarted", "ToolCalled", "ToolStarted", "ToolFinished", "TurnFinished",
    ]  # fmt: skip
    assert result_of(events) == "alpha\n"
    assert events[-1].denied == 0


async def test_a_write_needs_a_yes_and_nobody_is_there(house):
    model = house.script(call("FileWrite", path="new.txt", content="x"), {"text": "done!"})
    async with house.client() as client:
        events = await play(client, house.request(model=model))
    assert not (house.project / "new.txt").exists()
    assert events[-1].denied == 1
    assert "not approved" in result_of(events)


async def test_yes_answers_what_asks(house):
    (house.project / "f").write_text("beta and beta\n")
    model = house.script(call("FileEdit", path="f", old="beta", new="delta"), {"text": "ok"})
    async with house.client() as client:
        events = await play(client, house.request(model=model, yes=True))
    assert (house.project / "f").read_text() == "delta and delta\n"
    assert result_of(events) == "changed 2"
    assert events[-1].denied == 0


async def test_yes_never_answers_what_is_denied(house):
    model = house.script(call("FileWrite", path="../escaped", content="x"), {"text": "ok"})
    async with house.client() as client:
        events = await play(client, house.request(model=model, yes=True))
    assert not (house.base / "escaped").exists()
    assert events[-1].denied == 1


@pytest.mark.parametrize(
    ("command", "runs"), [("echo hi", True), ("echo hi; rm -rf x", False), ("rm x", False)]
)
async def test_only_commands_known_to_read_run_unasked(house, command, runs):
    (house.project / "x").write_text("keep")
    model = house.script(call("Bash", command=command), {"text": "ok"})
    async with house.client() as client:
        events = await play(client, house.request(model=model))
    assert ("exit code 0" in result_of(events)) == runs
    assert (house.project / "x").read_text() == "keep"


async def test_an_approval_goes_to_the_person(house):
    model = house.script(
        call("FileWrite", path="a", content="1"),
        call("FileWrite", path="a", content="2"),
        {"text": "ok"},
    )
    async with house.client(interactive=True) as client:
        asked = []
        async with client.turn(house.request(model=model, interactive=True)) as events:
            async for event in events:
                if isinstance(event, ApprovalAsked):
                    asked.append(event)
                    answer = "yes" if len(asked) == 1 else "no"
                    assert await client.approve(event.call_id, answer, "not twice")
                    assert not await client.approve(event.call_id, "yes")
    assert "+1" in asked[0].diff
    assert (house.project / "a").read_text() == "1"


async def test_always_is_asked_once(house):
    model = house.script(
        call("Bash", command="touch made"), call("Bash", command="touch made"), {"text": "ok"}
    )
    async with house.client(interactive=True) as client:
        asked = 0
        async with client.turn(house.request(model=model, interactive=True)) as events:
            async for event in events:
                if isinstance(event, ApprovalAsked):
                    asked += 1
                    assert event.rule
                    await client.approve(event.call_id, "always")
    assert asked == 1
    assert (house.project / "made").exists()


async def test_nonsense_calls_end_in_clear_answers(house):
    model = house.script(
        calls(
            ("NoSuchTool", {}),
            ("FileRead", {"path": 5}),
            ("FileRead", {}),
            ("Grep", {"pattern": "(", "path": "."}),
            ("FileRead", {"path": "../../etc/passwd"}),
        ),
        {"text": "sorry"},
    )
    async with house.client() as client:
        events = await play(client, house.request(model=model))
    results = [e.result for e in events if type(e).__name__ == "ToolFinished"]
    assert len(results) == 5
    assert all(result.startswith("error:") for result in results)
    assert events[-1].text == "sorry"


async def test_steps_and_repeats_end_the_run(tmp_path):
    house = House(tmp_path, limits=TIGHT)
    many = house.script(*[call("Bash", command=f"echo {n}") for n in range(9)], name="many")
    same = house.script(*[call("Bash", command="echo 1")] * 9, name="same")
    async with house.client() as client:
        events = await play(client, house.request(model=many))
        assert (events[-1].kind, events[-1].remedy[:3]) == ("TurnLimitReached", "say")
        again = await play(client, house.request(model=same))
        assert "same call" in again[-1].error
        shown = await client.query("conversations.show", id=conversation_of(again))
    roles = [message["role"] for message in shown["messages"]]
    assert roles == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]


async def test_a_stopped_turn_keeps_what_was_said(house):
    model = house.script({"text": "one two three four", "chunk_delay_s": 0.05, "delay_s": 0})
    async with house.client() as client:
        request = house.request(model=model)
        async with client.turn(request) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    await client.stop(event.conversation_id)
                last = event
        assert last.kind == "TurnStopped"
        shown = await client.query("conversations.show", id=last.conversation_id)
        assert shown["messages"][-1]["parts"][0]["text"].startswith("one")
        model = house.script({"text": "again"}, name="two")
        events = await play(
            client, house.request(model=model, conversation_id=last.conversation_id)
        )
    assert events[-1].text == "again"


async def test_a_stopped_command_is_gone(house):
    model = house.script(call("Bash", command="sleep 300"), {"text": "never"})
    async with house.client() as client:
        with anyio.fail_after(10):
            async with client.turn(house.request(model=model)) as events:
                async for event in events:
                    if type(event).__name__ == "ToolStarted":
                        await client.stop(event.conversation_id)
                    last = event
    assert last.kind == "TurnStopped"


async def test_an_exhausted_script_fails_the_turn_only(house):
    empty = house.script(call("Bash", command="echo 1"), name="short")
    fine = house.script({"text": "fine"})
    async with house.client() as client:
        events = await play(client, house.request(model=empty))
        assert events[-1].kind == "ScriptExhausted"
        conversation = conversation_of(events)
        events = await play(client, house.request(model=fine, conversation_id=conversation))
    assert events[-1].text == "fine"


async def test_messages_of_one_conversation_wait_for_each_other(house):
    model = house.script({"text": "first", "delay_s": 0.05}, {"text": "second"})
    async with house.client() as client:
        first = await play(client, house.request("0", model=house.script({"text": "."}, name="n")))
        conversation = conversation_of(first)
        done = []

        async def ask(text):
            events = await play(
                client, house.request(text, model=model, conversation_id=conversation)
            )
            done.append(events[-1].text)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "a")
            tasks.start_soon(ask, "b")
    assert done == ["first", "second"]


async def test_asking_twice_is_asking_once(house):
    model = house.script({"text": "once"}, {"text": "twice"})
    request = house.request(model=model)
    async with house.client() as client:
        first = await play(client, request)
        second = await play(client, request)
    assert first[-1].text == second[-1].text == "once"


async def test_what_may_not_be_read_is_not_found_either(tmp_path):
    house = House(tmp_path, rules={"deny": ("FileRead(.env)",)})
    (house.project / ".env").write_text("KEY=walrus\n")
    (house.project / "a.txt").write_text("walrus\n")
    model = house.script(
        calls(
            ("Grep", {"pattern": "walrus", "path": "."}),
            ("Glob", {"pattern": "**/*", "path": "."}),
            ("FileRead", {"path": ".env"}),
        ),
        {"text": "ok"},
    )
    async with house.client() as client:
        events = await play(client, house.request(model=model, yes=True))
    results = {e.name: e.result for e in events if type(e).__name__ == "ToolFinished"}
    assert results["Grep"] == "a.txt:1: walrus"
    assert results["Glob"] == "a.txt"
    assert results["FileRead"].startswith("error: denied by policy")
    assert events[-1].denied == 1
