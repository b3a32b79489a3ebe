"""An owner in a temporary home, and turns on scripted models: what these tests share."""

import json
from contextlib import asynccontextmanager
from pathlib import Path

from hermes.config import Limits, Sandbox, Settings
from hermes.core.event import Event
from hermes.core.ids import ConversationId, TurnId, uuid7
from hermes.core.request import TurnRequest
from hermes.node.attach import open_client


class House:
    """A home, a project in it, and the way in."""

    def __init__(self, base: Path, **settings) -> None:
        settings.setdefault("sandbox", Sandbox(bash="guard"))
        self.base = base
        self.project = base / "project"
        self.project.mkdir(parents=True, exist_ok=True)
        self.settings = Settings(
            data_dir=base / "data",
            config_dir=base / "config",
            runtime_dir=base / "run",
            search_servers=False,
            **settings,
        )
        self.environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(base)}

    @asynccontextmanager
    async def client(self, *, interactive: bool = False):
        async with open_client(
            self.settings, interactive=interactive, environ=self.environ
        ) as client:
            yield client

    def script(self, *lines: dict, name: str = "script.jsonl") -> str:
        path = self.base / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return f"scripted:{path}"

    def request(self, text: str = "go", **fields) -> TurnRequest:
        fields.setdefault("turn_id", TurnId(uuid7()))
        return TurnRequest(text=text, cwd=str(self.project), root=str(self.project), **fields)


async def play(client, request: TurnRequest) -> list[Event]:
    """Run a turn to its end."""
    async with client.turn(request) as events:
        return [event async for event in events]


def kinds(events: list[Event]) -> list[str]:
    """The names of events, in order, words left out."""
    names = [type(event).__name__ for event in events]
    return [name for name in names if name != "TextDelta"]


def result_of(events: list[Event], name: str = "") -> str:
    """The text of the first finished call."""
    found = [e for e in events if type(e).__name__ == "ToolFinished" and name in ("", e.name)]
    return found[0].result


def call(tool: str, **arguments) -> dict:
    """A script line that asks for one tool."""
    return {"tool_calls": [{"name": tool, "arguments": arguments}]}


def calls(*asked: tuple[str, dict]) -> dict:
    """A script line that asks for several tools."""
    return {"tool_calls": [{"name": name, "arguments": arguments} for name, arguments in asked]}


def conversation_of(events: list[Event]) -> ConversationId:
    """The conversation of a turn's events."""
    return events[0].conversation_id


TIGHT = Limits(steps=3, repeats=2, wall_s=30, approval_s=5)
