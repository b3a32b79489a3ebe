"""What a prompt says of the skills: names and descriptions, the fitting ones first.

Progressive disclosure: instructions come through the tool Skill, when they are needed. Only
one that surely fits may stand there whole, in a small window, which saves it a step.
"""

from collections.abc import Sequence

from hermes.core.request import Profile
from hermes.memory.skills.match import FITS, SURE, fit
from hermes.memory.skills.skill import Skill

_ROOM = {"full": 290, "lean": 360, "native": 0}
"""Bytes at most, which come on top of a profile's limit (DESIGN 3): who has no skill pays none."""
_REST = 12  # bytes for how many are left
_LONGEST = 120  # characters of a description
_READ = 2_000  # characters of a request that are matched
_HEAD = {
    "full": 'Skills: call Skill{name} before a task that one fits; name "" lists them.',
    "lean": 'Skills: MoreTools{"name": "Skill", "arguments": {"name": ...}} before such a task.',
    "native": "",
}


def skill_lines(profile: Profile, skills: Sequence[Skill], text: str) -> tuple[str, ...]:
    """The lines, none where there is nothing to say; `text`: what the person asked for first."""
    offered = [skill for skill in skills if not skill.manual]
    if profile == "native" or not skills:
        return ()
    if not offered:
        return (_HEAD[profile],)  # the person may name one
    scores = {skill.name: fit(skill, text[:_READ]) for skill in offered}
    ranked = sorted(offered, key=lambda skill: (-_rank(scores[skill.name]), skill.name))
    first = ranked[0]
    whole = f"How the person wants this done (skill {first.name}):\n{first.body}"
    if profile == "lean" and scores[first.name] >= SURE and _brief(first, whole):
        return (whole,)
    return _within(profile, ranked)


def _rank(score: float) -> float:
    return score if score >= FITS else 0.0


def _brief(skill: Skill, whole: str) -> bool:
    """Whether its instructions may stand in a prompt.

    Not those that narrow what may be done: a turn is narrowed by the call that opens them.
    """
    return skill.allowed_tools is None and bool(skill.body) and len(whole.encode()) <= _ROOM["lean"]


def _within(profile: Profile, ranked: Sequence[Skill]) -> tuple[str, ...]:
    """The first with their descriptions, then names alone, then how many there are besides."""
    lines: list[str] = [_HEAD[profile]]
    room = _ROOM[profile] - len(lines[0].encode()) - _REST
    names: list[str] = []
    for skill in ranked:
        line = f"- {skill.name}: {_cut(skill.description, _LONGEST)}"
        if not names and len(line.encode()) < room:
            lines.append(line)
            room -= len(line.encode()) + 1
        elif len(skill.name.encode()) + 2 <= room:
            names.append(skill.name)
            room -= len(skill.name.encode()) + 2
    if left := len(ranked) - len(lines) + 1 - len(names):
        names.append(f"{left} more")
    return (*lines, *((f"- {', '.join(names)}",) if names else ()))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."
