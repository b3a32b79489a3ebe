"""The shipped GGUF through the `hermes` command: real files, real events, real exit codes."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from stranger import call

from benchmarks.measure import HERMES

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
COMMON = {"type", "conversation_id", "turn_id", "at"}
AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SECOND_ENGINE = "llama-cpp-python is installed here"


def documented() -> dict[str, set[str]]:
    """Event type to its fields, as the page tells it."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE.read_text(), re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", fields)) for name, fields in rows}


def test_it_reads_a_real_file_and_prints_its_events(stranger):
    stranger.write("README.md", "# Walrus\n\nA page about walruses.\n")
    done = stranger.ask("read README.md")
    assert done.code == 0, done
    called, finished = done.of("tool_called"), done.of("tool_finished")
    assert [(e["name"], e["arguments"], e["effect"]) for e in called] == [
        ("FileRead", {"path": "README.md"}, "read")
    ]
    assert [(e["result"], e["ok"]) for e in finished] == [
        ("# Walrus\n\nA page about walruses.\n", True)
    ]
    kinds = [event["type"] for event in done.events if event["type"] != "text_delta"]
    assert kinds == [
        "turn_started",
        "tool_called",
        "tool_started",
        "tool_finished",
        "turn_finished",
    ]


def test_the_events_are_as_documented(stranger):
    stranger.write("README.md", "# Walrus\n")
    done = stranger.ask("read README.md")
    pages = documented()
    for event in done.events:
        assert set(event) == COMMON | pages[event["type"]]
        assert AT.fullmatch(event["at"])
    assert len({(e["conversation_id"], e["turn_id"]) for e in done.events}) == 1
    streamed = "".join(event["text"] for event in done.of("text_delta"))
    assert streamed == done.last["text"]
    usage = done.last["usage"]
    assert usage["steps"] == 2
    assert 0 < usage["cached_tokens"] < usage["prompt_tokens"]
    assert usage["completion_tokens"] > 0


def test_it_changes_exactly_what_it_was_told(stranger):
    notes = stranger.write("notes.txt", "alpha beta\r\ngamma beta.\n\nbetamax \xfc\n")
    other = stranger.write("other.txt", "beta\n")
    done = stranger.run("chat", "-m", "replace beta with delta in notes.txt", "--yes")
    assert done.code == 0, done
    assert notes.read_bytes() == "alpha delta\r\ngamma delta.\n\ndeltamax \xfc\n".encode()
    assert other.read_text() == "beta\n"
    assert {path.name for path in stranger.project.iterdir()} == {"notes.txt", "other.txt"}


def test_without_a_yes_nothing_is_changed(stranger):
    notes = stranger.write("notes.txt", "alpha beta\n")
    done = stranger.run("chat", "-m", "replace beta with delta in notes.txt")
    assert done.code == 3
    assert notes.read_text() == "alpha beta\n"


def test_it_lists_runs_and_reads_two(stranger):
    subprocess.run(["git", "init", "-q"], cwd=stranger.project, env=stranger.env, check=True)
    for name in ("src/one.py", "src/two.py", "a.txt", "b.txt"):
        stranger.write(name, f"{name}\n")
    listed = stranger.ask("list the files in src")
    assert listed.of("tool_finished")[0]["result"] == "one.py\ntwo.py"
    ran = stranger.ask("run git status")
    assert ran.of("tool_called")[0]["arguments"] == {"command": "git status"}
    assert ran.of("tool_finished")[0]["result"].endswith("exit code 0")
    read = stranger.ask("read a.txt and b.txt")
    assert sorted(event["result"] for event in read.of("tool_finished")) == ["a.txt\n", "b.txt\n"]
    assert [done.code for done in (listed, ran, read)] == [0, 0, 0]


def test_a_conversation_goes_on_and_its_prefix_is_not_evaluated_again(stranger):
    stranger.write("a.txt", "first\n")
    first = stranger.ask("read a.txt")
    again = stranger.ask("read a.txt", "--conversation", first.conversation)
    assert again.code == 0
    assert again.conversation == first.conversation
    roles = [message["role"] for message in stranger.shown(first.conversation)["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant"] * 2


def test_standard_output_is_the_answer_alone(stranger):
    stranger.write("a.txt", "walrus\n")
    model = stranger.script(call("FileRead", path="a.txt"), {"text": "It says\nwalrus."})
    done = stranger.run("chat", "-m", "what says a.txt?", *model)
    assert (done.code, done.out, done.err) == (0, "It says\nwalrus.\n", "")


def test_text_comes_through_pipes(stranger):
    model = stranger.script({"text": "seen"})
    alone = stranger.run("chat", *model, stdin="the whole message\n")
    assert (alone.code, alone.out) == (0, "seen\n")
    both = stranger.ask("review this:", *stranger.script({"text": "ok"}), stdin="a diff\n")
    said = stranger.shown(both.conversation)["messages"][0]["parts"][0]["text"]
    assert said == "review this:\n\na diff"


def test_a_reader_that_leaves_is_no_crash(stranger):
    model = stranger.script({"text": "line\n" * 50_000})
    command = [HERMES, "chat", "-m", "x", *model]
    with subprocess.Popen(
        command,
        env=stranger.env,
        cwd=stranger.project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout.read(5) == b"line\n"
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(20) == 141


@pytest.mark.parametrize(
    ("lines", "words", "code", "said"),
    [
        ([{"text": "fine"}], [], 0, ""),
        ([], [], 1, "only 0 replies"),
        ([{"error": "the server is tired"}], [], 1, "the server is tired"),
        ([call("Bash", command="touch x"), {"text": "done!"}], [], 3, "not approved"),
        ([call("FileWrite", path="../x", content=""), {"text": "done!"}], ["--yes"], 3, "denied"),
        ([call("Bash", command="touch x")], [], 3, "only 1 replies"),
        ([call("FileRead", path="gone"), {"text": "not there"}], [], 0, ""),
        ([{"text": "fine"}], ["--conversation", "c0ffee"], 2, "no conversation"),
        ([{"text": "fine"}], ["--mode", "wild"], 2, "wild"),
        ([{"text": "fine"}], ["--skin", "nobody"], 2, "nobody"),
        ([{"text": "fine"}], ["--context", "-5"], 2, ""),
        ([call("Bash", command="true")] * 3, ["--max-steps", "2"], 1, "2 steps"),
    ],
)
def test_exit_codes(stranger, lines, words, code, said):
    done = stranger.run("chat", "-m", "go", *stranger.script(*lines), *words)
    assert done.code == code, done
    assert said in done.err
    assert bool(done.err) == (code != 0)  # what failed or was refused is said
    assert done.out == ("" if code not in {0, 3} or "replies" in said else lines[-1]["text"] + "\n")


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [
        ("nowhere.gguf", 1, "nowhere.gguf"),
        ("broken.gguf", 1, "broken.gguf"),
        ("scripted:nowhere.jsonl", 2, "nowhere.jsonl"),
        ("http://127.0.0.1:9/v1#x", 1, "127.0.0.1:9"),
        ("no such words", 1, "no such words"),
    ],
)
def test_models_that_cannot_be(stranger, model, code, said):
    stranger.write("broken.gguf", b"GGUF" + bytes(range(200)))
    done = stranger.run("chat", "-m", "hi", "--model", model)
    assert done.code == code, done
    assert said in done.err
    assert done.out == ""


def test_a_chat_without_a_terminal_is_not_available(stranger):
    master, slave = pty.openpty()
    done = subprocess.run(
        [HERMES, "chat"],
        env=stranger.env,
        cwd=stranger.project,
        stdin=slave,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    os.close(master)
    os.close(slave)
    assert done.returncode == 4
    assert "-m TEXT" in done.stderr


def test_an_engine_that_is_not_here_is_not_available(stranger):
    code = "import importlib.util as u, sys; sys.exit(u.find_spec('llama_cpp') is not None)"
    if subprocess.run([sys.executable, "-c", code], check=False).returncode:
        pytest.skip(SECOND_ENGINE)
    done = stranger.run("chat", "-m", "hi", env={"HERMES_V2_ENGINE": "llama-cpp-python"})
    assert done.code == 4, done
    assert "pip install" in done.err
