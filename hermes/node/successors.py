"""What the owner does about changes of this runtime: shows, asks, adopts, watches, goes back.

Trials themselves are made by `hermes.successor.trial`.
"""

import binascii
from base64 import b64decode

import anyio
import anyio.to_thread
import msgspec

from hermes.core.event import Json
from hermes.errors import HermesError, Refused, Usage
from hermes.node.changing import Changing, Said, Wish
from hermes.node.takeover import Takeover
from hermes.node.trials import Trials
from hermes.node.version_ground import VersionGround
from hermes.sandbox.environment import clean_environment
from hermes.store.trials import CandidateRow
from hermes.successor.adoption import Adopting, Gatehouse
from hermes.successor.pointer import Notes, own_tag
from hermes.successor.probation import BEFORE, Finding, Watched, judge
from hermes.successor.records import Records, Word
from hermes.successor.signing import Signing
from hermes.successor.source import Source
from hermes.successor.stops import StopRules
from hermes.successor.trial import Order, run_trial
from hermes.successor.versions import Versions

_LOOK_S = 5.0
_SETTLED_MS = 60_000
_ABOUT = "successor"


class Successors:
    """The work behind `changing.Changing`."""

    def __init__(self, door: Changing) -> None:
        house = door.house
        settings, store, clock = house.settings, house.store, house.clock
        env = clean_environment(house.environ)
        self._door = door
        self._house = house
        self._store = store
        self._terms = settings.successor
        self.records = Records(store, Signing(house.signer, clock))
        self.stops = StopRules(settings.successor, settings.data_dir, store, clock, env)
        self.versions = Versions(settings.data_dir)
        ground = VersionGround(door, self.versions, env)
        quorum = settings.successor.quorum
        gate = Gatehouse(self.records, self.stops, self.versions, ground, clock, quorum)
        self.ground = ground
        self.adopting = Adopting(gate)
        self.takeover = Takeover(house, self.records, self.versions.pointer)

    async def run(self, wish: Wish) -> Json:
        """Try a change to its verdict, and show it."""
        house, env = self._house, clean_environment(self._house.environ)
        trials = Trials(house.settings, house.store, house.clock, house.signer, env)
        async with trials.workshop(house.bus)() as workshop:
            order = Order(
                patch=await _patch(wish, workshop.source),
                task=wish.task,
                goal=wish.goal,
                effort=wish.effort,
                seed=wish.seed,
            )
            judged = await run_trial(workshop, order)
        shown = await self.show(judged.trial.candidate)
        return {**shown, "again": judged.again}

    async def list(self, most: int) -> Json:
        """The newest trials, newest first."""
        told: list[Json] = []
        for row in await self._store.trials.list(most):
            candidate = await self._store.trials.candidate(row.candidate)
            task = candidate.task.strip().split("\n")[0] if candidate else ""
            tags = [one.tag for one in await self.records.adoptions(row.candidate)]
            more = {"name": row.candidate[-8:], "task": task, "tag": tags[-1] if tags else ""}
            stage = self._store.trials.live.get(row.id, "")
            told.append({**msgspec.to_builtins(row), **more, "stage": stage})
        return told

    async def show(self, name: str) -> Json:
        """One candidate with all that is known of it."""
        candidate = await self.records.candidate(name)
        trials = await self._store.trials.of(candidate.cid)
        verdict, versions = None, await self.takeover.versions()
        for row in trials:
            if row.verdict:
                verdict = msgspec.to_builtins(await self.records.read(row.candidate, row.verdict))
                break
        return {
            "candidate": msgspec.to_builtins(candidate),
            "trials": [msgspec.to_builtins(one) for one in trials],
            "verdict": verdict,
            "diff": await self._text(candidate.diff),
            "diff_sha256": candidate.diff,
            "words": [msgspec.to_builtins(one) for one in await self.records.words(candidate.cid)],
            "adoptions": [
                msgspec.to_builtins(one) for one in await self.records.adoptions(candidate.cid)
            ],
            "versions": [one for one in versions if one["candidate"] == candidate.cid],
        }

    async def answer(self, name: str, said: Said, step: str, *, publish: bool) -> Json:
        """A person's word; a yes adopts at once."""
        word = Word(said.answer, said.who, said.door, said.diff, said.reason)
        candidate, row = await self.adopting.say(name, word)
        told: dict[str, Json] = {
            "candidate": candidate.cid, "answer": said.answer, "cid": row.cid
        }  # fmt: skip
        if said.answer == "reject":
            return told
        return {**told, **await self._adopt(candidate, step, publish=publish)}

    async def rollback(self, why: str) -> Json:
        """Back to the version before."""
        left = self.versions.pointer.current
        tag = await anyio.to_thread.run_sync(left)
        back = await self.adopting.roll_back(why or "a person said so")
        return {"left": tag, "version": back, "live": self._door.keeper is not None}

    async def stop(self, why: str) -> Json:
        """Lay the flag down."""
        await self.stops.stop(why or "a person said so")
        return await self.status()

    async def resume(self) -> Json:
        """Take the flag away."""
        await self.stops.resume()
        return await self.status()

    async def status(self) -> Json:
        """Which version runs, what is under way, what holds things up."""
        pointer = self.versions.pointer
        notes = await anyio.to_thread.run_sync(pointer.notes)
        finding = await self._finding(notes) if notes.stage == "probation" else Finding("stay")
        return {
            "current": await anyio.to_thread.run_sync(pointer.current),
            "runs": own_tag(),
            "stage": notes.stage,
            "tag": notes.tag if notes.stage else "",
            "previous": notes.previous,
            "says": finding.why or notes.why,
            "stops": msgspec.to_builtins(await self.stops.look()),
            "flag": str(self.stops.flag.path),
        }

    async def fail(self, tag: str, why: str) -> None:
        """Write down that a version did not come up, and that nothing is under way."""
        await self.adopting.fail(tag, why)

    async def watch(self) -> None:
        """Mend what was cut off; watch over the version that runs here while it is on probation."""
        began = self._house.clock.now_ms()
        try:
            await self.adopting.mend()
        except HermesError as error:
            self._house.report("the books of versions", error)
        signed = False
        while True:
            notes = await anyio.to_thread.run_sync(self.versions.pointer.notes)
            signed = signed or await self.takeover.signed()
            tried = notes.tag == own_tag() and notes.stage in {"trying", "probation"}
            if signed and not tried:
                return
            try:
                if tried and notes.stage == "probation":
                    await self._look(notes, began)
            except HermesError as error:
                self._house.report("a version on probation", error)
            await anyio.sleep(_LOOK_S)

    async def _look(self, notes: Notes, began: int) -> None:
        pointer = self.versions.pointer
        if self._house.clock.now_ms() - began > _SETTLED_MS:
            await anyio.to_thread.run_sync(pointer.forget_starts)
        found = await self._finding(notes)
        if found.word == "keep":
            await self.adopting.keep(found.why)
        elif found.word == "leave":
            back = await self.adopting.roll_back(found.why)
            says = f"version {notes.tag} was left ({found.why}): {back or 'the installed code'}"
            self._house.alarms.set(_ABOUT, f"{says} runs from the next start")

    async def _finding(self, notes: Notes) -> Finding:
        now = self._house.clock.now_ms()
        health = self._store.health
        seen = Watched(
            await health.between(notes.since, now, 10 * BEFORE),
            await health.between(0, notes.since, BEFORE),
            await anyio.to_thread.run_sync(self.versions.pointer.crashes),
            now - notes.since,
        )
        return judge(seen, self._terms)

    async def _adopt(self, candidate: CandidateRow, step: str, *, publish: bool) -> dict[str, Json]:
        row = await self.adopting.adopt(candidate.cid, step)
        told: dict[str, Json] = {
            "tag": row.tag, "version": row.version, "live": self._door.keeper is not None
        }  # fmt: skip
        if publish:
            source = (await self.ground.checkout()).root
            await self.versions.publish(source, row.tag)
            told["published"] = str(source)
        return told

    async def _text(self, digest: str) -> str:
        data = await self._store.blobs.get(digest)
        if data is None:
            raise Refused("the difference is not in the store any more")
        return data.decode(errors="replace")


async def _patch(wish: Wish, source: Source) -> bytes:
    if bool(wish.branch) == bool(wish.patch):
        raise Usage("name one change", "give a patch's file, or branch:NAME")
    if wish.branch:
        return await source.branch_diff(await source.commit(), wish.branch)
    try:
        return b64decode(wish.patch, validate=True)
    except binascii.Error as error:
        raise Usage("the patch did not come through whole") from error
