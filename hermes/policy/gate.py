"""The gate: one decision about one call, from the rules of all scopes and the defaults.

A decision only: no I/O but links that paths resolve through, so async callers ask in a
thread. It does not guard against what an allowed command does once it runs: that is the
sandbox's.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hermes.core.tool import Place
from hermes.errors import Refused, Usage
from hermes.policy.decision import Call, Decision, Rulebook, by_rule, with_yes, worst
from hermes.policy.files import ALLOWED, Access, forbids, judge_change, judge_path
from hermes.policy.narrow import Narrow, narrow_to, tightened
from hermes.policy.outside import asks_outside
from hermes.policy.paths import resolve
from hermes.policy.project import ProjectPolicy
from hermes.policy.rules import NO_RULES, Malformed, Rule, RuleSet, parse_rule
from hermes.policy.shell import Shell, judge_command
from hermes.policy.text import text_rule

__all__ = ["Call", "Decision", "Gate", "with_yes"]


class Gate:
    """Judges calls for one conversation; session rules are added as the person answers."""

    def __init__(self, user: RuleSet, project: ProjectPolicy, session: RuleSet = NO_RULES) -> None:
        self.user = user
        self.project = project
        self.session = session
        self._narrows: list[Narrow] = []
        self._remarks: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person should know before the first call."""
        scopes = (self.user, self.project.rules, self.session)
        bad = [each for scope in scopes for each in scope.malformed]
        return (
            *self.project.notes,
            *self._remarks,
            *(f"malformed {b.source} rule {b.text!r}: {b.why}; it counts as a deny" for b in bad),
        )

    def add_session(self, rule_text: str) -> Rule:
        """Add an allow rule from an "always" answer; raises Usage when it is malformed."""
        rule = parse_rule(rule_text, "session")
        if isinstance(rule, Malformed):
            raise Usage(f"the rule {rule_text!r} cannot be added: {rule.why}")
        self.session = self.session.adding(rule)
        return rule

    def remark(self, note: str) -> None:
        """Add to what the person should know."""
        self._remarks.append(note)

    def narrow(self, name: str, rules: Sequence[str]) -> None:
        """From now on, ask about every call that none of these rules names; never loosens."""
        self._narrows.append(narrow_to(name, rules))

    def decide(self, call: Call) -> Decision:
        """Decide about one call: deny beats ask beats allow, then the defaults."""
        book = self._book()
        judged = [self._subject(call, book)]
        for path in call.changes:
            access = Access(call.tool, "write", str(path), call.place, call.mode)
            judged.append(judge_path(access, book))
        decision = tightened(worst(judged), call, self._narrows)
        return asks_outside(decision, call.outside)

    def decide_changes(self, paths: Iterable[Path], place: Place) -> Decision:
        """Decide about the places that an allowed command changed."""
        book = self._book()
        return worst([ALLOWED, *(judge_change(path, place, book) for path in paths)])

    @property
    def restricts(self) -> bool:
        """Whether any rule can keep a file from being read."""
        book = self._book()
        return bool(book.deny or book.malformed or book.broken)

    def hides(self, path: Path, place: Place) -> bool:
        """Whether a deny rule keeps this file from being read: walkers leave it out."""
        book = self._book()
        access = Access("FileRead", "read", str(path), place, "ask")
        try:
            resolved = resolve(str(path), place)
        except Refused:
            return True
        closed = book.closed("FileRead", "read") is not None
        return closed or forbids(access, resolved, book.deny) is not None

    def _book(self) -> Rulebook:
        return Rulebook.of((self.user, self.project.rules, self.session), self.project.broken)

    def _subject(self, call: Call, book: Rulebook) -> Decision:
        value = call.subject.value
        match call.subject.kind:
            case "path":
                access = Access(call.tool, call.effect, value, call.place, call.mode)
                return judge_path(access, book)
            case "command":
                text = f"git {value}" if call.tool == "Git" else value
                return judge_command(Shell(call.tool, text, call.place, call.mode), book)
            case "text":
                return _judge_text(call, book)


def _judge_text(call: Call, book: Rulebook) -> Decision:  # noqa: PLR0911 - one return a rule, in order of precedence
    """Anything that is neither path nor command: rules on the name and the text."""
    value = call.subject.value
    if closed := book.closed(call.tool, call.effect):
        return closed
    if rule := text_rule(book.deny, call.tool, value, possibly=True):
        return by_rule("deny", rule)
    if call.effect == "write" and call.mode == "read-only":
        return Decision("deny", "mode read-only", reason="read-only mode denies every write")
    if rule := text_rule(book.ask, call.tool, value, possibly=True):
        return by_rule("ask", rule)
    if rule := text_rule(book.allow, call.tool, value, possibly=False):
        return by_rule("allow", rule)
    if call.effect == "read":
        return Decision("allow", "reads are allowed", reason=f"{call.tool} only reads")
    always = parse_rule(call.tool, "session")
    offered = "" if isinstance(always, Malformed) else always.text
    return Decision("ask", "writes ask", offered, f"{call.tool} changes something")
