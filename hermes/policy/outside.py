"""What runs outside of the sandbox: what `sandbox.outside` names, or a person lets out this once.

The patterns mean only what they surely mean, every part of it: a command that cannot be read, or
that holds anything else that writes, stays inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hermes.core.tool import Place
from hermes.errors import Usage
from hermes.load import load
from hermes.policy.command import Parsed, ParsedCommand
from hermes.policy.decision import Decision, Rulebook
from hermes.policy.match import surely
from hermes.policy.rules import Malformed, Rule, parse_rule
from hermes.policy.shell import Shell, judge_command

_WHY_CHARS = 100  # front ends show 200 of the whole reason


@dataclass(frozen=True)
class Outside:
    """The patterns, read."""

    rules: tuple[Rule, ...] = ()

    def means(self, command: str, place: Place) -> bool:
        """Whether they mean this command; blocking."""
        if not self.rules:
            return False
        parsed: Parsed = load("shell_grammar").parse(command)
        if not isinstance(parsed, ParsedCommand):
            return False
        named = any(surely(rule, part.texts) for part in parsed.parts for rule in self.rules)
        book = Rulebook(allow=(*self.rules, _rule("cd:*")))
        shell = Shell("Bash", command, place, "ask")
        return named and judge_command(shell, book).verdict == "allow"


def read_outside(patterns: Sequence[str]) -> Outside:
    """Read patterns such as `npm install:*`; raises Usage."""
    return Outside(tuple(map(_rule, patterns)))


def asks_outside(decision: Decision, why: str) -> Decision:
    """What is not denied is a question when it asks to leave, whatever allows it inside."""
    if not why or decision.verdict == "deny":
        return decision
    shown = " ".join("".join(c if c.isprintable() else " " for c in why).split())
    shown = shown.replace('"', "'")
    if len(shown) > _WHY_CHARS:
        shown = f"{shown[:_WHY_CHARS]}..."
    reason = f'runs OUTSIDE the sandbox, with all of your rights. The model says why: "{shown}"'
    return Decision("ask", "outside of the sandbox", reason=reason, outside=True)


def _rule(pattern: str) -> Rule:
    rule = parse_rule(f"Bash({pattern})", "user")
    if isinstance(rule, Malformed):
        raise Usage(f"sandbox.outside: {pattern!r}: {rule.why}", "write it as in `Bash(…)` rules")
    return rule
