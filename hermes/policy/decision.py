"""What policy is asked and what it answers."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hermes.core.tool import Effect, Mode, Place, Subject
from hermes.policy.rules import Malformed, Rule, RuleSet, Verdict

_ORDER: dict[Verdict, int] = {"allow": 0, "ask": 1, "deny": 2}


@dataclass(frozen=True)
class Call:
    """One call to judge; `changes` are the resolved files that its plan touches.

    `outside`: why it asks to run outside of the sandbox; empty: it does not.
    """

    tool: str
    effect: Effect
    subject: Subject
    place: Place
    mode: Mode
    changes: tuple[Path, ...] = ()
    outside: str = ""


@dataclass(frozen=True)
class Decision:
    """The answer: `rule` decided (a rule's text or a default in words), `reason` says why.

    `always` is the rule that an "always" answer adds; empty when none is safe. `outside`: it
    asks to run outside of the sandbox, which only a person's answer to this very call lets it.
    """

    verdict: Verdict
    rule: str
    always: str = ""
    reason: str = ""
    outside: bool = False


@dataclass(frozen=True)
class Rulebook:
    """The rules of all scopes together: deny beats ask beats allow, wherever they stand."""

    allow: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    broken: str = ""

    @classmethod
    def of(cls, sets: Iterable[RuleSet], broken: str) -> "Rulebook":
        """Join scopes; `broken` says why the project's file cannot be read."""
        every = tuple(sets)
        return cls(
            tuple(rule for each in every for rule in each.allow),
            tuple(rule for each in every for rule in each.ask),
            tuple(rule for each in every for rule in each.deny),
            tuple(rule for each in every for rule in each.malformed),
            broken,
        )

    def closed(self, tool: str, effect: Effect) -> Decision | None:
        """The deny that rules nobody can read amount to."""
        writes = effect == "write"
        for bad in self.malformed:
            if bad.reaches(tool, writes=writes):
                return Decision(
                    "deny",
                    f"malformed {bad.source} rule {bad.text!r}",
                    reason=f"the {bad.source} rule {bad.text!r} is malformed: {bad.why}",
                )
        if self.broken and writes:
            rule = "the project's policy file is broken"
            return Decision("deny", rule, reason=f".hermes-v2/policy.toml: {self.broken}")
        return None


def by_rule(verdict: Verdict, rule: Rule, reason: str = "") -> Decision:
    """A decision that a rule made."""
    told = f"{rule.source} rule {rule.text}"
    words = {"allow": "allows", "ask": "asks", "deny": "denies"}[verdict]
    return Decision(verdict, told, reason=reason or f"the {told} {words} it")


def worst(decisions: Iterable[Decision]) -> Decision:
    """The strictest of several; the first of equals. `always` holds only for one question."""
    every = list(decisions)
    found = max(every, key=lambda each: _ORDER[each.verdict])
    questions = {each.always for each in every if each.verdict == "ask"}
    return found if len(questions) <= 1 else replace(found, always="")


def with_yes(decision: Decision) -> Decision:
    """What `--yes` makes of it: it answers what asks, not what is denied or goes outside."""
    if decision.verdict != "ask" or decision.outside:
        return decision
    return replace(decision, verdict="allow", rule=f"--yes ({decision.rule})")
