"""The front matter of a SKILL.md: YAML between two lines of three dashes.

Every scalar is read as text, so that no tag, date or number of a hostile file becomes
anything else. Read as other tools read it: a byte order mark, CRLF, and an unquoted value with a
colon in it, which is no YAML, are let through.
"""

import re
from collections.abc import Mapping
from typing import Any

from hermes.errors import SkillInvalid
from hermes.load import load

_FENCE = re.compile(r"---[ \t]*")
_LOOSE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):[ \t]+([^\s\"'\[{|>&*!#].*)")
_NESTING = re.compile(r"[\[{]|[-?](?= )")
_NESTING_MOST = 500  # the reader's time grows with the square of how deep they nest
_MOST = 16 * 1024  # characters of front matter


def split_front(text: str) -> tuple[dict[str, Any], str]:
    """The fields and the body; raises SkillInvalid.

    Returns:
        Texts, lists and maps of texts, as the file has them; and the body without blank ends.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if not lines or not _FENCE.fullmatch(lines[0]):
        raise SkillInvalid("it does not begin with front matter (a line of ---)")
    ends = (at for at, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line))
    end = next(ends, 0)
    if not end:
        raise SkillInvalid("its front matter has no end (a second line of ---)")
    front = "\n".join(lines[1:end])
    if len(front) > _MOST:
        raise SkillInvalid(f"its front matter is longer than {_MOST} characters")
    if len(_NESTING.findall(front)) > _NESTING_MOST:
        raise SkillInvalid("its front matter is no YAML that a person writes: too many brackets")
    fields = _fields(front)
    return fields, "\n".join(lines[end + 1 :]).strip()


def join_front(fields: Mapping[str, Any], body: str) -> str:
    """The file's text; `split_front` gives the same fields and body back."""
    yaml = load("yaml")
    front = yaml.safe_dump(dict(fields), allow_unicode=True, sort_keys=False, width=92)
    return f"---\n{front}---\n\n{body.strip()}\n"


def _fields(front: str) -> dict[str, Any]:
    yaml = load("yaml")
    try:
        try:
            found = _plain(front)
        except yaml.YAMLError:
            found = _plain(_quoted(front))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())[:200]
        raise SkillInvalid(f"its front matter is no YAML: {why}") from error
    if not isinstance(found, dict):
        raise SkillInvalid("its front matter has no fields")
    return {key: value for key, value in found.items() if isinstance(key, str)}


def _plain(front: str) -> object:
    """Without aliases: with them a few bytes become gigabytes."""
    loader = load("yaml").BaseLoader(front)
    node = loader.get_single_node()
    if node is None:
        return None
    if _repeats(node):
        raise SkillInvalid("its front matter repeats parts of itself (&, *): write them out")
    return loader.construct_document(node)


def _repeats(node: Any) -> bool:  # noqa: ANN401 - a node of the library's tree
    """Whether a part of the tree stands in it twice, as an alias does."""
    waiting, seen = [node], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            return True
        seen.add(id(part))
        for inner in part.value if isinstance(part.value, list) else ():
            waiting += inner if isinstance(inner, tuple) else [inner]
    return False


def _quoted(front: str) -> str:
    """The same with plain values in quotes, as those who wrote `when: this` meant them."""
    lines = []
    for line in front.split("\n"):
        loose = _LOOSE.fullmatch(line)
        lines.append(f"{loose[1]}: '{loose[2].replace(chr(39), chr(39) * 2)}'" if loose else line)
    return "\n".join(lines)
