"""Where skills lie: the person's own directory, and those of a project; what is found there."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hermes.errors import SkillInvalid
from hermes.memory.skills.bundle import BYTES_MOST, Allowance, Bundle, read_bundle
from hermes.memory.skills.skill import FILE

Scope = Literal["user", "project"]

PROJECT_PLACES = (".hermes-v2/skills", ".agents/skills")
"""Ours, and the one that many tools share; the first one wins."""
_MOST = 200  # skills of one place
_BYTES_MOST = 4 * BYTES_MOST  # of all: they are read anew for each conversation


@dataclass(frozen=True)
class Found:
    """A skill that can be read."""

    bundle: Bundle
    scope: Scope

    @property
    def name(self) -> str:
        """What it is called."""
        return self.bundle.skill.name


@dataclass(frozen=True)
class Broken:
    """A directory that would be a skill, and why it is none; or one whose name is taken."""

    path: Path
    scope: Scope
    why: str


@dataclass(frozen=True)
class Listing:
    """What was found, in order of name."""

    found: tuple[Found, ...] = ()
    broken: tuple[Broken, ...] = ()


def discover(own: Path, root: Path) -> Listing:
    """Find the skills that hold for a project; never raises; blocking.

    Args:
        own: the person's directory of skills.
        root: the project's directory; its skills never hide one of the person's own.
    """
    places: list[tuple[Path, Path, Scope]] = [(own, own, "user")]
    places += [(root / each, root, "project") for each in PROJECT_PLACES]
    found: dict[str, Found] = {}
    broken: list[Broken] = []
    allowance = Allowance(_BYTES_MOST)
    for place, fence, scope in places:
        for path in _directories(place):
            try:
                bundle = read_bundle(_within(path, fence), allowance)
            except SkillInvalid as error:
                broken.append(Broken(path, scope, error.message))
                continue
            if taken := found.get(bundle.skill.name):
                why = f"{taken.bundle.path} has the same name and comes first"
                broken.append(Broken(path, scope, why))
            else:
                found[bundle.skill.name] = Found(bundle, scope)
    return Listing(tuple(found[name] for name in sorted(found)), tuple(broken))


def _directories(place: Path) -> Iterable[Path]:
    """What could be skills: directories with a SKILL.md; hidden ones are still being written."""
    try:
        paths = sorted(place.iterdir())
    except OSError:
        return ()
    shown = (path for path in paths if not path.name.startswith("."))
    return [path for path in shown if os.path.lexists(path / FILE)][:_MOST]


def _within(path: Path, fence: Path) -> Path:
    """Where it really lies; raises SkillInvalid when that is outside of where it was found."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(fence)):
        raise SkillInvalid(f"it is a link to {real}, outside of {fence}")
    if real.name != path.name:
        raise SkillInvalid(f"it is a link to {real}, which has another name")
    return real
