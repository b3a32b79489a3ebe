"""The skills of a project with the person's word on each: what may be used, and how that changes.

A skill is inert until its very digest is approved, wherever it lies. What it does not guard:
a program that runs as the person can write the store, and so their word.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import anyio.to_thread

from hermes.errors import Refused, SkillInvalid, Usage
from hermes.memory.skills.bundle import Bundle, copy_bundle, read_bundle
from hermes.memory.skills.places import Broken, Found, Scope, discover
from hermes.memory.skills.skill import (
    FILE,
    Skill,
    decoded,
    parse_skill,
    settle,
    valid_name,
    write_skill,
)
from hermes.store.skills import SkillTrust, Trust, TrustState

State: TypeAlias = TrustState | Literal["new", "changed"]


@dataclass(frozen=True)
class Entry:
    """A skill and where it stands; only an approved one is ever shown to a model."""

    bundle: Bundle
    scope: Scope
    state: State

    @property
    def name(self) -> str:
        """What it is called."""
        return self.bundle.skill.name

    @property
    def waits(self) -> bool:
        """Whether the person has not said anything about it as it is now."""
        return self.state in {"new", "changed"}


@dataclass(frozen=True)
class Survey:
    """All skills of a project, and what would be one."""

    entries: tuple[Entry, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def usable(self) -> tuple[Entry, ...]:
        """Those that a model may use."""
        return tuple(entry for entry in self.entries if entry.state == "approved")


class Catalog:
    """The skills, by project; `own` is the person's directory of skills."""

    def __init__(self, trust: SkillTrust, own: Path) -> None:
        self._trust = trust
        self._own = own

    async def survey(self, root: Path) -> Survey:
        """Look at the disk and at what the person said."""
        listing = await anyio.to_thread.run_sync(discover, self._own, root)
        if not listing.found:
            return Survey((), listing.broken)
        words = await self._trust.all()
        return Survey(tuple(_entry(each, words) for each in listing.found), listing.broken)

    async def get(self, root: Path, name: str) -> Entry:
        """One skill by name; raises Usage."""
        survey = await self.survey(root)
        for entry in survey.entries:
            if entry.name == name:
                return entry
        for broken in survey.broken:
            if broken.path.name == name:
                raise SkillInvalid(f"{broken.path}: {broken.why}", "mend or remove it")
        raise Usage(f"no skill is called {name[:80]!r} here", "hermes skills list")

    async def usable(self, root: Path, name: str) -> Bundle:
        """One that may be used now; raises Refused when the person has not approved it."""
        entry = await self.get(root, name)
        if entry.state != "approved":
            raise Refused(f"the skill {name} is not approved", f"hermes skills approve {name}")
        return entry.bundle

    async def say(self, root: Path, name: str, state: TrustState, digest: str = "") -> Entry:
        """Keep the person's word on a skill as it is now.

        Raises Refused when it is not what they looked at (`digest`, or how it begins).
        """
        entry = await self.get(root, name)
        if digest and not entry.bundle.digest.removeprefix("sha256:").startswith(
            digest.removeprefix("sha256:")
        ):
            raise Refused(f"{name} is {entry.bundle.digest} by now", f"hermes skills show {name}")
        await self._trust.say(str(entry.bundle.path), entry.bundle.digest, state)
        return Entry(entry.bundle, entry.scope, state)

    async def add(self, source: Path) -> Entry:
        """Copy a directory into the person's own and approve it: they chose it."""
        return await self._approved(await anyio.to_thread.run_sync(self._copy, source))

    async def adopt(self, skill: Skill) -> Entry:
        """Write a skill into the person's own directory and approve it: a draft they took."""
        return await self._approved(
            await anyio.to_thread.run_sync(partial(write_skill, self._own, skill))
        )

    async def remove(self, name: str) -> Path:
        """Delete one of the person's own for good; raises Usage."""
        path = self._own / name
        if not valid_name(name) or not await anyio.to_thread.run_sync(_is_skill, path):
            raise Usage(
                f"no skill of your own is called {name[:80]!r}",
                "a project's is removed from the project; hermes skills reject hides it",
            )
        real = await anyio.to_thread.run_sync(_delete, path)
        await self._trust.forget(str(real))
        return path

    async def _approved(self, path: Path) -> Entry:
        bundle = await anyio.to_thread.run_sync(_read, path)
        await self._trust.say(str(bundle.path), bundle.digest, "approved")
        return Entry(bundle, "user", "approved")

    def _copy(self, source: Path) -> Path:
        """Copy what was read, so that no link and nothing that changes meanwhile comes along."""
        source = source.parent if source.name == FILE else source
        real = Path(os.path.realpath(source))
        self._own.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=self._own, prefix=".new-"))
        try:
            staged = beside / "skill"
            copy_bundle(real, staged)
            name = real.name if valid_name(real.name) else parse_skill(_text(staged)).name
            staged = staged.rename(beside / name)
            read_bundle(staged)
            return settle(staged, self._own / name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _entry(found: Found, words: tuple[Trust, ...]) -> Entry:
    about = [word for word in words if word.path == str(found.bundle.path)]
    said = {word.digest: word.state for word in about}
    otherwise: State = "changed" if about else "new"
    return Entry(found.bundle, found.scope, said.get(found.bundle.digest, otherwise))


def _read(path: Path) -> Bundle:
    return read_bundle(Path(os.path.realpath(path)))


def _is_skill(path: Path) -> bool:
    return os.path.lexists(path / FILE)


def _delete(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)
    return real


def _text(staged: Path) -> str:
    if not (staged / FILE).is_file():
        raise SkillInvalid(f"it has no plain file {FILE}")
    return decoded((staged / FILE).read_bytes())
