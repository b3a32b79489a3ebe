"""The rule that an "always" answer to a command would add: as narrow as is still of use."""

import re
import shlex

from hermes.policy.command import Part, names
from hermes.policy.match import surely
from hermes.policy.rules import Malformed, parse_rule
from hermes.policy.wrappers import harmless, reserve

_SUBCOMMANDS = names(
    "git npm pnpm yarn cargo go make uv pip poetry just bundle mix dotnet gradle mvn tox nox "
    "ruff docker"
)
_OPEN_ENDED = names(
    "exec x dlx run start rm remove uninstall clean reset push publish install add config "
    "login tool compose"
)
_LONGEST = 200


def suggestion(part: Part, tool: str) -> str:
    """A rule's text for this part; empty when no rule is safe or would hold."""
    texts = part.texts
    if part.strange or not part.known or not texts or reserve(part) or not harmless(part.assigns):
        return ""
    narrow = texts[0] in _SUBCOMMANDS and len(texts) > 1 and re.fullmatch(r"[a-z][\w-]*", texts[1])
    if narrow and texts[1] not in _OPEN_ENDED:
        text = f"{texts[0]} {texts[1]}:*"
    elif narrow and texts[1] == "run" and len(texts) > 2 and re.fullmatch(r"[\w:-]+", texts[2]):  # noqa: PLR2004 - npm run NAME
        text = shlex.join(texts[:3]) + ("" if len(texts) == 3 else ":*")  # noqa: PLR2004 - as above
    else:
        text = shlex.join(texts)
    if tool == "Git":
        text = text.removeprefix("git ")
    rule = parse_rule(f"{tool}({text})", "session")
    if isinstance(rule, Malformed) or len(text) > _LONGEST or not surely(rule, texts):
        return ""
    return rule.text
