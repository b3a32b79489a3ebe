"""What a turn is narrowed to while it follows instructions that name their tools.

Only ever tighter: what is allowed becomes a question where the instructions do not name it;
what is denied stays denied. It does not guard what an allowed command does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hermes.errors import Refused
from hermes.policy.decision import Call, Decision, Rulebook
from hermes.policy.paths import resolve
from hermes.policy.rules import COMMAND_TOOLS, READERS, Malformed, Rule, parse_rule
from hermes.policy.shell import Shell, judge_command
from hermes.policy.text import text_rule

_OPENS = "Skill"
"""Reading further instructions is never narrowed."""


@dataclass(frozen=True)
class Narrow:
    """Rules of which one must name each call; `name`: whose instructions they are."""

    name: str
    rules: tuple[Rule, ...]


def narrow_to(name: str, texts: Sequence[str]) -> Narrow:
    """Read the rules; one that nobody can read allows nothing."""
    parsed = (parse_rule(text, "session") for text in texts)
    return Narrow(name, tuple(rule for rule in parsed if not isinstance(rule, Malformed)))


def tightened(decision: Decision, call: Call, narrows: Sequence[Narrow]) -> Decision:
    """The decision as it stands while all of these hold."""
    if decision.verdict == "deny" or call.tool == _OPENS:
        return decision
    for narrow in narrows:
        if not _covers(narrow.rules, call):
            if decision.verdict == "ask":
                return replace(decision, always="")  # it would not help while this holds
            reason = f"the skill {narrow.name} does not name {call.tool} for this"
            return Decision("ask", f"skill {narrow.name}", reason=reason)
    return decision


def _covers(rules: Sequence[Rule], call: Call) -> bool:
    """Whether any rule surely means the call; whoever may read files may list and search."""
    near = tuple(rule for rule in rules if _near(rule, call.tool))
    if any(rule.argument is None and rule.names(call.tool) for rule in near):
        return True
    value = call.subject.value
    match call.subject.kind:
        case "path":
            paths = {_real(value, call), *call.changes}
            return all(path is not None and _path(near, path, call) for path in paths)
        case "command":
            text = f"git {value}" if call.tool == "Git" else value
            shell = Shell(call.tool, text, call.place, "ask")
            return bool(near) and judge_command(shell, Rulebook(allow=near)).verdict == "allow"
        case "text":
            return text_rule(near, call.tool, value, possibly=False) is not None


def _near(rule: Rule, tool: str) -> bool:
    both = tool in COMMAND_TOOLS and rule.tool in COMMAND_TOOLS
    return both or rule.names(tool) or (rule.tool == "FileRead" and tool in READERS)


def _path(rules: Sequence[Rule], path: Path, call: Call) -> bool:
    root = call.place.root
    return any(
        rule.argument is None or (rule.pattern is not None and rule.pattern.covers(path, root))
        for rule in rules
    )


def _real(text: str, call: Call) -> Path | None:
    try:
        return resolve(text, call.place)
    except Refused:
        return None
