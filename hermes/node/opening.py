"""The fixed part of a prompt, from soul, skin, memory and tools (`conversation.kit.Opening`)."""

from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from hermes.conversation.kit import Recollection
from hermes.conversation.session import Session
from hermes.core.model import ToolSpec
from hermes.core.request import Profile, TurnRequest
from hermes.node.skills import Skills
from hermes.prompt.sections import SKILLS, Section, Voice, fixed_sections
from hermes.skin.skin import load_skin
from hermes.tools.more import MORE
from hermes.tools.registry import Registry
from hermes.tools.skill import SKILL

_LEAN = ("FileRead", "ListDir", "Grep", "FileWrite", "FileEdit", "Bash", MORE)
"""What a small window is offered; everything else by name, through MoreTools."""


class Opening:
    """Writes the system block's sections and says which tools a profile is offered."""

    def __init__(
        self,
        registry: Registry,
        recollection: Recollection,
        soul: str,
        skins: Sequence[Path],
        skin: str,
        skills: Skills,
    ) -> None:
        self._registry = registry
        self._recollection = recollection
        self._soul = soul
        self._skins = skins
        self._skin = skin
        self._skills = skills

    async def sections(
        self, profile: Profile, request: TurnRequest, session: Session
    ) -> tuple[Section, ...]:
        """The system block's sections for one conversation."""
        name = request.skin or self._skin
        skin = await anyio.to_thread.run_sync(load_skin, name, self._skins)
        voice = Voice(soul=self._soul, persona=skin.persona, prompt=skin.prompt)
        markers = await self._recollection.opening(session, profile)
        skills = await self._skills.lines(profile, session.root, _first_words(request, session))
        offered = _LEAN if skills else (*_LEAN, SKILL)
        on_demand = [name for name in self._registry.names() if name not in offered]
        return fixed_sections(profile, voice, markers, session.root, on_demand, skills)

    def tools(self, profile: Profile, sections: Sequence[Section]) -> tuple[ToolSpec, ...]:
        """A few, tersely, for `lean`; for the others every tool, and Skill where skills are."""
        if profile == "lean":
            return tuple(tool for tool in self._registry.specs(terse=True) if tool.name in _LEAN)
        skills = any(section.name == SKILLS for section in sections)
        left_out = {MORE} if skills else {MORE, SKILL}
        return tuple(tool for tool in self._registry.specs() if tool.name not in left_out)


def _first_words(request: TurnRequest, session: Session) -> str:
    """What the conversation began with, so that a reopened one has the same fixed part."""
    said = (message.text for message in session.messages if message.role == "user")
    return next(said, request.text)
