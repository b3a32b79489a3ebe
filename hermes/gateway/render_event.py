"""Events and calls as plain lines: what a terminal and standard error show of a turn.

Pure text in, clean text out; imports nothing heavy, because one-shot turns use it too.
"""

import json
import re
from dataclasses import dataclass

from hermes.core.event import ApprovalAsked, Compacted, Json, ToolFinished, TurnFailed, Usage
from hermes.errors import TurnStopped
from hermes.gateway.render_text import clean, one_line, reveal

_EXIT = re.compile(r"exit code (-?\d+)")
_SHOWN_FIRST = ("command", "pattern", "path", "query", "content", "task", "when")


@dataclass(frozen=True)
class Marks:
    """The signs before a line."""

    call: str
    ok: str
    failed: str
    refused: str
    ask: str
    notice: str
    prompt: str
    dot: str
    bar: str


UNICODE = Marks("●", "✓", "✗", "⊘", "?", "·", "›", " · ", "│")  # noqa: RUF001 - drawn, not read
ASCII = Marks("*", "+", "x", "!", "?", "-", ">", " - ", "|")


def marks_for(encoding: str | None) -> Marks:
    """The signs that an output of this encoding can write."""
    try:
        "●✓✗⊘·›│".encode(encoding or "ascii")  # noqa: RUF001 - drawn, not read
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def arguments_line(arguments: Json, width: int = 100) -> str:
    """A call's arguments in one line: the telling one first, the others as name=value."""
    if not isinstance(arguments, dict):
        return one_line(reveal(str(arguments)), width)
    first = next((name for name in _SHOWN_FIRST if name in arguments), None)
    words = [_value(arguments[first])] if first else []
    words += [f"{name}={_value(value)}" for name, value in arguments.items() if name != first]
    return one_line(reveal(" ".join(words)), width)


def call_line(name: str, arguments: Json, marks: Marks, width: int = 100) -> str:
    """`● FileRead README.md`."""
    return f"{marks.call} {reveal(name)} {arguments_line(arguments, width)}".rstrip()


def result_line(event: ToolFinished, marks: Marks, arguments: Json = None, width: int = 0) -> str:
    """`✓ FileRead README.md · 120 lines`; with a width, all of it on one row."""
    mark = marks.refused if event.denied else marks.ok if event.ok else marks.failed
    start, end = f"{mark} {reveal(event.name)}", f"{marks.dot}{summary(event)}"
    room = min(60, width - len(start) - len(end) - 2) if width else 60
    words = arguments_line(arguments, max(room, 12)) if arguments else ""
    line = f"{start} {words}".rstrip() + end
    return one_line(line, max(width - 1, 20)) if width else line


def summary(event: ToolFinished) -> str:
    """A result in a few words."""
    text = clean(event.result).strip()
    if event.denied or not event.ok:
        told = "refused" if event.denied else "failed"
        return one_line(text.removeprefix("error: ").partition("\n")[0] or told, 100)
    if not text:
        return "nothing"
    first, *more = text.split("\n")
    ended = more.pop() if more and _EXIT.fullmatch(more[-1]) else ""
    if first.startswith("[") and "]" in first:
        head = one_line(first[1 : first.index("]")], 100)
    elif more:
        head = f"{len(more) + 1} lines"
    else:
        head = one_line(first, 80)
    return f"{head}, {ended}" if ended not in {"", "exit code 0"} else head


def approval_lines(event: ApprovalAsked, marks: Marks) -> list[str]:
    """What a person needs to know to decide; nothing in it is hidden or folded away."""
    lines = [f"{marks.ask} {reveal(event.name)} needs your word" + _because(event.reason)]
    if isinstance(event.arguments, dict):
        for name, value in event.arguments.items():
            head, shown = f"    {reveal(str(name))}:", _all_lines(_value(value))
            lines += (
                [f"{head} {shown[0]}"]
                if len(shown) == 1
                else [head, *(f"    {marks.bar} {line}" for line in shown)]
            )
    else:
        lines += [f"    {line}" for line in _all_lines(str(event.arguments))]
    always = f"   a always: {reveal(event.rule)}" if event.rule else ""
    return [*lines, f"  y once   n [reason] no   d diff{always}"]


def compacted_line(event: Compacted, marks: Marks) -> str:
    """One line about what the model no longer sees."""
    told = f", {event.digest_bytes} bytes tell of them" if event.digest_bytes else ""
    by = {"": "", "rules": "", "limit": " (the window was full)"}.get(
        event.by, f" (summed up by {clean(event.by)})"
    )
    return (
        f"{marks.notice} shortened for the model: {event.elided_results} results, "
        f"{event.dropped_turns} turns, {event.saved_tokens} tokens saved{told}{by}; "
        "the store keeps all"
    )


def failed_lines(event: TurnFailed, marks: Marks) -> list[str]:
    """What went wrong and what to do; a stop was wanted, so nothing went wrong."""
    mark = marks.notice if stopped(event) else marks.failed
    lines = [f"{mark} {clean(event.error)}"]
    return [*lines, f"  {clean(event.remedy)}"] if event.remedy else lines


def stopped(event: TurnFailed) -> bool:
    """Whether somebody wanted the turn to end."""
    return event.kind == TurnStopped.__name__


def usage_line(usage: Usage, marks: Marks) -> str:
    """`2 steps · 1,204 tokens in (1,100 cached), 57 out · 2.1 s`; empty: not measured."""
    if not usage.steps:
        return ""
    steps = "1 step" if usage.steps == 1 else f"{usage.steps} steps"
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    tokens = f"{usage.prompt_tokens:,} tokens in{cached}, {usage.completion_tokens:,} out"
    return marks.dot.join([steps, tokens, f"{usage.wall_ms / 1000:.1f} s"])


def _because(reason: str) -> str:
    return f": {one_line(reveal(reason), 200)}" if reason else ""


def _value(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _all_lines(text: str) -> list[str]:
    shown = [reveal(line) for line in text.split("\n")]
    if len(shown) <= 40:  # noqa: PLR2004 - more than a screen; the diff has the rest
        return shown
    return [*shown[:30], f"... {len(shown) - 30} more lines (d shows the diff)"]
