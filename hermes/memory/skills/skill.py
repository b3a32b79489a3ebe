"""A skill as the open Agent Skills format has it (agentskills.io): SKILL.md read and written.

Reading is lenient where other tools are: what is only untidy is noted, not refused. It does
not say whether a skill may be used: that is `trusted`.
"""

import os
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hermes.errors import SkillInvalid, Usage
from hermes.memory.markers import unmarked
from hermes.memory.skills.front import join_front, split_front

FILE = "SKILL.md"
NAME_MOST = 64
DESCRIPTION_MOST = 1_024
COMPATIBILITY_MOST = 500
FILE_MOST = 100 * 1024  # bytes of a SKILL.md
_METADATA_MOST = 64


class Skill(msgspec.Struct, frozen=True):
    """What a SKILL.md says.

    Attributes:
        name: 1 to 64 lower-case letters, digits and single hyphens; its directory's name.
        description: what it does and when to use it, in one line.
        body: the instructions, Markdown.
        license: a licence's name, or the name of a file beside it.
        compatibility: what it needs of its surroundings.
        metadata: texts by key; `triggers` (words, parted by commas) count when it is matched.
        allowed_tools: rules such as `Bash(git:*)`; None: the skill names none.
        manual: only the person calls for it (`disable-model-invocation`).
        notes: what is untidy about the file, in plain words.
    """

    name: str
    description: str
    body: str
    license: str = ""
    compatibility: str = ""
    metadata: Mapping[str, str] = {}
    allowed_tools: tuple[str, ...] | None = None
    manual: bool = False
    notes: tuple[str, ...] = ()


def valid_name(text: str) -> bool:
    """Whether a text can name a skill; such a name is a safe name of a directory, too."""
    return (
        0 < len(text) <= NAME_MOST
        and text == unicodedata.normalize("NFKC", text).lower()
        and all(part.isalnum() for part in text.split("-"))
    )


def parse_skill(text: str, directory: str = "") -> Skill:
    """Read the text of a SKILL.md; raises SkillInvalid.

    Args:
        text: the whole file.
        directory: the name of the directory it lies in, which wins over the name it states;
            empty: not in one.
    """
    fields, body = split_front(text)
    notes: list[str] = []
    description = _line(fields.get("description"))
    if not description:
        raise SkillInvalid("it has no description, by which a skill is chosen")
    if len(description) > DESCRIPTION_MOST:
        notes.append(f"its description is cut at {DESCRIPTION_MOST} characters")
    return Skill(
        name=_name(_line(fields.get("name")), directory, notes),
        description=description[:DESCRIPTION_MOST].rstrip(),
        body=body,
        license=_line(fields.get("license")),
        compatibility=_line(fields.get("compatibility"))[:COMPATIBILITY_MOST].rstrip(),
        metadata=_metadata(fields.get("metadata")),
        allowed_tools=_tools(fields["allowed-tools"]) if "allowed-tools" in fields else None,
        manual=_line(fields.get("disable-model-invocation")).lower() in {"true", "yes", "on"},
        notes=tuple(notes),
    )


def decoded(data: bytes) -> str:
    """A SKILL.md's bytes as text; raises SkillInvalid."""
    if len(data) > FILE_MOST:
        raise SkillInvalid(f"{FILE} is larger than {FILE_MOST} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise SkillInvalid(f"{FILE} is no UTF-8 text") from error
    if "\0" in text:
        raise SkillInvalid(f"{FILE} is no text")
    return text


def render_skill(skill: Skill) -> str:
    """The text of its SKILL.md; `parse_skill` gives the same skill back."""
    fields: dict[str, Any] = {"name": skill.name, "description": skill.description}
    fields |= {"license": skill.license} if skill.license else {}
    fields |= {"compatibility": skill.compatibility} if skill.compatibility else {}
    fields |= {"metadata": dict(skill.metadata)} if skill.metadata else {}
    if skill.allowed_tools is not None:
        fields["allowed-tools"] = " ".join(skill.allowed_tools)
    fields |= {"disable-model-invocation": True} if skill.manual else {}
    return join_front(fields, skill.body)


def write_skill(directory: Path, skill: Skill) -> Path:
    """Write a new skill under a directory of skills; whole or not at all; blocking.

    Returns:
        Its own directory, `directory/name`.

    Raises:
        SkillInvalid: it would not be read back as it is. Usage: one of this name is there.
    """
    if not valid_name(skill.name):
        raise SkillInvalid(f"{skill.name!r} is no name for a skill")
    text = render_skill(skill)
    meant = msgspec.structs.replace(skill, body=skill.body.strip(), notes=())
    if parse_skill(decoded(text.encode()), skill.name) != meant:
        raise SkillInvalid(f"{skill.name} would not be read back as it is")
    directory.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=directory, prefix=".new-"))
    try:
        (beside / FILE).write_text(text, encoding="utf-8")
        return settle(beside, directory / skill.name)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def settle(beside: Path, final: Path) -> Path:
    """Give a finished directory its name; raises Usage when that is taken; blocking."""
    if os.path.lexists(final):
        raise Usage(f"there is a skill {final.name} already", f"hermes skills remove {final.name}")
    beside.chmod(0o755)
    return beside.rename(final)


def _name(stated: str, directory: str, notes: list[str]) -> str:
    """The directory's name is the skill's: a file cannot pass for another skill."""
    name = directory or stated
    if not valid_name(name):
        raise SkillInvalid(
            f"{name[:80]!r} is no name for a skill",
            "a name has 1 to 64 lower-case letters, digits and single hyphens",
        )
    if stated != name:
        notes.append(f"it calls itself {stated[:80]!r}, but lies in {name}")
    return name


def _line(value: object) -> str:
    """A field's text on one line, with nothing hidden in it and nothing that poses as memory."""
    return unmarked(value) if isinstance(value, str) else ""


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    pairs = list(value.items())[:_METADATA_MOST]
    return {_line(key): _line(each) for key, each in pairs if isinstance(each, str) and _line(key)}


def _tools(value: object) -> tuple[str, ...]:
    """Rules from a text or a list; blanks and commas part them, but not within brackets."""
    if isinstance(value, list):
        return tuple(line for each in value if (line := _line(each)))
    found, rule, depth = [], "", 0
    for letter in _line(value) + " ":
        depth += (letter == "(") - (letter == ")")
        if letter in " ," and depth <= 0:
            found.append(rule)
            rule, depth = "", 0
        else:
            rule += letter
    found.append(rule)
    return tuple(each.strip() for each in found if each.strip())
