"""What a prompt says of the skills: names and descriptions, the fitting ones first.

Progressive disclosure: instructions come through the tool Skill, when they are needed. Only
one that surely fits may stand there whole, in a small window, which saves it a step.
"""

from collections.abc import Sequence

from hermes.core.request import Profile
from hermes.memory.skills.match import FITS, SURE, fit
from hermes.memory.skills.skill import Skill

_ROOM = {"full": 700, "lean": 320, "native": 0}  # bytes
_WHOLE = 640  # bytes of instructions that may stand in a lean prompt
_LONGEST = {"full": 200, "lean": 90, "native": 0}  # characters of a description
_HEAD = {
    "full": "Skills, instructions for tasks: call Skill{name} before you begin one that fits.",
    "lean": 'Skills, by MoreTools{"name": "Skill", "arguments": {"name": …}}:',
    "native": "",
}


def skill_lines(profile: Profile, skills: Sequence[Skill], text: str) -> tuple[str, ...]:
    """The lines, none where there is nothing to say; `text`: what the person asked for first."""
    offered = [skill for skill in skills if not skill.manual]
    if profile == "native" or not offered:
        return ()
    scores = {skill.name: fit(skill, text) for skill in offered}
    ranked = sorted(offered, key=lambda skill: (-_rank(scores[skill.name]), skill.name))
    first = ranked[0]
    if profile == "lean" and scores[first.name] >= SURE and _brief(first):
        return (f"How the person wants this done (skill {first.name}):\n{first.body}",)
    return _within(profile, ranked)


def _rank(score: float) -> float:
    return score if score >= FITS else 0.0


def _brief(skill: Skill) -> bool:
    """Whether its instructions may stand in a prompt.

    Not those that narrow what may be done: a turn is narrowed by the call that opens them.
    """
    return skill.allowed_tools is None and 0 < len(skill.body.encode()) <= _WHOLE


def _within(profile: Profile, ranked: Sequence[Skill]) -> tuple[str, ...]:
    room = _ROOM[profile] - len(_HEAD[profile].encode())
    lines: list[str] = [_HEAD[profile]]
    names: list[str] = []
    for skill in ranked:
        line = f"- {skill.name}: {_cut(skill.description, _LONGEST[profile])}"
        if not names and len(line.encode()) + 1 <= room:
            lines.append(line)
            room -= len(line.encode()) + 1
        elif len(skill.name.encode()) + 2 <= room:
            names.append(skill.name)
            room -= len(skill.name.encode()) + 2
    return (*lines, *((f"- also {', '.join(names)}",) if names else ()))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
