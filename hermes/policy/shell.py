"""Judging one shell command: every part of it, however deep, must be allowed.

A deny or ask rule holds when it *could* mean any part; an allow rule only when it surely
means the part and two readers agree on the whole text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hermes.core.tool import Mode, Place
from hermes.errors import Refused
from hermes.load import load
from hermes.policy.always import suggestion
from hermes.policy.command import Parsed, ParsedCommand, Part, Redirect, Unparseable, Word
from hermes.policy.decision import Decision, Rulebook, by_rule, worst
from hermes.policy.files import Access, forbids, judge_path
from hermes.policy.match import possibly, surely
from hermes.policy.paths import resolve
from hermes.policy.readonly import Reading, part_reads, reading
from hermes.policy.rules import Rule
from hermes.policy.wrappers import (
    MOVERS,
    command_name,
    harmless,
    inner,
    reserve,
    shell_text,
    through,
)

_DEEPEST = 6


@dataclass(frozen=True)
class Shell:
    """One command to judge; `tool` is Bash or Git."""

    tool: str
    text: str
    place: Place
    mode: Mode


def judge_command(shell: Shell, book: Rulebook) -> Decision:  # noqa: PLR0911 - one return a rule, in order of precedence
    """Decide about a command."""
    parsed = _read(shell)
    reads = reading(parsed, shell.place)
    if closed := book.closed(shell.tool, "write" if reads is None else "read"):
        return closed
    readings: list[Part] = []
    fault = _collect(parsed, readings, 0)
    if fault:
        return _unread(fault, shell, book)
    if denied := _rule_against(book.deny, readings, shell):
        return by_rule("deny", denied)
    if hidden := _hidden(readings, shell, book):
        return hidden
    if shell.mode == "read-only" and reads is None:
        reason = "read-only mode allows only commands known to read"
        return Decision("deny", "mode read-only", reason=reason)
    if asked := _rule_against(book.ask, readings, shell):
        return by_rule("ask", asked)
    if reads is not None:
        return _reads(reads, shell, book)
    assert isinstance(parsed, ParsedCommand)
    return _parts(parsed, shell, book)


def _read(shell: Shell) -> Parsed:
    grammar = load("shell_grammar")
    parsed: Parsed = grammar.parse(shell.text)
    if shell.tool != "Git" or isinstance(parsed, Unparseable):
        return parsed
    single = len(parsed.parts) == 1 and not parsed.parts[0].redirects
    if not parsed.plain or not single or "#" in shell.text or "\n" in shell.text:
        return Unparseable("the Git tool takes the plain words of one git command")
    return parsed


def _collect(parsed: Parsed, into: list[Part], depth: int) -> str:
    """Gather every reading of every part; what cannot be read for certain, as words."""
    if isinstance(parsed, Unparseable):
        return parsed.why
    if depth > _DEEPEST:
        return "shells within shells, too deep"
    for part in parsed.parts:
        into.append(part)
        within = inner(part.words)
        into += [Part(words) for words in within.commands]
        for text in within.texts:
            if not text.known or not text.text.strip():
                into.append(Part((Word(text.text, known=False),)))
            elif fault := _collect(load("shell_grammar").parse(text.text), into, depth + 1):
                return f"inside {text.text[:60]!r}: {fault}"
        for text in within.perhaps:
            found: list[Part] = []
            known = text.known and not _collect(
                load("shell_grammar").parse(text.text), found, depth + 1
            )
            into += found if known else [Part((Word(text.text, known=False),))]
    return ""


def _unread(fault: str, shell: Shell, book: Rulebook) -> Decision:
    """Only the person's own bare `Bash` passes a text that nobody can read."""
    reason = f"the command cannot be read for certain: {fault}"
    against = any(rule.reaches(shell.tool) for rule in (*book.deny, *book.ask))
    bare = next((rule for rule in book.allow if _bare(rule) and rule.source == "user"), None)
    if bare and not against and shell.mode != "read-only" and shell.tool == "Bash":
        return by_rule("allow", bare)
    return Decision("deny", "commands must be readable", reason=reason)


def _bare(rule: Rule) -> bool:
    return rule.tool == "Bash" and rule.argument is None


def _rule_against(rules: tuple[Rule, ...], readings: list[Part], shell: Shell) -> Rule | None:
    for rule in rules:
        if not rule.reaches(shell.tool):
            continue
        if rule.names(shell.tool) and rule.argument is None:
            return rule
        if rule.tool == "Bash" and rule.argument is None:
            continue  # a bare Bash says nothing of the Git tool
        if any(part.words and possibly(rule, part.words) for part in readings):
            return rule
    return None


def _hidden(readings: list[Part], shell: Shell, book: Rulebook) -> Decision | None:
    """A file that may not be read may not be named in a command either."""
    rules = tuple(r for r in book.deny if r.tool == "FileRead" and r.argument is not None)
    if not rules:
        return None
    words = {w.text for part in readings for w in (*part.words, *_targets(part))}
    for text in sorted({piece for word in words for piece in (word, word.rpartition("=")[2])}):
        try:
            path = resolve(text, shell.place)
        except Refused:
            continue
        access = Access("FileRead", "read", text, shell.place, shell.mode)
        if rule := forbids(access, path, rules):
            return by_rule("deny", rule)
    return None


def _targets(part: Part) -> Iterator[Word]:
    return (redirect.target for redirect in part.redirects)


def _reads(reads: Reading, shell: Shell, book: Rulebook) -> Decision:
    judged = [_read_path(path, shell, book) for path in dict.fromkeys(reads.paths)]
    allowed = Decision("allow", "commands known only to read", reason="it only reads")
    found = worst([allowed, *judged])
    return allowed if found.verdict == "allow" else found


def _read_path(path: Path, shell: Shell, book: Rulebook) -> Decision:
    return judge_path(Access("FileRead", "read", str(path), shell.place, shell.mode), book)


def _parts(parsed: ParsedCommand, shell: Shell, book: Rulebook) -> Decision:
    bare = next((rule for rule in book.allow if _bare(rule)), None)
    moves = any(command_name(part.words) in MOVERS for part in parsed.parts)
    if bare is not None:
        judged = [by_rule("allow", bare)]
    elif not parsed.plain:
        judged = [_ask("it holds expansions or a compound construct")]
    else:
        judged = [_part(part, shell, book, moved=moves) for part in parsed.parts]
    for part in parsed.parts:
        for redirect in part.redirects:
            if redirect.writes or redirect.reads:
                judged.append(_redirect(redirect, shell, book, bare))
                if bare is None and moves and not redirect.target.text.startswith("/"):
                    judged.append(_ask("it changes the directory before it opens a file"))
    found = worst(judged)
    return found if found.verdict == "deny" else replace(found, always=_always(found, judged))


def _always(found: Decision, judged: list[Decision]) -> str:
    return found.always if sum(each.verdict == "ask" for each in judged) == 1 else ""


def _ask(reason: str, always: str = "") -> Decision:
    return Decision("ask", "commands ask", always, reason)


def _part(part: Part, shell: Shell, book: Rulebook, *, moved: bool) -> Decision:
    paths = part_reads(replace(part, redirects=()), (shell.place.cwd,), shell.place)
    if paths is not None and not moved:
        known = Decision("allow", "commands known only to read")
        return worst([known, *(_read_path(path, shell, book) for path in paths)])
    rules = tuple(rule for rule in book.allow if rule.names(shell.tool) or rule.tool == "Bash")
    if rule := _allowing(part, rules, 0):
        return by_rule("allow", rule)
    told = " ".join(part.texts) or " ".join(word.text for word in part.assigns)
    return _ask(f"`{told[:120]}` is not known only to read", suggestion(part, shell.tool))


def _allowing(part: Part, rules: tuple[Rule, ...], depth: int) -> Rule | None:
    """The rule that surely allows the part, through the wrappers that change nothing."""
    if part.strange or not part.known or not part.words or not harmless(part.assigns):
        return None
    degree = reserve(part)
    for rule in rules:
        if surely(rule, part.texts) and _named(rule, degree):
            return rule
    if (within := through(part)) is not None:
        return _allowing(within, rules, depth)
    text = shell_text(part)
    return None if text is None or depth > _DEEPEST else _allowing_text(text, rules, depth)


def _allowing_text(text: str, rules: tuple[Rule, ...], depth: int) -> Rule | None:
    parsed: Parsed = load("shell_grammar").parse(text)
    if not isinstance(parsed, ParsedCommand) or not parsed.plain:
        return None
    found = [
        None
        if any(r.writes or r.reads for r in part.redirects)
        else _allowing(part, rules, depth + 1)
        for part in parsed.parts
    ]
    return found[0] if found and all(found) else None


def _named(rule: Rule, degree: str) -> bool:
    if not degree or not rule.prefix:
        return True
    named = len(rule.words) > 1 and not rule.words[1].startswith("-")
    return degree == "explicit" and named


def _redirect(redirect: Redirect, shell: Shell, book: Rulebook, bare: Rule | None) -> Decision:
    target = redirect.target
    if not target.known:
        return by_rule("allow", bare) if bare else _ask("a redirection's target is not known")
    if target.text.startswith(("/dev/tcp", "/dev/udp")):
        return by_rule("allow", bare) if bare else _ask("it opens a network connection")
    # A file that a shell writes is in no journal, so mode auto does not extend to it.
    mode: Mode = "ask" if shell.mode == "auto" else shell.mode
    if redirect.writes:
        return judge_path(Access("FileWrite", "write", target.text, shell.place, mode, bare), book)
    return judge_path(Access("FileRead", "read", target.text, shell.place, mode, bare), book)
