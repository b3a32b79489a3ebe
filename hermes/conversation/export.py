"""A session as bytes: what a clone of this runtime is seeded with, and nothing secret.

What the settings say is taken by name: keys, addresses, directories and commands stay here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from hermes.config import Settings
from hermes.core.event import Json
from hermes.core.message import Message
from hermes.core.model import ToolSpec

KIND = "hermes/session/1"
_SETTINGS = (
    "engine", "engine_threads", "keep_alive_s", "context", "profile", "skin", "mode", "rules",
    "limits", "checkpoint_minutes",
)  # fmt: skip
_MEMORY = (
    "compaction", "summaries", "historian", "idle_minutes", "dreamer", "dream_hours",
    "dream_sessions", "dream_days", "recall_bytes", "recall_least", "vectors", "prefix_mib",
)  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """What a session stands in: settings without secrets, the tools on offer."""

    settings: Mapping[str, Json]
    tools: tuple[ToolSpec, ...]


def nowhere() -> Surroundings:
    """Nothing is known of it."""
    return Surroundings({}, ())


def around(settings: Settings, tools: Callable[[], tuple[ToolSpec, ...]]) -> Surroundings:
    """What may be known inside a sandbox."""
    told = {name: getattr(settings, name) for name in _SETTINGS}
    told["memory"] = {name: getattr(settings.memory, name) for name in _MEMORY}
    return Surroundings(msgspec.to_builtins(told), tools())


def exported(
    conversation: str, heads: Sequence[str], messages: Sequence[Message], where: Surroundings
) -> bytes:
    """One JSON object."""
    return msgspec.json.encode(
        {
            "t": KIND,
            "conversation": conversation,
            "heads": heads,
            "messages": messages,
            "settings": where.settings,
            "tools": where.tools,
        }
    )
