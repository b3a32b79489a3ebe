"""Whether hand-written cases stand in the curriculum after all: a flattering score is none.

Finds whole sentences only, not ideas: a request that is worded anew counts as unseen.
"""

import re
from collections.abc import Sequence

from training.curriculum.frames import Frame, shipped
from training.evaluate.cases import Case

_FEWEST_WORDS = 4  # shorter ones, such as `read {path}`, two people do write alike
_SLOT = re.compile(r"\{[A-Za-z_]+\d*(?:\.ext)?\}")
_VARIABLE = re.compile(r"<([^<>]*\|[^<>]*)>|\{[A-Za-z_]+\d*(?:\.ext)?\}")


def leaked(cases: Sequence[Case]) -> list[tuple[Case, Frame]]:
    """The cases whose request is one of the phrasings of training with its slots filled."""
    phrasings = [(_fixed(frame.text), frame) for frame in shipped() if not frame.held]
    found = []
    for case in cases:
        asked = _plain(case.asked)
        likely = (frame for fixed, frame in phrasings if fixed and fixed in asked)
        if frame := next((frame for frame in likely if _is_of(asked, frame)), None):
            found.append((case, frame))
    return found


def _fixed(text: str) -> str:
    """The longest part that each filling has; empty where too few words are fixed."""
    parts = [_plain(part) for part in _VARIABLE.sub("\0", text).split("\0")]
    words = sum(len(part.split()) for part in parts)
    return max(parts, key=len) if words >= _FEWEST_WORDS else ""


def _is_of(asked: str, frame: Frame) -> bool:
    text, pattern, end = _plain(frame.text), "", 0
    for part in _VARIABLE.finditer(text):
        pattern += re.escape(text[end : part.start()])
        choices = "|".join(map(_choice, part[1].split("|"))) if part[1] else ".+?"
        pattern += f"(?:{choices})"
        end = part.end()
    pattern += re.escape(text[end:]) + r"\W*"
    return re.fullmatch(pattern, asked, re.DOTALL) is not None


def _choice(text: str) -> str:
    return ".+?".join(map(re.escape, _SLOT.split(text)))


def _plain(text: str) -> str:
    return text.casefold().strip(" .!?,;:\n")
