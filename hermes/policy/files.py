"""Judging one path: rules on where it really leads, then the defaults."""

import re
from dataclasses import dataclass
from pathlib import Path

from hermes.core.tool import Effect, Mode, Place
from hermes.errors import Refused
from hermes.policy.decision import Decision, Rulebook, by_rule
from hermes.policy.paths import guarded, inside, relative, resolve, written
from hermes.policy.rules import READERS, WRITERS, Rule

ALLOWED = Decision("allow", "an allowed command", reason="the command was allowed")


@dataclass(frozen=True)
class Access:
    """One file to judge. `granted`: the rule that already allows the command it belongs to."""

    tool: str
    effect: Effect
    path_text: str
    place: Place
    mode: Mode
    granted: Rule | None = None


def judge_path(access: Access, book: Rulebook) -> Decision:  # noqa: PLR0911 - one return a rule, in order of precedence
    """Decide about one path."""
    if closed := book.closed(access.tool, access.effect):
        return closed
    try:
        path = resolve(access.path_text, access.place)
    except Refused as error:
        return Decision("deny", "paths must resolve", reason=error.message)
    shown = access.path_text if access.path_text == str(path) else f"{access.path_text} ({path})"
    if rule := forbids(access, path, book.deny):
        return by_rule("deny", rule)
    if access.effect == "write" and access.mode == "read-only":
        return Decision("deny", "mode read-only", reason="read-only mode denies every write")
    if rule := forbids(access, path, book.ask):
        return by_rule("ask", rule)
    if (allowed := _allowed(access, path, book)) is not None:
        return allowed
    return _default(access, path, shown)


def judge_change(path: Path, place: Place, book: Rulebook) -> Decision:
    """Decide about a place that an allowed command changed: by rules, and for guarded places.

    What lies in `.git` is not for policy's defaults: the sandbox reads it.
    """
    access = Access("FileWrite", "write", str(path), place, "auto")
    if closed := book.closed(access.tool, "write"):
        return closed
    if rule := forbids(access, path, book.deny):
        return by_rule("deny", rule, f"the {rule.source} rule {rule.text} denies {path}")
    if rule := forbids(access, path, book.ask):
        return by_rule("ask", rule, f"the {rule.source} rule {rule.text} asks about {path}")
    if ".git" in {part.casefold() for part in path.parts}:
        return ALLOWED
    return _allowed(access, path, book) or ALLOWED


def forbids(access: Access, path: Path, rules: tuple[Rule, ...]) -> Rule | None:
    """The first rule that could mean this path, as it resolves or as it was written."""
    spelled = written(access.path_text, access.place)
    for rule in rules:
        if not rule.reaches(access.tool):
            continue
        if rule.argument is None or rule.pattern is None:
            return rule
        if any(rule.pattern.may_cover(each, access.place.root) for each in (path, spelled)):
            return rule
    return None


def _allowed(access: Access, path: Path, book: Rulebook) -> Decision | None:
    why = guarded(path) if access.effect == "write" else ""
    for rule in book.allow:
        if not rule.names(access.tool) or (access.tool in READERS | WRITERS and "*" in rule.tool):
            continue
        pattern = rule.pattern
        literal = pattern is not None and pattern.literal
        covers = rule.argument is None or (pattern and pattern.covers(path, access.place.root))
        if rule.argument is None and not inside(path, access.place.root):
            covers = False  # a bare FileWrite does not open the machine
        if covers and (literal or not why):
            return by_rule("allow", rule)
    if why:
        return Decision("ask", "guarded path", _always(access, path), why)
    return by_rule("allow", access.granted) if access.granted else None


def _default(access: Access, path: Path, shown: str) -> Decision:
    within = inside(path, access.place.root)
    always = _always(access, path)
    if access.effect == "read":
        if within:
            return Decision("allow", "reads in the project", reason=f"{shown} is in the project")
        reason = f"{shown} lies outside the project"
        return Decision("ask", "reads outside the project ask", always, reason)
    if not within:
        reason = f"{shown} lies outside the project and no rule allows it"
        return Decision("deny", "writes outside the project", reason=reason)
    if access.mode == "auto":
        return Decision("allow", "mode auto", reason=f"{shown} is in the project")
    return Decision("ask", "writes ask", always, f"it writes {shown}")


def _always(access: Access, path: Path) -> str:
    under = relative(path, access.place.root)
    name = path.as_posix() if under is None else under if "/" in under else f"./{under}"
    safe = re.fullmatch(r"[\w./@+, =:#%^-]+", name) and not name.endswith((" ", "/", "."))
    return f"{access.tool}({name})" if safe else ""
