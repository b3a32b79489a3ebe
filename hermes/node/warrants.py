"""The identity as the owner serves it: who this is, its soul, its fleet; and a watch over SOUL.md.

What is shown here is read from files and the store; what may be signed is the signer's to say.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import anyio.to_thread
import msgspec

from hermes.core.attestation import Attestation, attestation_of
from hermes.core.canonical import Block, Value, cid_of
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.core.ids import Cid
from hermes.errors import HermesError, ProofInvalid, Refused
from hermes.identity.agent import Agent
from hermes.identity.claim import fingerprint_of
from hermes.identity.soul import soul_bytes, soul_diff, soul_digest
from hermes.load import load
from hermes.node.alarms import Alarms
from hermes.node.desk import Query
from hermes.node.signing import Signing
from hermes.store.store import Store

_GENESIS = "hermes/genesis/1"
_SOUL = "hermes/soul/1"
_MEMBER = "hermes/member/1"
_REVOKED = "hermes/revoked/1"
_ABOUT = "soul"
_SHOWN = 4_000


class _Genesis(Protocol):
    """`hermes.identity.attest.Genesis`, which is loaded late."""

    cid: Cid
    soul: str
    owner: str
    record: Attestation


class SoulPath(Protocol):
    """Where SOUL.md lies now."""

    def __call__(self) -> Path:
        """Look; blocks on the disk."""
        ...


class Warrants:
    """Queries about the identity, and its acts in the store."""

    def __init__(
        self, signing: Signing, store: Store, clock: Clock, alarms: Alarms, soul: SoulPath
    ) -> None:
        self._signing = signing
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._soul = soul

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {
            "identity.show": self.show,
            "identity.genesis": self.genesis,
            "identity.attest": self.attest,
            "identity.members": self.members,
            "identity.member_add": self.add_member,
            "identity.revoke": self.revoke,
            "identity.record": self.record,
        }

    async def agent(self) -> Agent:
        """The unlocked signer; raises IdentityMissing, IdentityLocked or SignerGone."""
        return await self._signing.agent()

    async def look(self, report: Callable[[str, BaseException], None]) -> None:
        """Watch the soul as the owner starts; a damaged identity keeps nobody from talking."""
        try:
            await self.watch_soul()
        except HermesError as error:
            self._alarms.set("identity", error.message)
            report("looking at the identity", error)

    async def watch_soul(self) -> str:
        """Compare SOUL.md with the one attested last; the difference, empty when there is none.

        Where there is no identity, there is nothing to compare. Sets or lifts the alarm.
        """
        path = self._signing.folder / "genesis.cbor"
        if not await anyio.to_thread.run_sync(path.exists):
            return ""
        now = await anyio.to_thread.run_sync(self._soul_now)
        attested = await self._attested(path)
        if soul_digest(now) == attested:
            self._alarms.set(_ABOUT, "")
            return ""
        diff = soul_diff(await self._store.blobs.get(attested), now)
        said = "SOUL.md is not the one that was attested: nothing is signed until you have looked"
        self._alarms.set(_ABOUT, f"{said} at it and run: hermes identity attest\n{diff[:_SHOWN]}")
        return diff

    async def show(self) -> Json:
        """Who this is and how the signer stands; raises IdentityMissing."""
        _, status = await self._signing.reach()
        genesis = await self._genesis()
        diff = await self.watch_soul()
        fields = genesis.record.fields
        npub = load("npub").npub_of
        return {
            "identity": genesis.cid,
            "fingerprint": fingerprint_of(genesis.cid),
            "npub": npub(genesis.record.by),
            "owner_npub": npub(fields["owner"]),
            **{name: fields[name] for name in ("network", "recovery", "recovery_after", "at")},
            "roles": {
                "nostr": genesis.record.by,
                **{name: fields[name] for name in ("owner", "attest", "coin", "log")},
            },
            "parent": fields["parent"],
            "soul": await self._attested(self._signing.folder / "genesis.cbor"),
            "soul_now": status.soul,
            "diff": diff,
            "signer": msgspec.to_builtins(status),
            "genesis": genesis.record.block().data.hex(),
        }

    async def genesis(self) -> Json:
        """The genesis record as the store's log has it (its block in hex), or None."""
        latest = await self._store.acts.latest(_GENESIS)
        return latest.data.hex() if latest else None

    async def attest(self, soul: str) -> Json:
        """Attest the SOUL.md whose SHA-256 a person saw; raises Refused when it changed since."""
        agent = await self.agent()
        data = await anyio.to_thread.run_sync(self._soul_now)
        if soul_digest(data) != soul:
            raise Refused("SOUL.md has changed since it was shown", "look at it again")
        await self._store.blobs.put(data)
        made = await agent.attest(_SOUL, {"soul": soul})
        block = made.block()
        await self._store.acts.add(_SOUL, soul, block)
        await self.watch_soul()
        return {"cid": block.cid, "soul": soul}

    async def members(self, at: int | None = None) -> Json:
        """How every node of the fleet stands, now or at a moment (ms UTC)."""
        genesis = await self._genesis()
        acts = [*await self._store.acts.list(_MEMBER), *await self._store.acts.list(_REVOKED)]
        statements = [attestation_of(act.data) for act in acts]
        moment = self._clock.now_ms() if at is None else at
        found = load("members").members_at(statements, genesis.owner, moment)
        return [msgspec.to_builtins(one) for one in found]

    async def add_member(self, node: str, roles: list[str], since: int = 0, until: int = 0) -> Json:
        """Sign a node into the fleet; raises Refused where the owner's key is not."""
        agent = await self.agent()
        since = since or self._clock.now_ms()
        fields: dict[str, Value] = {"node": node, "roles": [*roles], "since": since, "until": until}
        return await self._add(await agent.attest(_MEMBER, fields))

    async def revoke(self, node: str, reason: str = "") -> Json:
        """Sign a node out of the fleet, for good."""
        agent = await self.agent()
        return await self._add(await agent.attest(_REVOKED, {"node": node, "reason": reason}))

    async def record(self, data: str) -> Json:
        """Keep a statement that was signed elsewhere (its block in hex); raises ProofInvalid."""
        try:
            statement = attestation_of(bytes.fromhex(data))
        except (ValueError, TypeError, RecursionError) as error:
            raise ProofInvalid("not the block of a statement") from error
        return await self._add(statement)

    async def _add(self, statement: Attestation) -> Json:
        genesis = await self._genesis()
        subject: str = load("subjects").subject_of(statement, genesis)
        block = statement.block()
        if block.cid == genesis.cid:
            await self._keep_soul(genesis)
        await self._store.acts.add(statement.kind, subject, block)
        return {
            "cid": block.cid,
            "kind": statement.kind,
            "subject": subject,
            "data": data_of(block),
        }

    async def _genesis(self) -> _Genesis:
        found: _Genesis = await anyio.to_thread.run_sync(
            load("genesis").load_genesis, self._signing.folder
        )
        return found

    async def _attested(self, path: Path) -> str:
        """The SHA-256 of the SOUL.md that was attested last; keeps a genesis that is new here."""
        data = await anyio.to_thread.run_sync(path.read_bytes)
        latest = await self._store.acts.latest(_SOUL)
        if await self._store.acts.latest(_GENESIS, cid_of(data)) is None:
            genesis = await self._genesis()
            await self._store.acts.add(_GENESIS, genesis.cid, genesis.record.block())
            await self._keep_soul(genesis)
        newest = attestation_of(latest.data if latest else data)
        return str(newest.fields.get("soul"))

    async def _keep_soul(self, genesis: _Genesis) -> None:
        """Keep the genesis text, so that a change of it can be shown."""
        now = await anyio.to_thread.run_sync(self._soul_now)
        if soul_digest(now) == genesis.soul:
            await self._store.blobs.put(now)

    def _soul_now(self) -> bytes:
        try:
            return soul_bytes(self._soul())
        except OSError as error:
            raise HermesError(f"SOUL.md cannot be read: {error.strerror}") from error


def data_of(block: Block) -> str:
    """A block as text, to carry it to another node."""
    return block.data.hex()
