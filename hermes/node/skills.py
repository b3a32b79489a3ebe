"""Skills as the owner serves them: queries, lines of the prompt, the tool, the gate of a turn."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import anyio.to_thread

from hermes.conversation.session import Session
from hermes.core.event import Json
from hermes.core.message import ToolResult
from hermes.core.request import Profile, TurnRequest
from hermes.errors import HermesError
from hermes.memory.skills.allowed import allowed_rules
from hermes.memory.skills.bundle import read_part
from hermes.memory.skills.catalog import Catalog, Entry
from hermes.memory.skills.check import remarks
from hermes.memory.skills.lines import skill_lines
from hermes.memory.skills.places import Broken
from hermes.memory.skills.skill import FILE
from hermes.node.desk import Query
from hermes.node.law import Law
from hermes.policy.gate import Gate
from hermes.tools.arguments import plain
from hermes.tools.skill import Opened

Word = Literal["approved", "rejected", "disabled"]

_NAMED = 5


class Skills:
    """The skills of one owner, by project directory."""

    def __init__(self, catalog: Catalog, law: Law) -> None:
        self.catalog = catalog
        self._law = law
        self._waiting: dict[str, str] = {}  # root: what the person should know of its skills

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "skills.list": self.list,
            "skills.show": self.show,
            "skills.say": self.say,
            "skills.add": self.add,
            "skills.remove": self.remove,
        }

    async def lines(self, profile: Profile, root: str, text: str) -> tuple[str, ...]:
        """What the prompt says of them (`prompt.sections`), written once a conversation."""
        survey = await self.catalog.survey(Path(root))
        waiting = [entry.name for entry in survey.entries if entry.waits]
        self._waiting[root] = _told(waiting)
        return skill_lines(profile, [entry.bundle.skill for entry in survey.usable], text)

    async def gate(self, request: TurnRequest, session: Session) -> Gate:
        """The gate of a turn, narrowed again by the skills that it opened before a crash."""
        gate = await self._law.gate(request, session)
        if waiting := self._waiting.get(session.root):
            gate.remark(waiting)
        for name in _opened(session, request):
            try:
                bundle = await self.catalog.usable(Path(request.root), name)
            except HermesError:  # not approved any more: then nothing at all is named
                gate.narrow(name, ())
                continue
            if (rules := allowed_rules(bundle.skill)) is not None:
                gate.narrow(name, rules)
        return gate

    async def offered(self, root: Path) -> Sequence[tuple[str, str]]:
        """Names and descriptions (`tools.skill.Skills`)."""
        skills = [entry.bundle.skill for entry in (await self.catalog.survey(root)).usable]
        return [(skill.name, skill.description) for skill in skills if not skill.manual]

    async def open(self, root: Path, name: str, file: str) -> Opened:
        """A skill's instructions, or a file of it; raises Refused, Usage."""
        bundle = await self.catalog.usable(root, name)
        text = bundle.skill.body
        if file and file != FILE:
            text = await anyio.to_thread.run_sync(partial(read_part, bundle, file))
        return Opened(text, str(bundle.path), bundle.files, allowed_rules(bundle.skill))

    async def list(self, root: str) -> Json:
        """Every skill that is found for a project, and what is broken."""
        survey = await self.catalog.survey(Path(root))
        return [*map(_plain, survey.entries), *map(_fault, survey.broken)]

    async def show(self, root: str, name: str) -> Json:
        """One skill, with its instructions and files."""
        entry = await self.catalog.get(Path(root), name)
        return await _whole(entry)

    async def say(self, root: str, name: str, state: Word, digest: str = "") -> Json:
        """Keep the person's word on a skill."""
        return await _whole(await self.catalog.say(Path(root), name, state, digest))

    async def add(self, path: str) -> Json:
        """Copy a directory to the person's own skills, and approve it."""
        return await _whole(await self.catalog.add(Path(path)))

    async def remove(self, name: str) -> Json:
        """Delete one of the person's own."""
        return {"name": name, "removed": _shown(await self.catalog.remove(name))}


def _opened(session: Session, request: TurnRequest) -> list[str]:
    """The skills that calls of this turn have opened, as a resumed turn finds them."""
    names: dict[str, None] = {}
    messages = session.of_turn(request.turn_id)
    done = {
        part.call_id
        for message in messages
        for part in message.parts
        if isinstance(part, ToolResult) and part.ok and part.name == "Skill"
    }
    for message in messages:
        for call in message.calls:
            if call.id in done:
                names |= dict.fromkeys(_named(call.arguments))
    return list(names)


def _named(arguments: str) -> list[str]:
    """The skill's name in a call's arguments, also where MoreTools stands for the call."""
    try:
        values = plain(arguments)
        inner = values.get("arguments")
        values = inner if isinstance(inner, dict) else plain(inner) if inner else values
    except HermesError:
        return []
    name = values.get("name")
    return [name.strip()] if isinstance(name, str) and name.strip() else []


def _told(waiting: Sequence[str]) -> str:
    if not waiting:
        return ""
    names = ", ".join([*waiting[:_NAMED], *(["..."] if len(waiting) > _NAMED else [])])
    many = "1 skill waits" if len(waiting) == 1 else f"{len(waiting)} skills wait"
    return f"{many} for your word ({names}): hermes skills show NAME, then approve or reject"


def _plain(entry: Entry) -> dict[str, Json]:
    skill = entry.bundle.skill
    allowed = None if skill.allowed_tools is None else list(skill.allowed_tools)
    return {
        "name": skill.name,
        "state": entry.state,
        "scope": entry.scope,
        "description": skill.description,
        "path": _shown(entry.bundle.path),
        "digest": entry.bundle.digest,
        "allowed_tools": allowed,
        "notes": list(skill.notes),
    }


async def _whole(entry: Entry) -> dict[str, Json]:
    skill = entry.bundle.skill
    seen = await anyio.to_thread.run_sync(remarks, entry.bundle)
    return _plain(entry) | {
        "license": skill.license,
        "compatibility": skill.compatibility,
        "metadata": dict(skill.metadata),
        "manual": skill.manual,
        "files": list(entry.bundle.files),
        "body": skill.body,
        "remarks": list(seen),
    }


def _fault(broken: Broken) -> dict[str, Json]:
    return {
        "name": _shown(Path(broken.path.name)),
        "state": "broken",
        "scope": broken.scope,
        "description": broken.why,
        "path": _shown(broken.path),
        "digest": "",
        "allowed_tools": None,
        "notes": [],
    }


def _shown(path: Path) -> str:
    """A path as text that JSON can hold, whatever bytes it is made of."""
    return os.fsencode(path).decode(errors="replace")
