"""What the owner says of itself: for the status line, `/status`, and the `Status` tool."""

import os
from collections.abc import Callable, Mapping, Sequence

from hermes.config import Settings
from hermes.conversation.loop import Loop
from hermes.conversation.shards import Shards
from hermes.core.event import Json
from hermes.core.ids import ConversationId
from hermes.core.tool import ToolContext
from hermes.node.alarms import Alarms
from hermes.node.shelf import Shelf
from hermes.store.store import Store


class State:
    """The owner's state, looked at from outside."""

    def __init__(self, settings: Settings, store: Store, shelf: Shelf, alarms: Alarms) -> None:
        self._settings = settings
        self._alarms = alarms
        self._store = store
        self._shelf = shelf
        self.clients = 0
        self.shards: Shards
        self.peers: Callable[[], int] = _none
        """How many other nodes of the fleet are there."""
        self.home: Callable[[ConversationId], str] = _nobody
        """The key of the node that holds a conversation; empty: none, or outside a fleet."""
        self.held: Callable[[], Mapping[str, int]] = dict
        """How many conversations each node holds."""

    def forget_fleet(self) -> None:
        """This node is in none just now."""
        self.peers, self.home, self.held = _none, _nobody, dict

    def facts(self, conversation: ConversationId) -> dict[str, Json]:
        """What runs, on which model, and how full its window is."""
        loop = self.shards.find(conversation)
        return {
            "pid": os.getpid(),
            "node": self._store.node,
            "model": self._settings.model or self._shelf.shipped,
            "engine": self._shelf.engine_facts() | {"tokens_per_s": _speed(loop)},
            "clients": self.clients,
            "peers": self.peers(),
            "home": self.home(conversation),
            "running": [
                {
                    "conversation_id": running.session.conversation,
                    "turn_id": running.running.turn_id if running.running else "",
                    "tools": list(running.session.busy.values()),
                    "waiting": len(running.waiting),
                }
                for running in self.shards.busy()
            ],
            "context": _context(loop),
            "mode": self._settings.mode,
            "skin": self._settings.skin,
            "alarms": self._alarms.lines(),
        }

    async def lines(self, _context: ToolContext) -> Sequence[str]:
        """What the `Status` tool answers."""
        jobs = await self._store.jobs.list()
        load = os.getloadavg()[0]
        return (
            f"node {self._store.node}",
            f"peers {self.peers()}",
            f"jobs {len(jobs)}",
            f"load {load:.2f}",
        )


def _none() -> int:
    return 0


def _nobody(_conversation: ConversationId) -> str:
    return ""


def _context(loop: Loop | None) -> dict[str, Json]:
    if loop is None or loop.session.last is None:
        return {}
    last = loop.session.last
    return {
        "model": last.model,
        "window": last.window,
        "used": last.used,
        "cached": last.cached,
    }


def _speed(loop: Loop | None) -> float:
    return loop.session.last.tokens_per_s if loop and loop.session.last else 0.0
