"""The dreamer's drafts as the owner serves them: shown with their evidence, approved, rejected."""

from collections.abc import Mapping

import msgspec

from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import SkillInvalid, Usage
from hermes.memory.skills.catalog import Catalog
from hermes.memory.skills.skill import parse_skill, valid_name
from hermes.node.desk import Query
from hermes.store.drafts import Draft, Drafts, DraftState


class Dreams:
    """What waits for the person's word, and what they said of the others."""

    def __init__(self, drafts: Drafts, catalog: Catalog) -> None:
        self._drafts = drafts
        self._catalog = catalog

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "skills.drafts": self.list,
            "skills.draft": self.show,
            "skills.approve_draft": self.approve,
            "skills.reject_draft": self.reject,
        }

    async def list(self, state: DraftState | None = "open") -> Json:
        """Drafts, newest first; without a state: all of them."""
        return [_plain(draft) for draft in await self._drafts.list(state)]

    async def show(self, id: int) -> Json:  # noqa: A002 - the public query's word
        """One draft: the whole text, and what speaks for it."""
        return _whole(await self._drafts.get(id))

    async def approve(self, id: int, name: str = "") -> Json:  # noqa: A002
        """Make a draft one of the person's own skills, by its own name or another."""
        draft = await self._open(id)
        if name and not valid_name(name):
            raise SkillInvalid(f"{name[:80]!r} is no name for a skill", "such as: ship-the-shop")
        skill = msgspec.structs.replace(parse_skill(draft.text), name=name or draft.name)
        try:
            entry = await self._catalog.adopt(skill)
        except Usage as error:
            raise Usage(error.message, f"hermes skills approve {id} --name ANOTHER-NAME") from error
        await self._drafts.decide(id, "approved")
        told = _whole(await self._drafts.get(id))
        return told | {"skill": entry.name, "path": str(entry.bundle.path)}

    async def reject(self, id: int) -> Json:  # noqa: A002
        """Never draft this again."""
        await self._drafts.decide(id, "rejected")
        return _plain(await self._drafts.get(id))

    async def _open(self, draft: int) -> Draft:
        known = await self._drafts.get(draft)
        if known.state != "open":
            raise Usage(f"draft {draft} is {known.state} already", "hermes skills drafts --all")
        return known


def _plain(draft: Draft) -> dict[str, Json]:
    return {
        "id": draft.id,
        "name": draft.name,
        "state": draft.state,
        "description": parse_skill(draft.text).description,
        "sessions": len(draft.evidence.sessions) + 1,
        "days": draft.evidence.days,
        "at": rfc3339(draft.at),
    }


def _whole(draft: Draft) -> dict[str, Json]:
    evidence: dict[str, Json] = msgspec.to_builtins(draft.evidence)
    times = {"first": rfc3339(draft.evidence.first), "last": rfc3339(draft.evidence.last)}
    return _plain(draft) | {"text": draft.text, "evidence": evidence | times}
