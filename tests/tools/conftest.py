import os
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from hermes.core.ids import CallId, ConversationId, SessionId, TurnId
from hermes.core.message import ToolCall
from hermes.core.tool import FileStates, Place, ToolContext
from hermes.sandbox.environment import clean_environment
from hermes.sandbox.shell import Shell
from hermes.sandbox.view import View
from hermes.tools.held import Terms, open_bash
from hermes.tools.hooks import Admission
from hermes.tools.registry import Registry
from hermes.tools.router import Router

sys.path.append(str(Path(__file__).parents[1] / "sandbox"))


@pytest.fixture
def root(tmp_path):
    path = (tmp_path / "project").resolve()
    path.mkdir()
    return path


@pytest.fixture
def context(root):
    return ToolContext(
        conversation=ConversationId("c"),
        session=SessionId("s"),
        turn=TurnId("t"),
        call=CallId("1"),
        place=Place(root, root),
        files=FileStates(),
    )


@pytest.fixture
def env():
    return clean_environment(os.environ)


@pytest.fixture
def rg():
    return shutil.which("rg")


@pytest.fixture
async def shell():
    async with Shell() as running:
        yield running


@pytest.fixture
async def held(shell, env, standing, tmp_path):
    """Bash in the sandbox."""
    async with open_bash(shell, View(env), "bash", Terms(tmp_path / "record")) as tool:
        yield tool


class Journal:
    """Hooks that write down what happens; `admit` may be replaced by a test's own door."""

    def __init__(self):
        self.said = []
        self.bugs = []
        self.diffs = {}
        self.door = None
        self.last = None
        self.room = None

    async def called(self, call, effect):
        self.said.append(("called", call.id, call.name, effect))

    async def admit(self, call, tool, args, effect, changes):
        self.said.append(("admit", call.id, tool.name, effect))
        return await self.door(call, changes) if self.door else Admission(allowed=True)

    async def settle(self, call, tool, tried):
        self.said.append(("settle", call.id, sorted(path.name for path in tried.touches)))
        return self.last or Admission(allowed=True)

    async def intent(self, call, tool, changes):
        self.said.append(("intent", call.id, [change.path.name for change in changes]))
        return call.id

    async def started(self, call):
        self.said.append(("started", call.id))

    async def outcome(self, token, result):
        self.said.append(("outcome", token, result.ok))

    async def finished(self, call, result, diff):
        self.said.append(("finished", call.id, result.ok))
        self.diffs[call.id] = diff

    async def bug(self, call, error):
        self.bugs.append(error)

    def of(self, call_id):
        return [entry[0] for entry in self.said if entry[1] == call_id]


@pytest.fixture
def journal():
    return Journal()


class Bench:
    """Runs calls through a real router, one step at a time."""

    def __init__(self, context, journal):
        self.registry = Registry()
        self.context = context
        self.journal = journal
        self.count = 0

    def call(self, name, arguments):
        self.count += 1
        text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
        return ToolCall(CallId(str(self.count)), name, text)

    async def step(self, *calls, limit=10, room=8_000):
        made = [self.call(*call) for call in calls]
        router = Router(self.registry, limit, room)
        return await router.run(made, lambda _: self.context, self.journal)

    async def __call__(self, name, room=8_000, /, **arguments):
        (result,) = await self.step((name, arguments), room=room)
        assert self.journal.bugs == []
        return result

    def use(self, *tools):
        for tool in tools:
            self.registry.add(tool)
        return self


@pytest.fixture
def bench(context, journal):
    return Bench(context, journal)
