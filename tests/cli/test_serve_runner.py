"""`hermes serve runner --stdio`, driven as any program would: by the SDK's own client."""

import json
import os
import signal
import subprocess
import sys

import anyio
import pytest
from mcp import MCPError
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

WRITES = {"name": "FileWrite", "arguments": {"path": "made.txt", "content": "1"}}
SCRIPTS = {
    "plain": [{"text": "a plain answer"}],
    "lists": [{"tool_calls": [{"name": "ListDir", "arguments": {"path": "."}}]}, {"text": "done"}],
    "writes": [{"tool_calls": [WRITES]}, {"text": "written"}],
    "slow": [{"text": "first " * 400, "chunk_delay_s": 0.05}],
    "wrong": [{"error": "no such model"}],
}


@pytest.fixture
def place(tmp_path):
    for name in ("project", "scripts"):
        (tmp_path / name).mkdir()
    for name, lines in SCRIPTS.items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / "scripts" / name).write_text(text)
    return tmp_path


def server(place, *more):
    scripts = str(place / "scripts")
    words = ("-m", "hermes.cli.main", "serve", "runner", "--stdio", "--scripts", scripts)
    model = ("--model", f"scripted:{place / 'scripts' / 'plain'}")
    return StdioServerParameters(
        command=sys.executable,
        args=[*words, *model, *more],
        env={"HERMES_V2_HOME": str(place / "home"), "HOME": str(place), "PATH": os.environ["PATH"]},
        cwd=place / "project",
    )


async def ask(client, name, **arguments):
    answer = await client.call_tool(f"runner.{name}", arguments)
    assert not answer.is_error, answer.structured_content
    assert json.loads(answer.content[0].text) == answer.structured_content
    return answer.structured_content


async def until(client, kinds, **arguments):
    """Run a turn; `kinds` maps an event's type to what is done with it."""
    told = []

    async def progress(_number, _total, message):
        event = json.loads(message)
        told.append(event["type"])
        if act := kinds.get(event["type"]):
            await act(event)

    answer = await client.call_tool("runner.chat", arguments, progress_callback=progress)
    return answer.structured_content, told


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_everything_in_both_eras(place, era):
    async with Client(server(place, "--mode", "auto"), mode=era) as client:
        listed = (await client.list_tools()).tools
        assert listed[0].name == "runner.chat"
        assert all(tool.input_schema["type"] == "object" for tool in listed)
        turn, told = await until(client, {}, text="what is here?", script="lists")
        assert (turn["ok"], turn["text"]) == (True, "done")
        assert told == [
            "turn_started", "tool_called", "tool_started", "tool_finished",
            "text_delta", "turn_finished",
        ]  # fmt: skip
        here = turn["conversation_id"]
        again = await ask(client, "chat", text="again", script="plain", conversation_id=here)
        assert again["conversation_id"] == here
        shown = await ask(client, "history", conversation_id=here, offset=4)
        assert [one["parts"][0]["text"] for one in shown["messages"]] == ["again", "a plain answer"]
        assert (await ask(client, "search", query="plain"))["hits"][0]["conversation"] == here
        assert len((await ask(client, "history"))["conversations"]) == 1
        export = (await ask(client, "export", conversation_id=here))["conversation"]
        assert [one["state"] for one in export["turns"]] == ["finished", "finished"]
        assert (
            "## You"
            in (await ask(client, "export", conversation_id=here, format="markdown"))["markdown"]
        )
        assert (await ask(client, "status"))["running"] == []
        wrong = await client.call_tool("runner.chat", {"text": "x", "yes": True})
        assert wrong.is_error
        assert wrong.structured_content["kind"] == "Usage"
        unknown = await client.call_tool("runner.history", {"conversation_id": here[:-1] + "x"})
        assert unknown.structured_content["kind"] == "ConversationUnknown"
        failed = await ask(client, "chat", text="x", script="wrong")
        assert (failed["ok"], failed["kind"]) == (False, "ModelRefused")


async def test_an_approval_is_answered_while_the_turn_waits(place):
    async with Client(server(place)) as client:

        async def yes(event):
            assert await ask(client, "approve", call_id=event["call_id"], answer="yes")

        asked = {"text": "write", "script": "writes"}
        refused, _ = await until(client, {}, **asked)
        assert refused["denied"] == 1
        assert not (place / "project" / "made.txt").exists()
        async with anyio.create_task_group() as tasks:

            async def later(event):
                tasks.start_soon(yes, event)

            allowed, told = await until(
                client, {"approval_asked": later}, **asked, interactive=True
            )
        assert allowed["denied"] == 0
        assert "approval_answered" in told
        assert (place / "project" / "made.txt").read_text() == "1"


async def test_a_turn_is_stopped_by_the_tool_and_by_cancelling_the_call(place):
    async with Client(server(place)) as client, anyio.create_task_group() as tasks:

        async def stop(event):
            tasks.start_soon(ask_stop, event["conversation_id"])

        async def ask_stop(conversation):
            assert (await ask(client, "stop", conversation_id=conversation))["stopped"]

        turn, _ = await until(client, {"text_delta": stop}, text="x", script="slow")
        assert turn["kind"] == "TurnStopped"

        scope = anyio.CancelScope()

        async def leave(event):
            here.append(event["conversation_id"])
            scope.cancel()

        here = []
        with scope:
            await until(client, {"text_delta": leave}, text="y", script="slow")
        with anyio.fail_after(10):
            while (await ask(client, "status"))["running"]:  # each asking is a round trip
                pass
        turns = (await ask(client, "export", conversation_id=here[0]))["conversation"]["turns"]
        assert turns[-1]["state"] == "stopped"


async def test_what_was_acknowledged_is_there_after_kill_9(place):
    async with Client(server(place)) as client:
        status = await ask(client, "status")
        here = (await ask(client, "chat", text="remember this", script="plain"))["conversation_id"]
        os.kill(status["pid"], signal.SIGKILL)
        with pytest.raises(MCPError):
            await ask(client, "status")
    async with Client(server(place)) as client:
        shown = await ask(client, "history", conversation_id=here)
        texts = [one["parts"][0]["text"] for one in shown["messages"]]
        assert texts == ["remember this", "a plain answer"]


def test_lines_and_nothing_else_come_out(place):
    """Without the SDK: what any language can do."""
    start = {"protocolVersion": "2025-11-25", "capabilities": {}}
    start["clientInfo"] = {"name": "t", "version": "1"}
    said = [
        {"id": 1, "method": "initialize", "params": start},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "runner.status", "arguments": {}}},
    ]  # fmt: skip
    one = server(place)
    process = subprocess.Popen(
        [one.command, *one.args], env=one.env, cwd=one.cwd, stdin=-1, stdout=-1, stderr=-1
    )
    with process:
        process.stdin.write(b"no json\n")
        for message in said:
            process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n")
        process.stdin.flush()
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=20)
    assert {line["id"] for line in lines} == {1, 2}, lines
    assert (rest, errors, process.returncode) == (b"", b"", 143)


def piped(place, *messages):
    one = server(place)
    start = {"protocolVersion": "2025-11-25", "capabilities": {}}
    start["clientInfo"] = {"name": "t", "version": "1"}
    said = [{"id": 0, "method": "initialize", "params": start}, *messages]
    text = b"".join(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n" for message in said)
    return [one.command, *one.args], {"env": one.env, "cwd": one.cwd}, text


def test_what_was_piped_in_is_answered_before_the_end(place):
    params = {"name": "runner.chat", "arguments": {"text": "hello"}}
    command, more, text = piped(place, {"id": 1, "method": "tools/call", "params": params})
    done = subprocess.run(command, **more, input=text, capture_output=True, check=True)
    answers = {line["id"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert answers[1]["result"]["structuredContent"]["text"] == "a plain answer"
    assert done.stderr == b""


def test_who_does_not_listen_is_no_defect(place):
    command, more, text = piped(place, {"id": 1, "method": "tools/list"})
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        command, **more, input=text, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_is_no_client(shell):
    assert shell.run("serve", "runner", "--stdio", tty=True) == 4
    assert "MCP client" in shell.err


def test_the_way_must_be_named(shell):
    assert shell.run("serve", "runner", stdin="x") == 2
