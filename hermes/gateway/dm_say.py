"""What the gateway itself says to a person: questions, endings, status, help. Pure."""

import json
from collections.abc import Sequence

from hermes.core.event import ApprovalAsked, Json, TurnFailed, TurnFinished
from hermes.gateway.dm_plain import MOST, plain
from hermes.gateway.dm_split import PARTS, split
from hermes.gateway.dm_words import COMMANDS
from hermes.gateway.render_event import UNICODE, failed_lines
from hermes.gateway.render_text import clean, one_line, reveal
from hermes.store.pairings import Pairing

_QUESTION_MOST = 20_000
_SHOWN_AS_DIFF = {"content", "old", "new"}
_FILES = 20


def answer(event: TurnFinished, files: Sequence[str]) -> list[str]:
    """A turn's answer in parts, and the files it changed by their names."""
    told = plain(event.text) or "(no words)"
    more = [f"[{_times(event.denied, 'call was', 'calls were')} refused]"] if event.denied else []
    if files:
        left = f" and {len(files) - _FILES} more" if len(files) > _FILES else ""
        more.append(f"Files changed: {', '.join(map(reveal, files[:_FILES]))}{left}")
    tail = "\n\n".join(more)
    place = f"`hermes conversations show {event.conversation_id}` has them"
    parts = split(told, place, beyond=max(0, len(event.text) - MOST))
    if not tail:
        return parts
    if len(parts) == 1 and len(split(f"{told}\n\n{tail}")) == 1:
        return [f"{told}\n\n{tail}"]
    return [*parts, tail]


def failure(event: TurnFailed) -> str:
    """Why there is no answer."""
    return one_part("\n".join(failed_lines(event, UNICODE)))


def question(asked: ApprovalAsked, number: int) -> tuple[list[str], bool]:
    """Everything that a person has to know to decide; False: it is too long for that."""
    why = f": {one_line(reveal(asked.reason), 200)}" if asked.reason else ""
    lines = [f"Question {number}: {reveal(asked.name)} needs your word{why}", ""]
    lines += _arguments(asked)
    if asked.diff:
        lines += ["```diff", *(reveal(line) for line in asked.diff.rstrip("\n").split("\n")), "```"]
    told = "\n".join(lines)
    ways = f"Answer: yes {number}, no {number} (a reason may follow)"
    if asked.rule:
        ways += f", or always {number} (from now on: {reveal(asked.rule)})"
    if len(told) > _QUESTION_MOST or len(ways) > _QUESTION_MOST:
        head = one_part(f"{lines[0]}\n\nIt is too long to be shown here.")
        return [f"{head}\nAnswer no {number}, or look at it in the terminal."], False
    return split(f"{told}\n\n{ways}", parts=10 * PARTS), True


def welcome(person: Pairing) -> str:
    """The first words to a key that was just paired."""
    return (
        "You are paired with Hermes. Just write; what you say is acted on in "
        f"{reveal(person.desk.root)}\n\n{helped()}"
    )


def helped() -> str:
    """What can be said."""
    lines = [f"/{name}: {says}" for name, says in COMMANDS.items()]
    return "\n".join(
        [*lines, "When I ask: yes, no (with a reason, if you like) or always.",
         "Two slashes say a line that begins with one to the agent."]
    )  # fmt: skip


def status(now: Json, person: Pairing, waiting: int, open_: Sequence[int]) -> str:
    """How things stand; `now` as the owner tells it, `open_` the questions that wait."""
    running = [
        turn
        for turn in now.get("running") or []
        if turn.get("conversation_id") == person.desk.conversation and person.desk.conversation
    ]
    tools = ", ".join(str(tool) for turn in running for tool in turn.get("tools") or [])
    context = now.get("context") or {}
    lines = [
        f"running: {tools or 'the model'}" if running else "nothing runs",
        f"waiting: {waiting}",
        f"model: {now.get('model') or 'the one that ships'}",
        f"conversation: {person.desk.conversation or 'new'}",
        f"project: {person.desk.root}",
    ]
    if context.get("window"):
        lines.insert(3, f"context: {context.get('used', 0):,} of {context['window']:,} tokens")
    if open_:
        lines.append(f"questions that wait for you: {', '.join(map(str, open_))}")
    lines += [f"alarm: {alarm}" for alarm in now.get("alarms") or []]
    return one_part("\n".join(lines))


def one_part(text: str) -> str:
    """Clean text that fits one message, cut where it does not."""
    first, *rest = split(clean(text), "left out", parts=2)
    return first.removeprefix("(1/2)").lstrip() + " …" if rest else first


def _arguments(asked: ApprovalAsked) -> list[str]:
    if not isinstance(asked.arguments, dict):
        return [reveal(str(asked.arguments))]
    told: list[str] = []
    for name, value in asked.arguments.items():
        if asked.diff and name in _SHOWN_AS_DIFF:
            continue
        words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        told.append(f"{reveal(str(name))}: {_revealed(words)}")
    return told


def _revealed(text: str) -> str:
    return "\n".join(reveal(line) for line in text.split("\n"))


def _times(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
