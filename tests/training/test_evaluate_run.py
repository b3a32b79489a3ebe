"""Whole evaluations: of the model that ships, on the real engine, and of servers on loopback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.errors import (
    EngineDied,
    ModelFileInvalid,
    ModelRefused,
    ModelUnreachable,
    NotAvailable,
    Usage,
)
from hermes.models.gguf import shipped_model
from hermes.prompt.sections import IDENTITY
from hermes.testing.acts import overflow, refuse, say
from hermes.testing.endpoint import serve
from training.evaluate.depth import depth_cases
from training.evaluate.evaluation import Order, evaluate
from training.evaluate.report import render, unmet
from training.evaluate.runner import run_cases
from training.evaluate.sets import values_cases
from training.evaluate.subject import Wanted, opened

ROOT = Path(__file__).parents[2]
READ = {"user": "read README.md", "tool": "FileRead", "args": {"path": "README.md"}}
HELLO = {"user": "hello there", "tool": None}
BOTH = {
    "user": "read a.txt and b.txt",
    "tool": ["FileRead", "FileRead"],
    "args": [{"path": "b.txt"}, {"path": "a.txt"}],
}
NEVER = {"user": "list the files in src", "tool": "Jobs", "args": {}}


def written(tmp_path, *lines):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def ember(tmp_path, **more):
    return Wanted(str(shipped_model()), tmp_path / "run", **more)


def call(name, **arguments):
    return say(calls=[ToolCall(CallId("c"), name, json.dumps(arguments))])


async def test_the_shipped_model_on_cases_of_one_s_own(tmp_path):
    path = written(tmp_path, READ, HELLO, BOTH, NEVER)
    told = []
    report = await evaluate(Order(ember(tmp_path), (path,), wrong=True), told.append)
    held, free = report.sets
    assert (held.key, free.key) == ("mine", "mine-no-grammar")
    assert told == ["mine: 4 cases", "mine: 4 cases, no grammar"]
    assert (report.profile, report.window) == ("native", 2048)
    for found in report.sets:
        assert {intent: score.exact for intent, score in found.intents.items()} == {
            "FileRead": 1.0,
            "Jobs": 0.0,
            "none": 1.0,
            "parallel": 1.0,
        }
        assert (found.cases, found.exact, found.tool, found.valid) == (4, 0.75, 0.75, 1.0)
        assert found.failed == 0
        assert found.prompt_tokens > 0
    (wrong,) = held.wrong
    assert (wrong.where, wrong.expected) == (f"{path}:4", "Jobs{}")
    assert wrong.got.startswith("ListDir")
    assert report.speed.load_ms
    assert report.speed.load_ms > 0
    assert report.speed.tokens_per_s > 0
    assert unmet(report, {"mine": 0.75, "mine/none": 1.0, "mine-no-grammar": 0.5}) == []
    assert unmet(report, {"mine": 0.76, "mine/Jobs": 0.1, "free": 0}) == [
        "mine: 0.750 is less than 0.76",
        "mine/Jobs: 0.000 is less than 0.1",
        "free: was not evaluated",
    ]
    text = render(report)
    assert "mine-no-grammar" in text
    assert "expected 'Jobs{}'" in text


async def test_answers_are_the_same_side_by_side(tmp_path):
    cases = values_cases(12)
    seen = []
    for at_once in (1, 4):
        async with opened(ember(tmp_path, at_once=at_once)) as subject:
            answers = await run_cases(subject.model, cases, at_once=subject.at_once)
        assert [answer.case for answer in answers] == cases
        seen.append(
            [(a.reply.text, [(c.name, c.arguments) for c in a.reply.calls]) for a in answers]
        )
    assert seen[0] == seen[1]


async def test_depth_is_what_it_says(tmp_path):
    async with opened(ember(tmp_path)) as subject:
        none = await depth_cases(subject.model, 0, 10)
        some = await depth_cases(subject.model, 500, 10)
        assert await depth_cases(subject.model, 3_500, 20) == []
        answers = await run_cases(subject.model, some, at_once=subject.at_once)
    assert [case.asked for case in none] == [case.asked for case in some]
    assert [case.accept for case in none] == [case.accept for case in some]
    assert {len(case.messages) for case in none} == {1}
    assert all(case.messages[-2].role == "assistant" for case in some)
    assert all(350 < answer.reply.usage.prompt < 700 for answer in answers)


async def test_a_server_is_asked_with_the_prompt_and_tools_of_its_profile(tmp_path):
    path = written(tmp_path, READ)
    async with serve(lambda _seen: call("FileRead", path="README.md")) as endpoint:
        wanted = Wanted(f"{endpoint.base_url}#m", tmp_path)
        report = await evaluate(Order(wanted, (path,), grammar="on"))
    assert (report.model, report.profile, report.speed.load_ms) == ("m", "lean", None)
    assert report.sets[0].exact == 1.0
    body = endpoint.requests[-1].body
    assert body["temperature"] == 0
    assert len(body["tools"]) == 14
    assert body["messages"][0]["content"].startswith(IDENTITY)
    assert body["messages"][1:] == [{"role": "user", "content": "read README.md"}]


async def test_without_grammar_the_tools_stand_in_the_prompt(tmp_path):
    path = written(tmp_path, READ)
    text = '<tool_call>\n{"name": "FileRead", "arguments": {"path": "README.md"}}\n</tool_call>'
    async with serve(lambda _seen: say(text)) as endpoint:
        order = Order(Wanted(endpoint.base_url, tmp_path), (path,), grammar="off")
        report = await evaluate(order)
        native = Wanted(endpoint.base_url, tmp_path, profile="native")
        await evaluate(Order(native, (path,), grammar="off"))
    assert (report.model, report.sets[0].exact, report.sets[0].valid) == ("scripted", 1.0, 1.0)
    lean, *_, native = (seen.body for seen in endpoint.requests if "tools" not in seen.body)
    assert '"FileRead"' in lean["messages"][0]["content"]
    assert native["messages"][0]["content"] == IDENTITY


async def test_an_answer_that_fails_is_a_wrong_one(tmp_path):
    path = written(tmp_path, READ, READ)

    def behave(seen):
        again = len(endpoint.requests) % 2
        return overflow(5_000, 4_096) if again else call("FileRead", path="README.md")

    async with serve(behave) as endpoint:
        order = Order(Wanted(endpoint.base_url, tmp_path, at_once=1), (path,), grammar="on")
        (found,) = (await evaluate(order)).sets
    assert (found.cases, found.failed, found.exact) == (2, 1, 0.5)


async def test_a_model_that_never_answers_is_no_score(tmp_path):
    path = written(tmp_path, READ)
    async with serve(lambda _seen: refuse(401, "no key")) as endpoint:
        with pytest.raises(ModelRefused, match="every answer failed"):
            await evaluate(Order(Wanted(f"{endpoint.base_url}#m", tmp_path), (path,)))
        address = endpoint.base_url
    with pytest.raises(ModelUnreachable):
        await evaluate(Order(Wanted(f"{address}#m", tmp_path), (path,)))


async def test_what_cannot_be_evaluated(tmp_path):
    broken = tmp_path / "m.gguf"
    broken.write_bytes(shipped_model().read_bytes()[:100_000])
    with pytest.raises(ModelFileInvalid, match=r"m\.gguf"):
        await evaluate(Order(Wanted(str(broken), tmp_path / "run"), sets=("values",)))
    with pytest.raises(Usage, match="no set named 'all'"):
        await evaluate(Order(ember(tmp_path), sets=("all",)))


def python_m(*words):
    command = [sys.executable, "-m", "training.evaluate", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_as_a_command(tmp_path):
    cases = str(written(tmp_path, READ, NEVER))
    ran = python_m(str(shipped_model()), "--cases", cases, "--json", "--min", "mine=0.5")
    assert (ran.returncode, ran.stderr) == (0, "mine: 2 cases\nmine: 2 cases, no grammar\n")
    assert [found["exact"] for found in json.loads(ran.stdout)["sets"]] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--set", "values", "--limit", "4", "--min", "values/Nothing=0.5"], 1, "not evaluated"),
        (["--min", "free"], 2, "'free' is no threshold"),
        (["--min", "free=1.5"], 2, "is no threshold"),
        (["--cases", "nowhere.jsonl"], 2, "nowhere.jsonl cannot be read"),
    ],
)
def test_exit_codes(words, code, said):
    ran = python_m(str(shipped_model()), "--grammar", "on", *words)
    assert ran.returncode == code
    assert said in ran.stderr


async def interrupted(wanted):
    """Ask an engine that is killed behind its owner's back, thrice: then it stays away."""
    async with opened(wanted) as subject:
        for _ in range(4):
            async with subject.model._engine.use() as server:
                os.kill(server.pid, signal.SIGKILL)
                await subject.model._engine.death(server)
            await run_cases(subject.model, values_cases(1))


async def test_an_error_comes_out_of_the_engine_as_it_is(tmp_path):
    with pytest.raises(NotAvailable, match="the free set"):
        async with opened(ember(tmp_path)):
            raise NotAvailable("the free set is missing")
    with pytest.raises(EngineDied):
        await interrupted(ember(tmp_path))
