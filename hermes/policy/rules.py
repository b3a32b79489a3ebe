"""Rules as people write them: `Bash(git:*)`, `FileEdit(*.md)`, `mcp__server__*`.

A rule that cannot be read is kept as Malformed and counts as a deny: a typing error in a
deny rule must not open anything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hermes.policy.lexer import split
from hermes.policy.patterns import PathPattern, fault

Scope = Literal["user", "project", "session"]
Verdict = Literal["allow", "ask", "deny"]

COMMAND_TOOLS = frozenset({"Bash", "Git"})
READERS = frozenset({"FileRead", "ListDir", "Grep", "Glob"})
WRITERS = frozenset({"FileWrite", "FileEdit"})

_SHAPE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*\*?|\*)(?:\((.*)\))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `words` of a command rule, which are a prefix when `prefix`.

    `argument` None: every call of the tool.
    """

    text: str
    tool: str
    source: Scope
    argument: str | None = None
    words: tuple[str, ...] = ()
    prefix: bool = False

    @property
    def pattern(self) -> PathPattern | None:
        """The argument as a path pattern, where it can be one."""
        if self.argument is None or fault(self.argument):
            return None
        return PathPattern(self.argument)

    def names(self, tool: str) -> bool:
        """Whether the rule's name means this tool."""
        if self.tool.endswith("*"):
            return tool.startswith(self.tool[:-1])
        return tool == self.tool

    def reaches(self, tool: str) -> bool:
        """Whether a deny or ask rule for its tool holds for this one too.

        What may not be read may not be read by any reader; FileWrite and FileEdit are one;
        Git is one of the commands of Bash.
        """
        return (
            self.names(tool)
            or (self.tool == "FileRead" and tool in READERS)
            or (self.tool in WRITERS and tool in WRITERS)
            or (self.tool in COMMAND_TOOLS and tool in COMMAND_TOOLS)
        )


@dataclass(frozen=True, slots=True)
class Malformed:
    """A rule nobody can read: denies all of its tool, every write when that is unreadable."""

    text: str
    why: str
    source: Scope

    def reaches(self, tool: str, *, writes: bool) -> bool:
        """Whether it denies this call."""
        found = _NAME.match(self.text.strip())
        if not found:
            return writes
        name = found[0]
        if self.text.strip()[len(name) :].startswith("*"):
            return tool.startswith(name)
        return Rule(self.text, name, self.source).reaches(tool)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one scope."""

    allow: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    malformed: tuple[Malformed, ...] = ()

    def adding(self, rule: Rule) -> "RuleSet":
        """The same with one more allow rule."""
        return replace(self, allow=(*self.allow, rule))


NO_RULES = RuleSet()


def parse_rule(text: str, source: Scope) -> Rule | Malformed:  # noqa: PLR0911 - one return a kind of fault
    """Read one rule."""
    found = _SHAPE.fullmatch(text.strip())
    if not found:
        return Malformed(text, "a rule is Tool or Tool(argument)", source)
    tool, argument = found[1], found[2]
    if argument is None:
        words = ("git",) if tool == "Git" else ()
        return Rule(text.strip(), tool, source, words=words, prefix=tool == "Git")
    argument = argument.strip()
    if not argument:
        return Malformed(text, "nothing between the brackets", source)
    if tool.endswith("*"):
        return Malformed(text, "a name with * takes no argument", source)
    rule = Rule(text.strip(), tool, source, argument)
    if tool in COMMAND_TOOLS:
        return _command_rule(rule, argument)
    if tool in READERS | WRITERS and (why := fault(argument)):
        return Malformed(text, why, source)
    return rule


def read_rules(lists: Mapping[str, Iterable[str]], source: Scope) -> RuleSet:
    """Read the lists `allow`, `ask` and `deny`; any other list's rules are malformed."""
    found: dict[str, list[Rule]] = {"allow": [], "ask": [], "deny": []}
    malformed: list[Malformed] = []
    for name, texts in lists.items():
        if name not in found:
            malformed.append(Malformed(f"[{name}]", "lists are allow, ask and deny", source))
            continue
        for text in texts:
            rule = parse_rule(text, source)
            if isinstance(rule, Malformed):
                malformed.append(rule)
            else:
                found[name].append(rule)
    return RuleSet(
        tuple(found["allow"]), tuple(found["ask"]), tuple(found["deny"]), tuple(malformed)
    )


def _command_rule(rule: Rule, argument: str) -> Rule | Malformed:
    prefix = argument.endswith(":*")
    text = argument.removesuffix(":*").strip() if prefix else argument
    if rule.tool == "Git":
        text = f"git {text}"
    parts = split(text, comments=False)
    if parts is None or "\n" in text:
        return Malformed(
            rule.text, "a command rule is plain words, or plain words and `:*`", rule.source
        )
    if len(parts) != 1 or parts[0].redirects or parts[0].assigns:
        return Malformed(rule.text, "a command rule is one plain command", rule.source)
    return replace(rule, words=parts[0].texts, prefix=prefix)
