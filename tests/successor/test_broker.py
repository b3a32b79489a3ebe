"""A model reaches into a box by one socket, and no further than its budget."""

import json

import anyio
import pytest

from hermes.core.model import ModelRequest
from hermes.errors import BudgetSpent
from hermes.models.scripted import Line, ScriptedModel
from hermes.sandbox.box import Wires
from hermes.successor.broker import broker, with_model
from hermes.successor.budget import Budget, Spend
from hermes.successor.workbench import View, Workbench

ASK = """
import json, sys, urllib.error, urllib.request
body = {"messages": [{"role": "user", "content": "hello"}], "stream": sys.argv[1] == "stream"}
for _ in range(int(sys.argv[2])):
    request = urllib.request.Request(
        "http://127.0.0.1:8080/v1/chat/completions", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request) as answer:
            print(answer.status, answer.read().decode().replace(chr(10), " "))
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode())
"""


DEEP = b'60012\n{"messages":' + b"[" * 60_000


@pytest.fixture
def tree(open_data):
    place = open_data / "empty"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture
async def bench(standing, tree):
    budget = Budget(tokens=400)
    return Workbench(
        "0" * 40, tree, tree, (), b"{}", tree / "none", "", "same", "micro", budget, "1",
        standing, Spend(budget),
    )  # fmt: skip


async def ask(bench, model, *words: str):
    async with broker(model, bench.spend) as fd:
        argv, needed = with_model(bench, fd, ["python3", "-c", ASK, *words])
        return await bench.run("candidate", argv, View(read=needed), Wires(keep=(fd,)))


async def test_the_inside_asks_and_is_answered(bench):
    model = ScriptedModel([Line(text="well met"), Line(text="again")])
    ended = await ask(bench, model, "whole", "2")
    assert ended.ok, ended.stderr
    first, second = ended.stdout.decode().splitlines()
    told = json.loads(first.removeprefix("200 "))
    assert told["choices"][0]["message"]["content"] == "well met"
    assert "again" in second
    assert bench.spend.tokens > 0


async def test_a_stream_is_one_too(bench):
    ended = await ask(bench, ScriptedModel([Line(text="well met")]), "stream", "1")
    assert ended.stdout.startswith(b"200 data: ")
    assert b"well met" in ended.stdout
    assert ended.stdout.strip().endswith(b"data: [DONE]")


async def test_a_spent_budget_is_a_no(bench):
    bench.spend.take_tokens(399)
    ended = await ask(bench, ScriptedModel([Line(text="well met")]), "whole", "1")
    assert ended.stdout.startswith(b"403 ")
    assert bench.spend.limits == ["tokens"]
    with pytest.raises(BudgetSpent):
        bench.spend.fits_tokens(2)


@pytest.mark.parametrize(
    "said",
    [b"x" * 500, b"12\n{}", b"-1\n", b"99999999999\n", b"4\n{}{}", b"2\n[]", b"", DEEP],
)
async def test_nonsense_from_inside_ends_it_and_nothing_else(bench, said):
    model = ScriptedModel([Line(text="well met")])
    with anyio.fail_after(10):
        async with broker(model, bench.spend) as fd:
            script = "import os, sys; os.write(int(sys.argv[1]), sys.stdin.buffer.read())"
            argv = ["python3", "-c", script, str(fd)]
            ended = await bench.run("candidate", argv, wires=Wires(stdin=said, keep=(fd,)))
    assert ended.ok, ended.stderr
    assert bench.spend.tokens == 0
    assert await model.count(ModelRequest("", ())) >= 0
