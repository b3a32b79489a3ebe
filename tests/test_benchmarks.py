"""The comparison is only as good as its endpoint and its table."""

import json
import math
import subprocess
import sys
import urllib.request

import pytest

from benchmarks import Row, at_least, at_most, note
from benchmarks.__main__ import table
from benchmarks.measure import fsync_ms, home, run
from benchmarks.peers.service import Asked, gaps_ms, serve
from benchmarks.terminal import terminal

SHELL = {
    "type": "object",
    "properties": {"command": {"type": "string"}, "timeout": {"type": "integer"}},
    "required": ["command"],
}


@pytest.fixture(scope="module")
def service():
    with serve() as running:
        yield running


def post(url, body):
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read().decode()


def chat(service, messages, *, stream=False):
    tool = {"type": "function", "function": {"name": "Bash", "parameters": SHELL}}
    body = {"model": "fake", "messages": messages, "tools": [tool], "stream": stream}
    return post(f"{service.url}/chat/completions", body)


def calls_in(answer):
    message = json.loads(answer)["choices"][0]["message"]
    return [
        json.loads(call["function"]["arguments"])["command"]
        for call in message.get("tool_calls", ())
    ]


def test_endpoint_asks_for_rounds_then_answers(service):
    messages = [{"role": "user", "content": "SCN_TOOLS=2 go"}]
    asked = []
    while commands := calls_in(answer := chat(service, messages)):
        asked += commands
        messages.append(json.loads(answer)["choices"][0]["message"])
        messages.append({"role": "tool", "tool_call_id": "x", "content": "hi"})
    assert asked == ["echo hi 0", "echo hi 1"]
    assert json.loads(answer)["choices"][0]["message"]["content"] == "pong"


def test_endpoint_asks_for_calls_together(service):
    answer = chat(service, [{"role": "user", "content": "SCN_PAR=3 SCN_SLEEP=1 go"}])
    assert calls_in(answer) == [f"sleep 1; echo hi {i}" for i in range(3)]


def test_endpoint_takes_the_newest_words(service):
    told = [
        {"role": "user", "content": "SCN_TOOLS=1 go"},
        {"role": "assistant", "content": "pong"},
        {"role": "user", "content": [{"type": "text", "text": "SCN_PAR=2 go"}]},
    ]
    assert len(calls_in(chat(service, told))) == 2


def test_endpoint_streams_the_same(service):
    words = [{"role": "user", "content": "SCN_TOOLS=1 go"}]
    lines = chat(service, words, stream=True).split("\n\n")
    assert lines[-2] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    calls = [
        call
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    assert [json.loads(call["function"]["arguments"])["command"] for call in calls] == ["echo hi 0"]
    assert chunks[-1]["usage"]["prompt_tokens"] > 0


def test_endpoint_speaks_responses(service):
    tool = {"type": "function", "name": "exec_command", "parameters": SHELL}
    user = {"role": "user", "content": [{"type": "input_text", "text": "SCN_TOOLS=1 go"}]}
    body = {"model": "fake", "input": [user], "tools": [tool]}
    first = json.loads(post(f"{service.url}/responses", body))["output"]
    assert [(one["type"], one["name"]) for one in first] == [("function_call", "exec_command")]
    done = {"type": "function_call_output", "call_id": first[0]["call_id"], "output": "hi"}
    body["input"] = [user, first[0], done]
    streamed = post(f"{service.url}/responses", body | {"stream": True})
    assert '"text": "pong"' in streamed
    assert "event: response.completed" in streamed


def test_log_tells_sizes_and_instants(service):
    before = len(service.asked())
    chat(service, [{"role": "system", "content": "12345"}, {"role": "user", "content": "ping"}])
    asked = service.asked()
    assert len(asked) == before + 1
    assert asked[-1].system == 5
    assert asked[-1].tools == 1
    assert asked[-1].at <= asked[-1].done


def test_gap_is_from_a_call_to_the_next_request():
    def one(at, done, calls, tools=1):
        return Asked(at, done, 1, 1, tools, 1, calls, 1)

    asked = [one(0, 1, ["a"]), one(1.1, 1.2, [], tools=0), one(1.5, 2, ["a"]), one(2.25, 3, [])]
    assert gaps_ms(asked) == pytest.approx([500, 250])


def test_table_names_what_missed():
    rows = [at_most("a", 2, "s", 1), at_least("b", 2, "s", 1), note("c", "not here")]
    assert [row.ok for row in rows] == [False, True, None]
    lines = table(rows).splitlines()
    assert lines[1].split() == ["a", "2", "s", "<=", "1", "MISSED"]
    assert lines[2].split() == ["b", "2", "s", ">=", "1", "ok"]
    assert lines[3].split() == ["c", "-", "not", "here"]


def test_not_a_number_misses_its_limit():
    assert at_most("a", math.nan, "s", 1).ok is False
    assert isinstance(at_least("a", math.nan, "s", 1), Row)


def test_run_counts_a_process_and_bounds_it():
    with home() as env:
        busy = run([sys.executable, "-c", "sum(range(10**7))"], env)
        idle = run([sys.executable, "-c", "pass"], env)
        killed = run([sys.executable, "-c", "import time; time.sleep(60)"], env, limit_s=0.3)
    assert busy.code == idle.code == 0
    assert busy.cpu > idle.cpu
    assert busy.rss > 1
    assert killed.code < 0


def test_fsync_is_measured(tmp_path):
    assert fsync_ms(tmp_path, 3) > 0


def test_terminal_is_one():
    program = "import sys; print(sys.stdin.isatty()); print('ready> ', end='', flush=True); input()"
    with home() as env, terminal([sys.executable, "-c", program], env, quit_by="\r") as screen:
        screen.wait_for("ready> ", 20)
        assert "True" in screen.text
        with pytest.raises(TimeoutError, match="nothing such"):
            screen.wait_for("nothing such", 0.01)
    assert screen.child.returncode == 0


def test_unknown_script_is_refused():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nothing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nothing" in done.stderr
