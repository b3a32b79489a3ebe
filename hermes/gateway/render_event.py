"""Events and calls as plain lines: what a terminal and standard error show of a turn.

Pure text in, clean text out; imports nothing heavy, because one-shot turns use it too.
"""

import json
from dataclasses import dataclass

from hermes.core.event import ApprovalAsked, Compacted, Json, ToolFinished, TurnFailed, Usage
from hermes.gateway.render_text import clean, one_line, reveal

_SHOWN_FIRST = ("command", "path", "pattern", "query", "content", "task", "when")


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


UNICODE = Marks("●", "✓", "✗", "⊘", "?", "·", "›", " · ")  # noqa: RUF001 - drawn, not read
ASCII = Marks("*", "+", "x", "!", "?", "-", ">", " - ")


def marks_for(encoding: str | None) -> Marks:
    """The signs that an output of this encoding can write."""
    try:
        "●✓✗⊘·›".encode(encoding or "ascii")  # noqa: RUF001 - drawn, not read
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


def result_line(event: ToolFinished, marks: Marks, arguments: Json = None) -> str:
    """`✓ FileRead README.md · 120 lines`."""
    mark = marks.refused if event.denied else marks.ok if event.ok else marks.failed
    head = f"{mark} {reveal(event.name)} {arguments_line(arguments, 60) if arguments else ''}"
    return f"{head.rstrip()}{marks.dot}{summary(event)}"


def summary(event: ToolFinished) -> str:
    """A result in a few words."""
    text = clean(event.result).strip()
    if event.denied:
        return one_line(text.removeprefix("error: ") or "refused", 100)
    if not text:
        return "nothing" if event.ok else "failed"
    first, _, more = text.partition("\n")
    if first.startswith("[") and "]" in first:
        return one_line(first[1 : first.index("]")], 100)
    if not event.ok or not more:
        return one_line(first, 100)
    return f"{text.count(chr(10)) + 1} lines"


def approval_lines(event: ApprovalAsked, marks: Marks) -> list[str]:
    """What a person needs to know to decide; nothing in it is hidden or folded away."""
    lines = [f"{marks.ask} {reveal(event.name)} needs your word" + _because(event.reason)]
    if isinstance(event.arguments, dict):
        for name, value in event.arguments.items():
            lines += [f"    {reveal(str(name))}: {line}" for line in _all_lines(_value(value))]
    else:
        lines += [f"    {line}" for line in _all_lines(str(event.arguments))]
    lines.append(f"  y once   a always: {reveal(event.rule)}   n [reason] no   d show the diff")
    return lines


def compacted_line(event: Compacted, marks: Marks) -> str:
    """One line about what the model no longer sees."""
    return (
        f"{marks.notice} shortened for the model: {event.elided_results} results, "
        f"{event.dropped_turns} turns, {event.saved_tokens} tokens saved; the store keeps all"
    )


def failed_lines(event: TurnFailed, marks: Marks) -> list[str]:
    """What went wrong and what to do."""
    lines = [f"{marks.failed} {clean(event.error)}"]
    return [*lines, f"  {clean(event.remedy)}"] if event.remedy else lines


def usage_line(usage: Usage, marks: Marks) -> str:
    """`2 steps · 1,204 tokens (1,100 cached) + 57 · 2.1 s`; empty where nothing was measured."""
    if not usage.steps:
        return ""
    steps = "1 step" if usage.steps == 1 else f"{usage.steps} steps"
    tokens = f"{usage.prompt_tokens:,} tokens ({usage.cached_tokens:,} cached)"
    seconds = f"{usage.wall_ms / 1000:.1f} s"
    return marks.dot.join([steps, f"{tokens} + {usage.completion_tokens:,}", seconds])


def _because(reason: str) -> str:
    return f": {one_line(reveal(reason), 200)}" if reason else ""


def _value(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _all_lines(text: str) -> list[str]:
    shown = [reveal(line) for line in text.split("\n")]
    if len(shown) <= 40:  # noqa: PLR2004 - more than a screen; the diff has the rest
        return shown
    return [*shown[:30], f"... {len(shown) - 30} more lines (d shows the diff)"]
