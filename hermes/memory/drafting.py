"""A proven pattern as the text of a skill; nothing in it was written by a model.

A model may later put the description into better words (`reworded`), never the steps.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import msgspec

from hermes.load import load
from hermes.memory.asked import alike, own_words
from hermes.memory.hazards import doubtful
from hermes.memory.patterns import Proven, days_of
from hermes.memory.skills.skill import NAME_MOST, Skill, render_skill
from hermes.memory.steps import EDIT
from hermes.store.drafts import Evidence
from hermes.store.work import Habit

_SLOT = re.compile(r"<(text|number|path|value)>")
_SAFE_PATH = re.compile(r"[\w.@+*/-]{1,120}")
_PLACE = re.compile(r"[\w.-]{1,40}")
_WORD = re.compile(r"[a-z][a-z0-9]*")
_RUNNERS = frozenset({"git", "make", "npm", "pnpm", "yarn", "cargo", "uv", "just", "go", "python"})
_NAME_WORDS = 4
_SENTENCE = re.compile(r"[^`<>|$\\{}\[\]#\n]{20,400}")
_RULE_MOST = 300  # characters of what a person said
_SHARED_WORDS = 2

REWORD = (
    "You describe a way of working in one plain sentence of at most 30 words: what is done and "
    "when it helps. You use only what you are given. No commands, no lists, no quotation marks."
)


@dataclass(frozen=True)
class Drafted:
    """A skill to be offered, what it was drafted from, and what speaks for it."""

    key: str
    skill: Skill
    evidence: Evidence

    @property
    def text(self) -> str:
        """The SKILL.md."""
        return render_skill(self.skill)


def key_of(kind: str, steps: Sequence[str]) -> str:
    """The name of a pattern, by which it is known again."""
    return hashlib.sha256("\n".join((kind, *steps)).encode()).hexdigest()


def from_work(proven: Proven) -> Drafted:
    """Write down work that recurs."""
    keys = proven.pattern.keys
    place = _place(proven.held_out.place)
    commands = [_told(key, values) for key, values in zip(keys, proven.values, strict=True)]
    short = ", then ".join(_briefly(key) for key in keys)
    about = proven.triggers or tuple(_words(keys))
    skill = Skill(
        name=_name(_words(keys), key_of("work", keys)),
        description=f"{short[0].upper()}{short[1:]}, as is done in {place}."
        f" Use it when the request is about: {', '.join(about)}.",
        body=_body(proven, commands, place),
        metadata={"author": "hermes dreamer", "project": place, "triggers": ", ".join(about)},
    )
    every = (*proven.found_in, proven.held_out)
    evidence = Evidence(
        kind="work",
        steps=keys,
        count=proven.pattern.count,
        sessions=tuple(o.session for o in proven.found_in),
        held_out=proven.held_out.session,
        turns=tuple(o.turns[-1] for o in every),
        first=every[0].at,
        last=every[-1].at,
        days=days_of(o.at for o in every),
    )
    return Drafted(key_of("work", keys), skill, evidence)


def from_habit(habit: Habit, place: str) -> Drafted | None:
    """Write down what a person keeps saying; None when it cannot be one line of a skill."""
    rule = " ".join(habit.content.split())[:_RULE_MOST]
    about = own_words(rule)
    if not rule.isprintable() or not about or doubtful(rule):
        return None
    first = dict(reversed(habit.said))
    *found_in, held_out = sorted(first, key=lambda session: (first[session], session))
    key = key_of("habit", (rule,))
    skill = Skill(
        name=_name(about, key),
        description=f"How the person wants it in {_place(place)}: {rule}",
        body=f"# As the person said\n\nIn {len(first)} sessions, in these words:\n\n- {rule}",
        metadata={"author": "hermes dreamer", "triggers": ", ".join(about[:5])},
    )
    times = [at for _, at in habit.said]
    evidence = Evidence(
        kind="habit",
        steps=(rule,),
        count=len(habit.said),
        sessions=tuple(found_in),
        held_out=held_out,
        turns=(),
        first=min(times),
        last=max(times),
        days=days_of(times),
    )
    return Drafted(key, skill, evidence)


def is_clean(drafted: Drafted) -> bool:
    """Whether the text holds nothing secret, personal or doubtful; blocking."""
    prose = (drafted.skill.description, *drafted.skill.metadata.values())
    if any(map(doubtful, prose)) or doubtful(_SLOT.sub("", drafted.skill.body)):
        return False
    return not any(load("scrub").findings(drafted.text, prose=True))


def renamed(drafted: Drafted, taken: set[str]) -> Drafted:
    """The same under a name that no other draft has."""
    name, number = drafted.skill.name, 1
    while name in taken:
        number += 1
        name = f"{drafted.skill.name[: NAME_MOST - 4]}-{number}"
    skill = msgspec.structs.replace(drafted.skill, name=name)
    return Drafted(drafted.key, skill, drafted.evidence)


def reworded(drafted: Drafted, sentence: str) -> Drafted | None:
    """The same with a model's sentence as the beginning of its description.

    None when the sentence is none, orders something, or is about something else.
    """
    plain = " ".join(sentence.split())
    known = own_words(f"{drafted.skill.description} {' '.join(drafted.evidence.steps)}")
    shared = sum(any(alike(word, other) for other in known) for word in own_words(plain))
    if not _SENTENCE.fullmatch(plain) or not plain.isprintable() or doubtful(plain):
        return None
    if shared < _SHARED_WORDS:
        return None
    rest = drafted.skill.description.partition(" Use it when ")[2]
    full = f"{plain.rstrip('.')}." + (f" Use it when {rest}" if rest else "")
    return Drafted(
        drafted.key, msgspec.structs.replace(drafted.skill, description=full), drafted.evidence
    )


def fixed_text(key: str, values: Sequence[str]) -> str:
    """A command up to the first value that varies: by these words it is found in a text."""
    return _SLOT.split(_filled(key, values), maxsplit=1)[0].strip()


def is_command(key: str) -> bool:
    """Whether a key is a command's, not an edit's."""
    return not key.startswith(f"{EDIT} ")


def _body(proven: Proven, steps: Sequence[str], place: str) -> str:
    numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    times = len(proven.found_in) + 1
    lines = [
        f"# {' → '.join(_briefly(key) for key in proven.pattern.keys)}",
        f"Seen in {times} sessions in {place}, each time with success.",
        f"## Steps\n\n{numbered}",
        "Go on with the next step only when the one before succeeded; else say what failed.",
    ]
    if any(_SLOT.search(step) for step in steps):
        lines.append("What stands in `<…>` is different each time: take it from the request.")
    return "\n\n".join(lines)


def _told(key: str, values: Sequence[str]) -> str:
    filled = _filled(key, values)
    if not is_command(key):
        path = filled.removeprefix(f"{EDIT} ")
        return "Make the change in the files." if path == "<path>" else f"Edit `{path}`."
    if _is_tool(key):
        return f"Call the tool `{filled.split(' ', 1)[0]}`."
    return f"Run `{filled}`."


def _filled(key: str, values: Sequence[str]) -> str:
    """The command with the paths that never varied."""
    left = iter(values)

    def fill(slot: re.Match[str]) -> str:
        value = next(left, "")
        return value if _SAFE_PATH.fullmatch(value) else slot[0]

    return _SLOT.sub(fill, key)


def _is_tool(key: str) -> bool:
    return key.startswith("mcp__") or bool(re.search(r" \w+=<value>", key))


def _briefly(key: str) -> str:
    fixed = [token for token in key.split() if not token.startswith(("-", "<"))]
    return "edit" if not is_command(key) else " ".join(fixed[:3])


def _words(keys: Sequence[str]) -> Iterator[str]:
    """What each step is about, as one word."""
    for key in keys:
        words = [
            word
            for token in key.rpartition(" && ")[2].split()
            if not token.startswith(("-", "<"))
            for word in _WORD.findall(PurePosixPath(token).stem.lower())
        ]
        if len(words) > 1 and words[0] in _RUNNERS:
            words = [word for word in words[1:] if word != "run"]
        yield from words[:1]


def _name(words: Sequence[str] | Iterator[str], key: str) -> str:
    ascii_words = [word for word in dict.fromkeys(words) if _WORD.fullmatch(word)]
    return "-".join(ascii_words[:_NAME_WORDS])[:NAME_MOST].rstrip("-") or f"way-{key[:8]}"


def _place(name: str) -> str:
    return name if _PLACE.fullmatch(name) and not doubtful(name) else "this project"
