"""An agent proposes a change of its own runtime from a turn; it is tried while the owner runs."""

import difflib
import json
import os
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from house import House, call, conversation_of, play, result_of

from hermes.config import Successor
from hermes.conversation.export import KIND
from hermes.core.clock import SystemClock
from hermes.core.event import Notice
from hermes.gateway.client import Client
from hermes.node.owner import open_owner

ROOT = Path(__file__).parents[2]
CHANGED = "hermes/cli/main.py"
WAIT_S = 90.0


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "checkout"
    root.mkdir()
    names = ("hermes", "relay", "training", "skins", "soul", "ci", "pyproject.toml")
    copy = f"tar -C {ROOT} --exclude=__pycache__ --exclude='*.gguf' -c {' '.join(names)}"
    subprocess.run(f"{copy} | tar -C {root} -x", shell=True, check=True)
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", f"safe.directory={root}"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "parent"]):
        subprocess.run(["git", *who, "-C", str(root), *words], check=True)
    return root


@pytest.fixture
def patch(checkout):
    before = (checkout / CHANGED).read_text()
    after = before.replace('print(f"hermes {__version__}")', "raise SystemExit(7)")
    assert before != after
    lines = [text.splitlines(keepends=True) for text in (before, after)]
    return "".join(difflib.unified_diff(*lines, f"a/{CHANGED}", f"b/{CHANGED}"))


@pytest.fixture
def open_house(tmp_path):
    """A house whose data the sandbox's user can pass into."""
    with tempfile.TemporaryDirectory(prefix="hermes-open-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield lambda **successor: House(Path(name), successor=Successor(**successor))
        for folder, _, _ in os.walk(name):
            Path(folder).chmod(0o755)


class Here:
    """The way to an owner in this process."""

    def __init__(self, owner):
        self._owner = owner

    async def open(self):
        return self._owner.receive_here(), True


@asynccontextmanager
async def living(house):
    clock = SystemClock()
    async with (
        open_owner(house.settings, house.environ, clock, lasting=True) as owner,
        anyio.create_task_group() as tasks,
    ):
        client = Client(Here(owner), clock)
        await client.connect()
        tasks.start_soon(client.run)
        yield owner, client
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def heard(owner):
    """Waits for notices of proposals."""
    send, receive = anyio.create_memory_object_stream[str](100)

    def hear(event):
        if isinstance(event, Notice) and event.text.startswith("proposal "):
            send.send_nowait(event.text)

    with send, receive, owner.rooms.desk.bus.listen(hear):
        yield receive


@pytest.mark.timeout(180)
async def test_a_proposal_is_tried_and_its_verdict_told(standing, open_house, checkout, patch):
    house = open_house(source=str(checkout), effort="micro")
    task = "It still starts."
    model = house.script(call("ProposePatch", patch=patch, task=task), {"text": "proposed"})
    async with living(house) as (owner, client), heard(owner) as notices:
        events = await play(client, house.request("better yourself", model=model, yes=True))
        assert "is queued" in result_of(events, "ProposePatch")
        with anyio.fail_after(WAIT_S):
            said = await notices.receive()
        name = result_of(events).split()[1]
        assert said.startswith(f"proposal {name} is trial ")
        (row,) = await owner.rooms.store.trials.list(10)
        assert row.state == "judged"
        assert row.word == "reject"
        assert "reject; starts: hermes --version ends by exit code 7" in said
        candidate = await owner.rooms.store.trials.candidate(row.candidate)
        assert candidate.source == "agent"
        assert candidate.task == task
    assert "SystemExit(7)" not in (checkout / CHANGED).read_text()


async def test_what_is_no_patch_is_an_answer_to_the_model(open_house):
    house = open_house()
    model = house.script(call("ProposePatch", patch="be better", task="x"), {"text": "oh"})
    async with living(house) as (_, client):
        events = await play(client, house.request(model=model, yes=True))
    assert "there is no diff in it" in result_of(events)


async def test_a_proposal_asks_first(open_house, patch):
    house = open_house()
    model = house.script(call("ProposePatch", patch=patch, task="x"), {"text": "oh"})
    async with living(house) as (_, client):
        events = await play(client, house.request(model=model))
    assert events[-1].denied == 1
    assert not (house.settings.data_dir / "successor" / "waiting").exists()


@pytest.mark.timeout(180)
async def test_what_waits_is_tried_by_the_next_owner(standing, open_house, checkout, patch):
    house = open_house(source=str(checkout.parent))  # where there is no checkout
    model = house.script(call("ProposePatch", patch=patch, task="$ true"), {"text": "proposed"})
    async with living(house) as (owner, client), heard(owner) as notices:
        await play(client, house.request(model=model, yes=True))
        with anyio.fail_after(WAIT_S):
            assert "is put off: " in await notices.receive()
        assert await owner.rooms.store.trials.list(10) == ()
    again = House(house.base, successor=Successor(source=str(checkout), effort="micro"))
    async with living(again) as (owner, _):
        folder = anyio.Path(house.settings.data_dir / "successor" / "waiting")
        with anyio.fail_after(WAIT_S):
            await owner.rooms.proposing.idle()
        assert [one async for one in folder.iterdir()] == []
        assert len(await owner.rooms.store.trials.list(10)) == 1


async def test_a_session_is_exported_without_secrets(open_house):
    house = open_house()
    model = house.script({"text": "well met"})
    async with living(house) as (owner, client):
        events = await play(client, house.request("hello", model=model, api_key="sk-secret"))
        session = owner.rooms.shards.find(conversation_of(events)).session
        told = json.loads(session.export())
    assert told["t"] == KIND
    assert [one["role"] for one in told["messages"]] == ["user", "assistant"]
    assert {"FileRead", "Bash", "ProposePatch"} <= {one["name"] for one in told["tools"]}
    assert told["settings"]["mode"] == "ask"
    assert not {"api_key", "data_dir", "mainnet", "chain", "mesh"} & told["settings"].keys()
    assert "sk-secret" not in session.export().decode()
