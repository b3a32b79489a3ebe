"""What an evaluation found, for people and for programs, and whether it is good enough."""

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from hermes.core.model import Reply
from hermes.errors import Usage
from training.evaluate.cases import Case
from training.evaluate.runner import Answered
from training.evaluate.score import rate


class Wrong(msgspec.Struct, frozen=True):
    """An answer that is not exact."""

    where: str
    asked: str
    expected: str
    got: str


class IntentScore(msgspec.Struct, frozen=True):
    """One intent of a set: shares from 0 to 1."""

    cases: int
    exact: float
    tool: float


class SetScore(msgspec.Struct, frozen=True):
    """One set under one way of decoding: shares from 0 to 1.

    `valid`: of the answers that call, those whose every call the runtime would take; None where
    nothing was called. `prompt_tokens`: the median, 0 where the server did not say.
    """

    name: str
    grammar: bool
    cases: int
    exact: float
    tool: float
    valid: float | None
    failed: int
    prompt_tokens: int
    intents: dict[str, IntentScore]
    wrong: tuple[Wrong, ...] = ()

    @property
    def key(self) -> str:
        """What a threshold calls it."""
        return self.name if self.grammar else f"{self.name}-no-grammar"


class Speed(msgspec.Struct, frozen=True):
    """One request at a time; `load_ms` None for a server, `first_token_ms` the median."""

    load_ms: float | None
    first_token_ms: float
    tokens_per_s: float


class Report(msgspec.Struct, frozen=True):
    """A whole evaluation; `notes` say what was left out and why."""

    model: str
    profile: str
    window: int
    speed: Speed
    sets: tuple[SetScore, ...]
    notes: tuple[str, ...] = ()


def score_set(name: str, answers: Sequence[Answered], *, grammar: bool, wrong: bool) -> SetScore:
    """Count the answers of a set, which holds at least one; `wrong`: name the bad ones."""
    groups: dict[str, list[Answered]] = {}
    for answer in answers:
        groups.setdefault(answer.case.intent, []).append(answer)
    called = [answer.verdict.valid for answer in answers if answer.verdict.called]
    return SetScore(
        name=name,
        grammar=grammar,
        cases=len(answers),
        exact=_exact(answers),
        tool=_tool(answers),
        valid=rate(called),
        failed=sum(bool(answer.error) for answer in answers),
        prompt_tokens=round(median(answer.reply.usage.prompt for answer in answers)),
        intents={
            intent: IntentScore(len(group), _exact(group), _tool(group))
            for intent, group in sorted(groups.items())
        },
        wrong=tuple(_wrong(a) for a in answers if wrong and not a.verdict.exact),
    )


def speed_of(held: Sequence[Answered], free: Sequence[Answered], load_ms: float | None) -> Speed:
    """Times of requests that were put one after the other.

    Args:
        held: with the tools, as a turn sends them: how long a person waits.
        free: without, where every token comes as it is generated: how fast they come.
        load_ms: how long the engine took to start.
    """
    said = [answer for answer in free if answer.reply.usage.completion > 1]
    tokens = sum(answer.reply.usage.completion - 1 for answer in said)
    seconds = sum(answer.total_ms - answer.first_ms for answer in said) / 1_000
    return Speed(
        load_ms=load_ms,
        first_token_ms=median([answer.first_ms for answer in held if not answer.error] or [0.0]),
        tokens_per_s=tokens / seconds if seconds else 0.0,
    )


def parse_least(text: str) -> tuple[str, float]:
    """A threshold such as `free=0.75` or `free/FileEdit=0.6`; raises Usage."""
    name, _, value = text.rpartition("=")
    try:
        least = float(value)
    except ValueError:
        least = -1.0
    if not name or not 0 <= least <= 1:
        raise Usage(f"{text!r} is no threshold", "write it as SET=0.75 or SET/INTENT=0.75")
    return name, least


def unmet(report: Report, least: Mapping[str, float]) -> list[str]:
    """The thresholds that are not reached, one sentence each; a set that did not run is one."""
    reached = {found.key: found.exact for found in report.sets} | {
        f"{found.key}/{intent}": score.exact
        for found in report.sets
        for intent, score in found.intents.items()
    }
    return [
        f"{name}: {reached[name]:.3f} is less than {wanted:g}"
        if name in reached
        else f"{name}: was not evaluated"
        for name, wanted in least.items()
        if reached.get(name, -1.0) < wanted
    ]


def render(report: Report) -> str:
    """The report as aligned text; what models and files say stands in quotes, escaped."""
    speed = report.speed
    load = "" if speed.load_ms is None else f"load {speed.load_ms:.0f} ms, "
    lines = [
        f"{report.model!r}, profile {report.profile}, window {report.window}",
        f"{load}first token {speed.first_token_ms:.0f} ms, {speed.tokens_per_s:.0f} tokens/s",
        "",
        f"{'set':26} {'cases':>5}  exact   tool  valid  prompt",
    ]
    for found in report.sets:
        valid = "    -" if found.valid is None else f"{found.valid:.3f}"
        failed = f"  {found.failed} failed" if found.failed else ""
        lines.append(
            f"{found.key:26} {found.cases:5}  {found.exact:.3f}  {found.tool:.3f}  {valid}  "
            f"{found.prompt_tokens:6}{failed}"
        )
    held = {found.name for found in report.sets if found.grammar}
    for found in report.sets:
        if found.grammar or found.name not in held:
            lines += _details(found)
    lines += ["", *report.notes] if report.notes else []
    return "\n".join(lines)


def _details(found: SetScore) -> list[str]:
    lines = ["", f"{found.key}:"]
    lines += [
        f"  {intent:24} {score.cases:5}  {score.exact:.3f}  {score.tool:.3f}"
        for intent, score in found.intents.items()
    ]
    for wrong in found.wrong:
        lines += [
            f"  {wrong.where}: {wrong.asked!r}",
            f"    expected {wrong.expected!r}",
            f"    got      {wrong.got!r}",
        ]
    return lines


def _exact(answers: Sequence[Answered]) -> float:
    return rate([answer.verdict.exact for answer in answers]) or 0.0


def _tool(answers: Sequence[Answered]) -> float:
    return rate([answer.verdict.tool for answer in answers]) or 0.0


def _wrong(answer: Answered) -> Wrong:
    got = f"error: {answer.error}" if answer.error else _shown(answer.reply)
    return Wrong(answer.case.where, answer.case.asked, _wanted(answer.case), got)


def _wanted(case: Case) -> str:
    if case.said or case.words:
        return case.said or " | ".join(case.words)
    encode = msgspec.json.encode
    sets = [" ".join(f"{c.tool}{encode(c.args).decode()}" for c in calls) for calls in case.accept]
    return " | ".join(calls or "no call" for calls in sets)


def _shown(reply: Reply) -> str:
    if reply.malformed:
        return f"malformed: {reply.malformed}"
    return " ".join(f"{call.name}{call.arguments}" for call in reply.calls) or reply.text
