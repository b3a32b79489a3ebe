"""Calls in normal form: what was done, with the values taken out.

What a file's new content was is never looked at, and a command that should not be repeated
becomes a gap: nothing is learnt across it.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from hermes.errors import ToolFailure
from hermes.memory.asked import names_step
from hermes.memory.hazards import parts_of
from hermes.policy.command import Part, names
from hermes.policy.match import surely
from hermes.policy.rules import Rule, parse_rule
from hermes.store.deeds import Deed, Doing
from hermes.store.work import Step
from hermes.tools.arguments import plain

GAP = Step("")
"""Something that is not repeated."""

EDIT = "edit"
_EDITS = frozenset({"FileEdit", "FileWrite"})
_COMMANDS = frozenset({"Bash", "Git"})
_OF_ITS_OWN = names("Remember Schedule Jobs Skill More Recall SessionSearch Status")
_TOOL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,80}")
_TEXT_OPTIONS = names("-m --message -am -sm --title --body -t --description")
_OPTION = re.compile(r"(--?[A-Za-z][\w-]*=)(.+)", re.DOTALL)
_NUMBER = re.compile(r"v?\d+([.:_-]\d+)*")
_NAMED = re.compile(r"[A-Za-z][\w:-]{0,40}|-{1,2}[\w-]{0,40}|[.@+*]|\.\.\.|\./\.\.\.")
_SECRETIVE = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[\w+/=.-]{16,}")
_PATH = re.compile(r"[\w.@+*-]+(/[\w.@+*-]+)*/?|\./[\w./@+*-]+")
_SHORTEST_ROOT = 2
_STEPS_MOST = 100  # of one turn


def steps_of(doing: Doing, words: Sequence[str]) -> tuple[Step, ...]:
    """A turn's writes in normal form; `words`: the person's own.

    A step that neither a person approved nor their words order is a gap.
    """
    parsed = (parse_rule(rule, "session") for rule in doing.rules)
    rules = [rule for rule in parsed if isinstance(rule, Rule)]
    found: list[Step] = []
    for deed in doing.deeds[:_STEPS_MOST]:
        for step in _steps(deed, doing, words, rules):
            known = step if step.approved or step.ordered else GAP
            if not found or known.key != found[-1].key:
                found.append(known)
    return tuple(found) if any(step.key for step in found) else ()


def _steps(deed: Deed, doing: Doing, words: Sequence[str], rules: Sequence[Rule]) -> Iterator[Step]:
    known = [rule for rule in rules if rule.names(deed.tool)]
    try:
        arguments = plain(deed.arguments)
    except ToolFailure:
        yield GAP
        return
    if deed.tool in _COMMANDS:
        yield from _commands(deed, str(arguments.get("command", "")), doing, words, known)
    elif deed.tool in _EDITS:
        path = _inside(str(arguments.get("path", "")), doing.root)
        safe = bool(path) and path.isprintable() and len(path) <= 200  # noqa: PLR2004 - a path on one line
        # Nothing of an edit is kept but where it was, so policy's own yes is enough here.
        yield Step(f"{EDIT} <path>", (path,), deed.approved, ordered=True) if safe else GAP
    elif deed.tool not in _OF_ITS_OWN:
        yield _other(deed, sorted(arguments))


def _commands(
    deed: Deed, command: str, doing: Doing, words: Sequence[str], rules: Sequence[Rule]
) -> Iterator[Step]:
    if deed.tool == "Git" and command.split()[:1] != ["git"]:
        command = f"git {command}"
    parts = parts_of(_from(doing.root, command))
    if not parts:
        yield GAP
        return
    place = ""
    if parts[0].texts[0] == "cd" and len(parts) > 1:
        path = _inside(parts[0].texts[-1], doing.root)
        place = f"cd {shlex.quote(path)} && " if path not in {"", "."} else ""
        parts = parts[1:]
    for part in parts:
        tokens, values = _normal(part, doing.root)
        approved = deed.approved or any(surely(rule, part.texts) for rule in rules)
        ordered = names_step(words, (*tokens, *filter(None, values)))
        yield Step(place + " ".join(tokens), tuple(values), approved, ordered)


def _from(root: str, command: str) -> str:
    """The command with the project's own directory as `.`: its name is this machine's."""
    if len(root) < _SHORTEST_ROOT:
        return command
    return re.sub(rf"(?<![^\s'\"=:]){re.escape(root.rstrip('/'))}(?![^\s'\"/])", ".", command)


def _normal(part: Part, root: str) -> tuple[list[str], list[str]]:
    """The tokens of a command with its values as `<kind>`, and those that are paths."""
    tokens = [shlex.quote(word.text) for word in part.assigns]
    values: list[str] = []
    before = ""
    for at, text in enumerate(part.texts):
        option = _OPTION.fullmatch(text)
        head, value = (option[1], option[2]) if option else ("", text)
        kind = "" if at == 0 else _kind(value, before)
        if kind == "path":
            path = _inside(value, root)
            kind = "path" if path else "value"
            values.append(path)
        elif kind:
            values.append("")
        tokens.append(f"{head}<{kind}>" if kind else head + shlex.quote(value))
        before = text
    return tokens, values


def _kind(text: str, before: str) -> str:
    """What stands there: `text`, `number`, `path`, `value`; empty: a word of the command."""
    if before in _TEXT_OPTIONS or any(c.isspace() for c in text):
        return "text"
    if _NUMBER.fullmatch(text):
        return "number"
    if _NAMED.fullmatch(text) and not _SECRETIVE.fullmatch(text):
        return ""
    if _PATH.fullmatch(text) and not _SECRETIVE.fullmatch(PurePosixPath(text).stem):
        return "path"
    return "value"


def _inside(path: str, root: str) -> str:
    """A path as seen from the project; empty for one outside."""
    if path.rstrip("/") == root.rstrip("/"):
        return "."
    path = path.removeprefix(f"{root.rstrip('/')}/")
    if path.startswith(("/", "~")) or ".." in PurePosixPath(path).parts:
        return ""
    return path.removeprefix("./") or "."


def _other(deed: Deed, arguments: Sequence[str]) -> Step:
    """Another tool's call: its name and those of its arguments; their values stay out."""
    if not _TOOL.fullmatch(deed.tool) or not all(map(_TOOL.fullmatch, arguments)):
        return GAP
    slots = " ".join(f"{name}=<value>" for name in arguments)
    return Step(f"{deed.tool} {slots}".strip(), ("",) * len(arguments), deed.approved)
