"""The log as the owner serves it: roots, proofs, verification, archives, the sweep of blobs."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from hermes.core.checkpoint import Checkpoint, checkpoint_in
from hermes.core.event import Json
from hermes.core.ids import Cid, ConversationId
from hermes.errors import HermesError, IdentityMissing, ProofInvalid, Usage
from hermes.node.checkpointing import Checkpointing
from hermes.node.desk import Query
from hermes.store.car_out import Wanted
from hermes.store.store import Store

PROOF_KIND = "hermes/log-proof/1"


class Ledger:
    """Queries about one store's log; `checkpointing` signs it and knows what was signed."""

    def __init__(self, store: Store, checkpointing: Checkpointing) -> None:
        self._store = store
        self._checkpointing = checkpointing
        self._seen = self._total = 0
        self._running = False

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "log.root": self.root,
            "log.prove": self.prove,
            "log.grown": self.grown,
            "log.verify": self.verify,
            "log.progress": self.progress,
            "log.checkpoint": self.checkpoint,
            "log.export": self.export,
            "log.import": self.bring,
            "log.sweep": self.sweep,
        }

    async def root(self, size: int | None = None) -> Json:
        """Size and root of the log, now or when it had `size` leaves; the newest signed note."""
        if size is None:
            size, root = await self._store.log.newest()
        else:
            root = await self._store.log.root(size)
        latest = await self._store.checkpoints.latest()
        return {
            "size": size,
            "root": root.hex(),
            "signed_size": _size_of(latest),
            "note": latest,
        }

    async def prove(self, name: str, size: int | None = None) -> Json:
        """That a block is in the log of `size` leaves, or of the newest checkpoint, or of now."""
        block = await self._store.block_named(name)
        index = await self._store.log.index_of(block.cid)
        if size is None:
            size = await self._size_for(index)
        path = await self._store.log.inclusion(index, size)
        return {
            "t": PROOF_KIND,
            "cid": block.cid,
            "kind": block.kind,
            "index": index,
            "size": size,
            "root": (await self._store.log.root(size)).hex(),
            "path": [one.hex() for one in path],
            "note": await self._store.checkpoints.at(size),
            "block": b64encode(block.data).decode() if block.data is not None else None,
        }

    async def grown(self, since: int, size: int | None = None) -> Json:
        """That the log of `since` leaves is the start of the one of `size`, or of now."""
        if size is None:
            size = await self._store.log.size()
        path = await self._store.log.consistency(since, size)
        return {
            "t": PROOF_KIND,
            "old_size": since,
            "old_root": (await self._store.log.root(since)).hex(),
            "size": size,
            "root": (await self._store.log.root(size)).hex(),
            "path": [one.hex() for one in path],
        }

    async def verify(self, note: str = "") -> Json:
        """Derive everything anew; `note`: a signed checkpoint that was kept elsewhere."""
        if self._running:
            raise Usage("the log is being verified already", "wait for it")
        self._seen = self._total = 0
        self._running = True
        try:
            checked = await self._check_notes(note)
            problems = await self._store.verify(self._progressed, checked.found)
            file = await self._store.integrity()
        finally:
            self._running = False
        found = [*checked.problems, *problems, *file]
        return {
            "ok": not found,
            "problems": found,
            "size": await self._store.log.size(),
            "checkpoints": [one.size for one in checked.found],
            "unchecked": checked.unchecked,
        }

    async def progress(self) -> Json:
        """How far a running verification is."""
        return {"running": self._running, "seen": self._seen, "total": self._total}

    async def checkpoint(self) -> Json:
        """Sign the log as it is now; raises IdentityError."""
        note = await self._checkpointing.sign()
        return {"note": note, "size": _size_of(note)}

    async def export(
        self, path: str, conversations: tuple[str, ...] = (), names: tuple[str, ...] = ()
    ) -> Json:
        """Write a CAR v1 archive; nothing named: everything."""
        resolve = self._store.conversations.resolve
        places: tuple[ConversationId, ...] = tuple([await resolve(one) for one in conversations])
        cids: tuple[Cid, ...] = tuple([(await self._store.block_named(one)).cid for one in names])
        done = await self._store.export_car(Path(path), Wanted(places, cids))
        return _plain(done) | {"path": path}

    async def bring(self, path: str) -> Json:
        """Take a CAR v1 archive in."""
        return _plain(await self._store.import_car(Path(path)))

    async def sweep(self, *, apply: bool = False) -> Json:
        """Find the blobs that nothing names, and with `apply` remove them."""
        return _plain(await self._store.sweep(dry=not apply))

    def _progressed(self, seen: int, total: int) -> None:
        self._seen, self._total = seen, total

    async def _size_for(self, index: int) -> int:
        """The signed log if it holds the leaf: whoever has that note can check the proof."""
        signed = _size_of(await self._store.checkpoints.latest())
        return signed if signed is not None and index < signed else await self._store.log.size()

    async def _check_notes(self, given: str) -> "_Checked":
        checked = _Checked([], [], [])
        try:
            kept = await self._checkpointing.kept()
        except ProofInvalid as error:
            kept = ""
            checked.problems.append(error.message)
        notes = {"the checkpoint that was given": given, "the checkpoint beside the store": kept}
        for name, note in notes.items():
            if note:
                await self._check_note(name, note, checked)
        return checked

    async def _check_note(self, name: str, note: str, checked: "_Checked") -> None:
        try:
            checked.found.append(checkpoint_in(note))
            await self._checkpointing.check(note)
        except IdentityMissing:
            checked.unchecked.append(f"{name}: nobody here knows whose signature it bears")
        except (ValueError, HermesError) as error:
            checked.problems.append(f"{name}: {error}")


class _Checked(NamedTuple):
    """Checkpoints to compare the log with, what is wrong with them, what nobody could check."""

    found: list[Checkpoint]
    problems: list[str]
    unchecked: list[str]


def _size_of(note: str | None) -> int | None:
    return None if note is None else checkpoint_in(note).size


def _plain(value: msgspec.Struct) -> dict[str, Json]:
    plain: dict[str, Json] = msgspec.to_builtins(value)
    return plain
