"""The same policy for strfry, as its write-policy plugin: JSON lines in, JSON lines out.

    strfry.conf:  relay { writePolicy { plugin = "hermes relay plugin --rules FILE" } }

Source: strfry's docs/plugins.md. strfry has checked signatures when it asks.
"""

from collections.abc import Iterable, Iterator

import msgspec

from hermes.core.clock import Clock
from relay.meters import Policy
from relay.note import read_note
from relay.policy import Seen
from relay.rules import Rules

_OPERATOR = ("Import", "Stored")


class Asked(msgspec.Struct, frozen=True, rename="camel"):
    """strfry's question."""

    event: msgspec.Raw
    source_type: str = ""
    source_info: str = ""
    authed: str = ""


class Answer(msgspec.Struct, frozen=True):
    """Ours; strfry shows `msg` to the client."""

    id: str
    action: str
    msg: str = ""


class _Named(msgspec.Struct, frozen=True):
    id: str = ""


class _Question(msgspec.Struct, frozen=True):
    event: _Named = _Named()


def answers(rules: Rules, lines: Iterable[str], clock: Clock) -> Iterator[str]:
    """An answer to every line; a line that is no question is rejected, never passed over."""
    policy = Policy(rules)
    for line in lines:
        yield msgspec.json.encode(_answer(policy, line, clock.now_ms())).decode()


def _answer(policy: Policy, line: str, now: int) -> Answer:
    try:
        seen = _seen(msgspec.json.decode(line, type=Asked))
        verdict = policy.admit(seen, now)
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        return Answer(_id_of(line), "reject", "invalid: this cannot be read")
    if verdict.accepted:
        return Answer(seen.note.id, "accept")
    return Answer(seen.note.id, "reject", verdict.says)


def _seen(asked: Asked) -> Seen:
    data = bytes(asked.event)
    metered = asked.source_type not in _OPERATOR
    return Seen(read_note(data), len(data), asked.source_info, asked.authed, metered)


def _id_of(line: str) -> str:
    """The id of what could not be read, as far as that goes: strfry waits for it."""
    try:
        return msgspec.json.decode(line, type=_Question).event.id
    except (ValueError, RecursionError):
        return ""
