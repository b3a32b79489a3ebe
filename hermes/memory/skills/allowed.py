"""A skill's `allowed-tools` as rules of ours: other tools' names for the same things."""

from hermes.memory.skills.skill import Skill

_OURS = {
    "read": "FileRead",
    "write": "FileWrite",
    "edit": "FileEdit",
    "multiedit": "FileEdit",
    "ls": "ListDir",
    "bash": "Bash",
    "shell": "Bash",
    "grep": "Grep",
    "glob": "Glob",
    "git": "Git",
}


def allowed_rules(skill: Skill) -> tuple[str, ...] | None:
    """The rules, `Read` as `FileRead`, `Bash(git *)` as `Bash(git:*)`; None: it names none."""
    if skill.allowed_tools is None:
        return None
    return tuple(map(_rule, skill.allowed_tools))


def _rule(text: str) -> str:
    tool, bracket, argument = text.partition("(")
    name = _OURS.get(tool.strip().casefold(), tool.strip())
    if name in {"Bash", "Git"} and argument.endswith(" *)"):
        argument = f"{argument[:-3]}:*)"
    return f"{name}{bracket}{argument}"
