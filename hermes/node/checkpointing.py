"""Signed checkpoints: made every few minutes while the log grows, kept beside the store.

The file beside the store is what a shortened or rewritten store is noticed by. Whoever can
change both can make them agree; only the signer, peers and the chain remember more.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.core.checkpoint import Checkpoint, Note, NoteSignature, checkpoint_of, note_of
from hermes.errors import (
    HermesError,
    IdentityLocked,
    IdentityMissing,
    ProofInvalid,
    SignerGone,
)
from hermes.identity.publishing import Publisher
from hermes.identity.whole import read_note, write_whole
from hermes.load import load
from hermes.node.alarms import Alarms
from hermes.store.store import Store

_ABOUT = "log"
_QUIET = (IdentityMissing, IdentityLocked, SignerGone)
_MINUTE_S = 60.0
_REMEDY = "put a backup in its place, or look closer: hermes log verify"


class CheckpointSigner(Protocol):
    """What is asked of the signer (`hermes.identity.agent.Agent`)."""

    async def sign_checkpoint(self, text: str, proof: tuple[bytes, ...]) -> NoteSignature:
        """Sign, if `proof` shows that the log grew out of what was signed last."""
        ...


Agent = Callable[[], Awaitable[CheckpointSigner]]
"""The signer; raises IdentityMissing, IdentityLocked or SignerGone."""


class Checkpointing:
    """Signs one store's log and watches over what was signed."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        agent: Agent,
        alarms: Alarms,
        *,
        report: Callable[[str, BaseException], None],
        publisher: Publisher,
    ) -> None:
        self._folder = settings.data_dir / "identity"
        self._minutes = settings.checkpoint_minutes
        self._publisher = publisher
        self._store = store
        self._agent = agent
        self._alarms = alarms
        self._report = report
        self._signing = anyio.Lock()
        self._own: _Own | None = None

    async def run(self) -> None:
        """Look once, then sign whenever there is something new; until cancelled."""
        await self.look()
        while self._minutes > 0:
            try:
                await self.sign()
            except _QUIET:
                pass  # there is nobody who could sign, which is no fault of the log
            except HermesError as error:
                self._report("signing a checkpoint", error)
                if await self.look():  # else that is the alarm
                    self._alarms.set("checkpoint", f"the log could not be signed: {error.message}")
            else:
                self._alarms.set("checkpoint", "")
            await anyio.sleep(self._minutes * _MINUTE_S)

    async def look(self) -> bool:
        """Compare the store with the checkpoint beside it; whether it holds, else an alarm."""
        try:
            kept = await self.kept()
            await self._compare(kept)
            with suppress(IdentityMissing):  # then nobody knows whose signature it has to bear
                await self._signature(kept)
        except ProofInvalid as error:
            self._alarms.set(_ABOUT, f"{error.message}; {error.remedy or _REMEDY}")
            return False
        except HermesError as error:
            self._report("comparing the log with its checkpoint", error)
            self._alarms.set(
                _ABOUT, f"the log could not be compared with its checkpoint: {error.message}"
            )
            return False
        self._alarms.set(_ABOUT, "")
        return True

    async def kept(self) -> str:
        """The checkpoint beside the store, empty when there is none; raises ProofInvalid."""
        path = self._folder / "checkpoint.note"
        return await anyio.to_thread.run_sync(read_note, path, _REMEDY)

    async def check(self, note: str) -> None:
        """Check a note's signature; raises ProofInvalid, or IdentityMissing: nobody can."""
        own = await self._identity()
        parsed = _parsed(note)[0]
        await anyio.to_thread.run_sync(load("notes").check_note, parsed, own.key, own.name)

    async def sign(self) -> str:
        """Sign the log as it is now; returns the newest note, empty for an empty log.

        Raises:
            IdentityMissing, IdentityLocked, SignerGone: nobody can sign.
            ProofInvalid: the log is not what was signed before; nothing is signed.
        """
        async with self._signing:
            own = await self._identity()
            size, root = await self._store.log.newest()
            latest = await self._store.checkpoints.at(size)
            if not size or (latest is not None and latest == await self.kept()):
                return latest or ""
            signer = await self._agent()
            # A signer that was just unlocked puts its last note back: its memory is the best.
            kept = await self.kept()
            await self._compare(kept)
            before = _parsed(kept)[1].size if kept else 0
            proof = await self._store.log.consistency(before, size)
            new = Checkpoint(own.name, size, root)
            signature = await signer.sign_checkpoint(new.text, proof)
            note = Note(new.text, (signature,)).format()
            await self._keep(note, size)
            return note

    async def _keep(self, note: str, size: int) -> None:
        await self.check(note)
        await self._store.checkpoints.add(note)
        path = self._folder / "checkpoint.note"
        await anyio.to_thread.run_sync(partial(write_whole, path, note.encode()))
        await self._publisher.publish("checkpoint", f"{size}.note", note.encode())

    async def _signature(self, kept: str) -> None:
        if kept:
            await self.check(kept)

    async def _compare(self, kept: str) -> None:
        """Whether the log is a continuation of what was signed; raises ProofInvalid."""
        if kept:
            signed = _parsed(kept)[1]
            size = await self._store.log.size()
            if signed.size > size:
                raise ProofInvalid(
                    f"the store was shortened: {signed.size} entries are signed, {size} are there",
                    _REMEDY,
                )
            if await self._store.log.root(signed.size) != signed.root:
                raise ProofInvalid(
                    f"the store was rewritten: its first {signed.size} entries are others than"
                    " those that are signed",
                    _REMEDY,
                )

    async def _identity(self) -> "_Own":
        if self._own is None:
            self._own = await anyio.to_thread.run_sync(_own_of, self._folder)
        return self._own


class _Own(NamedTuple):
    """The log's name and its Ed25519 key."""

    name: str
    key: bytes


def _own_of(folder: Path) -> _Own:
    if not (folder / "genesis.cbor").is_file():  # a chat without one never loads a key library
        raise IdentityMissing("there is no identity yet", "run: hermes identity init")
    genesis = load("genesis").load_genesis(folder)
    return _Own(genesis.name, bytes.fromhex(genesis.log))


def _parsed(note: str) -> tuple[Note, Checkpoint]:
    try:
        parsed = note_of(note)
        return parsed, checkpoint_of(parsed.text)
    except ValueError as error:
        raise ProofInvalid(f"a signed checkpoint cannot be read: {error}", _REMEDY) from error
