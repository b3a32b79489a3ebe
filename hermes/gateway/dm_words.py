"""What a direct message means: a command, an answer to a question, or words for the agent."""

import re
from dataclasses import dataclass

from hermes.core.event import Answer

COMMANDS = {
    "help": "what you can say here",
    "status": "what runs just now",
    "stop": "stop the running turn, and drop what waits",
    "new": "start a new conversation",
    "successor": "changes of Hermes itself; with an ID: its difference, to say yes or no to",
}
_ANSWERS: dict[str, Answer] = {
    "y": "yes",
    "yes": "yes",
    "n": "no",
    "no": "no",
    "a": "always",
    "always": "always",
}
_LONGEST = 1_000
_WORD = re.compile(r"(?:/?)([A-Za-z]+)[.,:!]?(?:\s+#?(\d{1,6})\b)?[.,:!]?(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A slash command; `name` is not known when it is not in COMMANDS. `rest` follows it."""

    name: str
    rest: str = ""


@dataclass(frozen=True)
class Reply:
    """yes, no or always; `number` 0: to the question that is open. `reason` goes with a no."""

    answer: Answer
    number: int = 0
    reason: str = ""


def command_in(text: str) -> Command | None:
    """The slash command that a message is; a slash and a space, or two, say it to the agent."""
    line = text.strip()
    if not line.startswith("/") or line[1:2] in {"", " ", "/"}:
        return None
    name, *rest = line[1:].split(maxsplit=1)
    name = name.rstrip(".!").lower()
    return Command(name, *rest) if name.isascii() and name.isalpha() else None


def reply_in(text: str) -> Reply | None:
    """The answer that a message is, while a question is open; None when it is other words."""
    found = _WORD.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    answer = _ANSWERS.get(found.group(1).lower()) if found else None
    if found is None or answer is None:
        return None
    number, reason = int(found.group(2) or 0), (found.group(3) or "").strip()
    if reason and answer != "no":
        return None
    return Reply(answer, number, reason)


def unslashed(text: str) -> str:
    """What the agent is told of a message that was kept from being a command."""
    line = text.strip()
    return line[1:].lstrip(" ") if line.startswith(("//", "/ ")) else line
