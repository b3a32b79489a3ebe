"""What a person should see of a skill before they approve or share it.

It finds the untidy and the plainly dangerous; that it finds nothing proves nothing.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from hermes.core.event import Json
from hermes.memory.skills.allowed import allowed_rules
from hermes.memory.skills.bundle import Bundle, read_bundle, read_texts
from hermes.memory.skills.skill import FILE
from hermes.policy.rules import Malformed, parse_rule

_LINES_MOST = 500
_BYTES_MOST = 20_000  # the format recommends 5,000 tokens at most
_SAID_LEAST = 20
_REFERENCE = re.compile(r"(?<![\w/.-])(?:scripts|references|assets)/[\w./-]*\w")
_HIDDEN = frozenset("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0")
_DANGERS = (
    (re.compile(r"\b(curl|wget)\b[^\n]*\|\s*(sudo\s+)?\w*sh\b"), "runs what the network sends"),
    (re.compile(r"\bbase64\s+(-d|--decode)\b"), "decodes something hidden"),
    (re.compile(r"\b(sudo|doas)\s"), "asks for the rights of root"),
    (re.compile(r"\brm\s+-\w*[rf]\w*\s+[/~$]"), "deletes outside of the project"),
    (
        re.compile(
            r"\b(ignore|disregard|forget)\b[^.\n]{0,40}\b(instructions|rules|policy)\b",
            re.IGNORECASE,
        ),
        "tells the model to ignore its instructions",
    ),
    (re.compile(r"~?/?\.(ssh|aws|gnupg|netrc)\b"), "reaches for keys"),
)


def remarks(bundle: Bundle) -> tuple[str, ...]:
    """What to look at, in plain words; reads its files: blocking; raises SkillInvalid."""
    texts = read_texts(bundle)
    return (*bundle.skill.notes, *_form(bundle), *_missing(bundle), *_dangers(texts))


def checked(path: Path) -> dict[str, Json]:
    """A directory, or its SKILL.md, before anybody took it in; raises SkillInvalid; blocking."""
    folder = path.parent if path.name == FILE else path
    bundle = read_bundle(folder.resolve())
    return {
        "name": bundle.skill.name,
        "digest": bundle.digest,
        "files": len(bundle.files),
        "remarks": list(remarks(bundle)),
    }


def _form(bundle: Bundle) -> Iterator[str]:
    skill = bundle.skill
    if not skill.name.isascii():
        yield "its name is not in ASCII letters: some tools refuse it"
    if len(skill.description) < _SAID_LEAST:
        yield "its description says little: what it does, and when to use it"
    if not skill.body:
        yield "it has no instructions"
    if skill.body.count("\n") >= _LINES_MOST or len(skill.body.encode()) > _BYTES_MOST:
        yield f"its instructions are long ({len(skill.body.encode())} bytes): move parts to files"
    for text in allowed_rules(skill) or ():
        if isinstance(bad := parse_rule(text, "session"), Malformed):
            yield f"allowed-tools: {text}: {bad.why}; it allows nothing"


def _missing(bundle: Bundle) -> Iterator[str]:
    for name in sorted(set(_REFERENCE.findall(bundle.skill.body))):
        folder = any(file.startswith(f"{name}/") for file in bundle.files)
        if name not in bundle.files and not folder:
            yield f"it refers to {name}, which is not there"


def _dangers(texts: Mapping[str, str]) -> Iterator[str]:
    for file, text in texts.items():
        if any(_invisible(letter) for letter in text):
            yield f"{file} holds letters that nobody sees"
        for number, line in enumerate(text.split("\n"), 1):
            for pattern, why in _DANGERS:
                if pattern.search(line[:2_000]):
                    yield f"{file}, line {number}: {why}"


def _invisible(letter: str) -> bool:
    """Whether a letter can carry words past a reader: no width, no direction, a tag."""
    return letter in _HIDDEN or (
        unicodedata.category(letter) in {"Cf", "Co", "Cn"} and letter not in "\ufeff\u200d"
    )
