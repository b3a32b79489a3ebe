"""Which exchanges are worth learning from, and why the others are not.

Only what the store and the person's own words show: whether an answer was true, nobody here
knows.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from training.curate.exchange import Exchange

_REPEATS = 3
_LINES = 4
_CORRECTIONS = re.compile(
    r"(?i)\s*(?:(?:no+|nope|nah|nein|non|nee|wrong|falsch|incorrect|faux|incorrecto|stop|wait|"
    r"halt|ugh|argh|actually|sorry)\s*(?:[,.!:;\u2013\u2014-]|$|\n)"
    r"|no+ (?:that|i|not|the|it|you|this|don'?t|use|in)\b"
    r"|not (?:that|this|what|the|like|there|so)\b"
    r"|(?:that|this|it)(?:['\u2019]s| is| was)? (?:not|wrong|incorrect|isn'?t|false)\b"
    r"|that isn'?t\b|you (?:got|misread|misunderstood|forgot|broke|missed)\b|du hast\b"
    r"|i (?:meant|said|asked|wanted)\b|ich (?:meinte|wollte|sagte)\b"
    r"|das (?:ist|war) (?:falsch|nicht)\b"
    r"|undo\b|revert\b|try again\b|again[,.!]|still (?:wrong|not)\b)"
)
_KIND = re.compile(
    r"(?i)\s*no(?:pe)?[,.!]?\s+(?:problem|worries|thanks|thank you|need|rush|doubt)\b"
)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_VALUE = re.compile(r"[\w./@:-]{3,}")


def is_correction(request: str) -> bool:
    """Whether these words take back what was answered before them."""
    return _CORRECTIONS.match(request) is not None and _KIND.match(request) is None


class Judged(NamedTuple):
    """An exchange and why it is left out; `reason` empty: it is good."""

    exchange: Exchange
    reason: str


def judge(turns: Sequence[Exchange]) -> list[Judged]:
    """Judge each exchange of a conversation, knowing what came after it.

    One that takes back the one before gets that one's request in front of its own words, so
    that it stands by itself.
    """
    judged: list[Judged] = []
    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        before = judged[-1] if judged else None
        joined = turn
        if before is not None and before.reason and is_correction(turn.request):
            joined = turn.asked(f"{before.exchange.request}\n\n{turn.request}")
        reason = _reason(joined)
        if following is not None and not reason:
            reason = _taken_back(turn.request, following.request)
        judged.append(Judged(joined, reason))
    return _with_leaning(judged)


def _taken_back(request: str, following: str) -> str:
    if is_correction(following):
        return "corrected"
    return "asked again" if _same(request) == _same(following) else ""


def _reason(turn: Exchange) -> str:
    facts = turn.facts
    checks = (
        ("imported", facts.state is None),
        ("unfinished", facts.state != "finished"),
        ("undone", facts.undone),
        ("denied", facts.refused or turn.denied_calls),
        ("failed call", facts.failed_write or turn.failed_calls),
        ("unreadable", turn.unreadable or not _in_form(turn)),
        ("empty", not turn.request.strip() or not turn.answer.strip()),
        ("looping", _loops(turn)),
    )
    return next((reason for reason, holds in checks if holds), "")


def _in_form(turn: Exchange) -> bool:
    """One request, every call answered at once and in order, an answer at the end."""
    waiting: list[str] = []
    for index, message in enumerate(turn.messages):
        role = message["role"]
        if (role == "user") != (index == 0) or role == "system":
            return False
        if role == "tool":
            if not waiting or waiting.pop(0) != message["tool_call_id"]:
                return False
            continue
        if waiting:
            return False
        calls = message.get("tool_calls", ())
        if not all(_NAME.fullmatch(call["function"]["name"]) for call in calls):
            return False
        waiting = [call["id"] for call in calls]
    return not waiting


def _loops(turn: Exchange) -> bool:
    calls = Counter(turn.calls)
    lines = Counter(line for line in turn.answer.splitlines() if line.strip(" `|-=*#}{)("))
    return max(calls.values(), default=0) >= _REPEATS or max(lines.values(), default=0) >= _LINES


def _with_leaning(judged: Sequence[Judged]) -> list[Judged]:
    """Leave out, too, what cannot be known any more once others are left out.

    A value of a call that stands only in an exchange that is gone would teach guessing.
    """
    gone: set[str] = set()
    kept: set[str] = set()
    result: list[Judged] = []
    for one in judged:
        values, guesses = _values(one.exchange, kept)
        reason = one.reason or ("leans on one left out" if guesses & gone else "")
        result.append(Judged(one.exchange, reason))
        if reason:
            gone |= values
        else:
            kept |= values
    return result


def _values(turn: Exchange, known: set[str]) -> tuple[set[str], set[str]]:
    """All telling values of an exchange, and those of calls that nothing before them names."""
    seen: set[str] = set()
    guesses: set[str] = set()
    for message in turn.messages:
        seen |= _telling(message["content"])
        for call in message.get("tool_calls", ()):
            wanted = _telling(json.dumps(call["function"]["arguments"], ensure_ascii=False))
            guesses |= wanted - seen - known
            seen |= wanted
    return seen, guesses


def _telling(text: str) -> set[str]:
    found = (value.strip("./@:-") for value in _VALUE.findall(text))
    return {value for value in found if len(value) > 2 and not value.isalpha()}  # noqa: PLR2004


def _same(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
