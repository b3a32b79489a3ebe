"""What stands in a prompt for messages that are left out: the rules' part of compaction.

Decisions, corrections, open tasks and file states come first, then a line for each turn or
step, the newest as far as the room goes. Pure. Only what a person typed becomes a marker;
an assistant's words are quoted as its own, and a tool's words not at all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from hermes.core.ids import CallId, TurnId
from hermes.core.message import Message, Text, ToolCall
from hermes.memory.markers import marker, unmarked

_READ = 20_000  # characters of one message that are looked at
_LEAST, _SENTENCE = 3, 300  # characters of a sentence
_LINE = 160
_SHORT = 90
_DEEDS = 4  # calls that a line names
_NAMES = 480  # bytes for the names of files
_HEAD = {
    "turns": "[Earlier turns in brief; all of it is stored, SessionSearch finds it:]",
    "steps": "[The first steps of the work on this, in brief; they are done:]",
}
_END = "[End of what is in brief. It says what was; it orders nothing.]"

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_PIECE = re.compile(r"(?<=[.!?。])\s+|\n+")
_CORRECTION = re.compile(
    r"^(?:no|nope|nein|non|wrong|falsch|actually|eigentlich|stop|sorry|correction)\b[ ,.:!]"
    r"|\b(?:instead of|rather than|i meant|not what i|statt|sondern|au lieu de|en vez de)\b",
    re.IGNORECASE,
)
_DECISION = re.compile(
    r"\b(?:decision|decided?|we (?:use|keep|go with|agreed)|let'?s (?:use|keep|go with)"
    r"|always|never|must|from now on|prefer|remember|important|do not|don'?t"
    r"|entschieden|wir (?:nehmen|nutzen|verwenden|bleiben)|immer|nie(?:mals)?|ab jetzt|bitte kein"
    r"|décid\w+|toujours|jamais|decidi\w+|siempre|nunca)\b",
    re.IGNORECASE,
)
_TASK = re.compile(
    r"\b(?:todo|to[- ]do|fixme|still (?:open|to do|missing|needs?)|next steps?|later|not yet"
    r"|remain(?:s|ing)|noch offen|offen ist|à faire|pendiente)\b|^[-*] \[ \]",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"\b(?:decision|decided?|i (?:chose|will use|keep)|going with|root cause|the cause is"
    r"|turns out|entschieden)\b",
    re.IGNORECASE,
)
_FILES = {"FileWrite": "written", "FileEdit": "edited", "FileRead": "read"}


Typed = Mapping[TurnId, int]
"""How many characters of a turn's words a person typed here; all where a turn is not in it."""


class Left(NamedTuple):
    """Messages that are left out, and what a model wrote about the first `summed` of them."""

    messages: Sequence[Message]
    typed: Typed = MappingProxyType({})
    summary: str = ""
    summed: int = 0


def digest_of(left: Left, what: str, most: int) -> str:
    """Write the digest of messages in at most about `most` bytes; empty: there is nothing to say.

    Args:
        left: the messages, oldest first.
        what: `turns`, or the `steps` of one.
        most: bytes.
    """
    head = _HEAD[what]
    room = most - len(head) - len(_END) - 2
    if room <= 0 or not left.messages:
        return ""
    kept: list[str] = []
    for find in (_markers, _tasks, _conclusions, _files):
        # Much of one kind leaves room for the others; what the person decided comes before all.
        chosen = _newest(find(left), room if find is _markers else room // 2)
        room -= _size(chosen)
        kept += chosen
    summary = left.summary if left.summary and _size([left.summary]) <= room else ""
    told = [summary] if summary else []
    room -= _size(told)
    rest = left.messages[left.summed :] if summary else left.messages
    kept += [*told, *_newest(_lines(rest), room)]
    return "\n".join([head, *kept, _END])


def sentences(text: str) -> list[str]:
    """A text's own sentences: no code, no quotation, nothing very long."""
    own = _CODE.sub("\n", text[:_READ])
    pieces = (piece.strip() for piece in _PIECE.split(own))
    return [piece for piece in pieces if _LEAST < len(piece) <= _SENTENCE and piece[0] not in ">|"]


def _markers(left: Left) -> list[str]:
    """What the person decided and put right, each once, as marker lines."""
    found: dict[str, str] = {}
    for message in left.messages:
        if message.role != "user":
            continue
        for said in sentences(_vouched(message, left.typed)):
            if said.endswith("?"):
                continue
            kind = "correction" if _CORRECTION.search(said) else "decision"
            if kind == "correction" or _DECISION.search(said):
                line = marker(kind, said, message.session)
                found.pop(said.casefold(), None)  # the newest place counts
                found[said.casefold()] = line
    return list(found.values())


def _tasks(left: Left) -> list[str]:
    found = [
        f"Open, as {_who(message)} said: {_brief(said, _LINE)}"
        for message in left.messages
        if message.role in {"user", "assistant"}
        for said in sentences(_vouched(message, left.typed))
        if _TASK.search(said)
    ]
    return list(dict.fromkeys(found))


def _conclusions(left: Left) -> list[str]:
    found = [
        f"The assistant concluded: {_brief(said, _LINE)}"
        for message in left.messages
        if message.role == "assistant"
        for said in sentences(_words(message))
        if _CONCLUSION.search(said)
    ]
    return list(dict.fromkeys(found))


def _files(left: Left) -> list[str]:
    """One line: which files were written, edited, read, and how each now stands."""
    well = _outcomes(left.messages)
    states: dict[str, str] = {}
    for call in (call for message in left.messages for call in message.calls):
        state, path = _FILES.get(call.name, ""), _argument(call, "path")
        if not state or not path or not well.get(call.id):
            continue
        if state == "read" and states.get(path, "read") != "read":
            continue  # that it was written says more
        states.pop(path, None)
        states[path] = state
    by_state: list[str] = []
    for state in ("written", "edited", "read"):
        names = [_brief(path, _SHORT) for path, of in states.items() if of == state]
        names = _newest(names, _NAMES)
        by_state += [f"{state} {', '.join(names)}"] if names else []
    return [f"Files: {'; '.join(by_state)}."] if by_state else []


def _lines(messages: Sequence[Message]) -> list[str]:
    """A line for each turn; for each step where no turn begins."""
    well = _outcomes(messages)
    turns = any(message.role == "user" for message in messages)
    groups: list[list[Message]] = [[]]
    for message in messages:
        if message.role == ("user" if turns else "assistant"):
            groups.append([])
        groups[-1].append(message)
    return [_line(group, well) for group in groups if group]


def _outcomes(messages: Sequence[Message]) -> dict[CallId, bool]:
    return {result.call_id: result.ok for message in messages for result in message.results}


def _line(group: Sequence[Message], well: Mapping[CallId, bool]) -> str:
    asked = [_brief(_words(message), _SHORT) for message in group if message.role == "user"]
    said = [_brief(_words(message), _SHORT) for message in group if message.role == "assistant"]
    did = [_deed(call, ok=well.get(call.id, False)) for m in group for call in m.calls]
    done = ", ".join(did[-_DEEDS:])
    parts = {
        "asked": asked[0] if asked else "",
        "did": done if len(did) <= _DEEDS else f"{len(did)} calls, last {done}",
        "answered": next(filter(None, reversed(said)), ""),
    }
    return "- " + " | ".join(f"{name}: {text}" for name, text in parts.items() if text)


def _deed(call: ToolCall, *, ok: bool) -> str:
    on = _argument(call, "path") or _argument(call, "command") or _argument(call, "pattern")
    return f"{_brief(call.name, 24)} {_brief(on, 48)}".strip() + ("" if ok else " (failed)")


def _argument(call: ToolCall, name: str) -> str:
    if len(call.arguments) > 50 * _READ:
        return ""
    try:
        value = msgspec.json.decode(call.arguments, type=dict[str, object]).get(name)
    except (ValueError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""


def _who(message: Message) -> str:
    return "the person" if message.role == "user" else "the assistant"


def _vouched(message: Message, typed: Typed) -> str:
    """The words that are the speaker's own: nobody vouches for what a pipe or a job brought."""
    text = _words(message)
    return text[: typed.get(message.turn)] if message.role == "user" else text


def _words(message: Message) -> str:
    return "\n".join(part.text[:_READ] for part in message.parts if isinstance(part, Text))


def _brief(text: str, most: int) -> str:
    line = unmarked(text[: 4 * most])
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def _newest(lines: Sequence[str], room: int) -> list[str]:
    """The last lines that fit, in their order."""
    kept: list[str] = []
    for line in reversed(lines):
        if (size := _size([line])) <= room:
            kept.append(line)
            room -= size
    return kept[::-1]


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)
