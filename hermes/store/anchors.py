"""Anchors and their transactions on this node, and the alarm that halts them.

Outpoints are written `txid:index`, ids and hashes as people write them. What a transaction says
is read in `hermes.chain`; here its bytes are only kept, from before it is sent.
"""

from collections.abc import Mapping
from typing import Any, Literal, NewType

import anyio
import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import uuid7
from hermes.errors import Usage
from hermes.store.database import Database
from hermes.store.statement import SqlValue, Statement, Unmet

AnchorId = NewType("AnchorId", str)
AnchorState = Literal["draft", "sent", "seen", "mined", "settled", "final", "lost"]


class Attempt(msgspec.Struct, frozen=True):
    """One signed transaction of an anchor; fee in satoshi, size in virtual bytes.

    `coin` is what its first input spends; `at` ms UTC says when it was made, `height` since
    which block it waits for one; `dead`: made for a coin that is not the lineage's (any more).
    """

    txid: str
    coin: str
    raw: bytes
    fee: int
    size: int
    at: int
    height: int
    dead: bool = False


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """What is to stand in the chain, and how far it is.

    `note` is the signed checkpoint of a CHECKPOINT anchor. From `mined` on, `txid`, `height`,
    `block`, `header`, `position` and `branch` (siblings, 32 bytes each, from leaf to root) say
    where it stands. `says`: why it waits, in a person's words.
    """

    id: AnchorId
    kind: int
    payload: bytes
    note: str = ""
    state: AnchorState = "draft"
    at: int = 0
    txid: str = ""
    height: int = 0
    block: str = ""
    header: bytes = b""
    position: int = 0
    branch: bytes = b""
    says: str = ""
    attempts: tuple[Attempt, ...] = ()

    @property
    def alive(self) -> tuple[Attempt, ...]:
        """The attempts that may still be mined, oldest first."""
        return tuple(one for one in self.attempts if not one.dead)

    @property
    def mined(self) -> Attempt | None:
        """The attempt that is in a block."""
        return next((one for one in self.attempts if self.txid and one.txid == self.txid), None)


class Halt(msgspec.Struct, frozen=True):
    """Somebody else spent the coin: nothing is anchored until a person looked."""

    at: int
    coin: str
    spender: str
    says: str


_OWN = tuple(name for name in Anchor.__struct_fields__ if name != "attempts")
_COLUMNS = ", ".join(_OWN)
_TRIED = ", ".join(Attempt.__struct_fields__)
_BOTH = ", ".join(
    [f"a.{name}" for name in _OWN] + [f"t.{one}" for one in Attempt.__struct_fields__]
)
_ADD = f"INSERT INTO anchors ({_COLUMNS}) VALUES ({', '.join('?' * len(_OWN))})"  # noqa: S608 - constants
_SET = ", ".join(f"{name} = ?" for name in _OWN if name != "id")
_SAVE = f"UPDATE anchors SET {_SET} WHERE id = ?"  # noqa: S608
_TRY = f"""INSERT INTO anchor_attempts (anchor, {_TRIED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (txid) DO UPDATE SET dead = excluded.dead, height = excluded.height"""  # noqa: S608
_PARENT = "INSERT INTO anchor_parents (txid, raw) VALUES (?, ?) ON CONFLICT (txid) DO NOTHING"
_LAST = "WHERE seq = (SELECT max(seq) FROM anchors)"
_LAST_FINAL = "WHERE seq = (SELECT max(seq) FROM anchors WHERE state = 'final')"
_OPEN = "state NOT IN ('final', 'lost')"
ENDED = frozenset({"final", "lost"})
"""States of which nothing more comes, unless a person lets an alarm go."""


class Anchors:
    """The anchors of this node, oldest first everywhere."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.turn = anyio.Lock()
        """Held by whoever spends the coin, from asking which it is until that is on the disk."""

    async def add(self, kind: int, payload: bytes, note: str = "") -> Anchor:
        """Keep a draft."""
        made = Anchor(
            id=AnchorId(uuid7()), kind=kind, payload=payload, note=note, at=self._clock.now_ms()
        )
        await self._database.write(_row(made))
        return made

    async def adopt(self, anchor: Anchor, parents: Mapping[str, bytes]) -> None:
        """Keep an anchor that was made elsewhere: found in the chain, or signed by two."""
        tried = [_attempt(anchor.id, one) for one in anchor.attempts]
        await self._database.write(_row(anchor), *tried, *_parents(parents))

    async def attempt(self, anchor: Anchor, made: Attempt, parents: Mapping[str, bytes]) -> Anchor:
        """Keep a signed transaction: before it is sent. Returns the anchor with it, `sent`."""
        now = msgspec.structs.replace(
            anchor, state="sent", says="", attempts=(*anchor.attempts, made)
        )
        await self._database.write(_change(now), _attempt(anchor.id, made), *_parents(parents))
        return now

    async def save(self, anchor: Anchor) -> None:
        """Keep an anchor's state and which attempts are dead. Raises Usage when there is none."""
        tried = [_attempt(anchor.id, one) for one in anchor.attempts]
        try:
            await self._database.write(_change(anchor), *tried)
        except Unmet as error:
            raise Usage(f"no anchor {anchor.id}", "see `hermes anchor status`") from error

    async def rewrite(self, anchor: Anchor, payload: bytes, note: str) -> None:
        """Let a draft say something newer; one for which anything was signed stays."""
        sql = """UPDATE anchors SET payload = ?1, note = ?2 WHERE id = ?3
            AND NOT EXISTS (SELECT 1 FROM anchor_attempts WHERE anchor = ?3)"""
        await self._database.write(Statement(sql, (payload, note, anchor.id)))

    async def drop(self, anchor: Anchor) -> None:
        """Forget a draft for which nothing was signed; any other stays."""
        sql = """DELETE FROM anchors WHERE id = ?1
            AND NOT EXISTS (SELECT 1 FROM anchor_attempts WHERE anchor = ?1)"""
        await self._database.write(Statement(sql, (anchor.id,)))

    async def list(self) -> tuple[Anchor, ...]:
        """Every anchor."""
        return await self._anchors("")

    async def open(self) -> tuple[Anchor, ...]:
        """Those that are neither final nor lost."""
        return await self._anchors(f"WHERE {_OPEN}")

    async def unsettled(self, since: int) -> tuple[Anchor, ...]:
        """The open ones, and all that were made after a moment (ms)."""
        return await self._anchors(f"WHERE {_OPEN} OR at > ?", (since,))

    async def newest(self) -> Anchor | None:
        """The last one, however it stands."""
        return next(iter(await self._anchors(_LAST)), None)

    async def newest_final(self) -> Anchor | None:
        """The last one that is final: what the open ones follow."""
        return next(iter(await self._anchors(_LAST_FINAL)), None)

    async def get(self, anchor: str) -> Anchor:
        """One; raises Usage when there is none."""
        found = await self._anchors("WHERE id = ?", (anchor,))
        if not found:
            raise Usage(f"no anchor {anchor}", "see `hermes anchor status`")
        return found[0]

    async def of_kind(self, kind: int) -> tuple[Anchor, ...]:
        """Those that say something of a kind."""
        return await self._anchors("WHERE kind = ?", (kind,))

    async def with_payload(self, payload: bytes) -> tuple[Anchor, ...]:
        """The anchors that commit to the same."""
        return await self._anchors("WHERE payload = ?", (payload,))

    async def parent(self, txid: str) -> bytes | None:
        """A transaction that one of ours spends from, or one of ours."""
        sql = """SELECT raw FROM anchor_parents WHERE txid = ?1
            UNION ALL SELECT raw FROM anchor_attempts WHERE txid = ?1 LIMIT 1"""
        rows = await self._database.read(sql, (txid,))
        return rows[0][0] if rows else None

    async def spenders(self, coin: str) -> frozenset[str]:
        """The ids of our own transactions that spend a coin first."""
        sql = "SELECT txid FROM anchor_attempts WHERE coin = ?"
        return frozenset(txid for (txid,) in await self._database.read(sql, (coin,)))

    async def spent_since(self, at: int) -> dict[str, int]:
        """Satoshi of fees by coin since a moment; of several attempts the dearest counts."""
        sql = "SELECT coin, max(fee) FROM anchor_attempts WHERE at > ? GROUP BY coin"
        return dict(await self._database.read(sql, (at,)))

    async def halt(self, coin: str, spender: str, says: str) -> Halt:
        """Raise the alarm; one that is raised already stays as it is."""
        if (now := await self.halted()) is not None:
            return now
        made = Halt(self._clock.now_ms(), coin, spender, says)
        sql = "INSERT INTO anchor_halts (at, coin, spender, says) VALUES (?, ?, ?, ?)"
        await self._database.write(Statement(sql, msgspec.structs.astuple(made)))
        return made

    async def halted(self) -> Halt | None:
        """The alarm that is raised."""
        sql = """SELECT at, coin, spender, says FROM anchor_halts
            WHERE lifted IS NULL ORDER BY seq DESC LIMIT 1"""
        rows = await self._database.read(sql)
        return Halt(*rows[0]) if rows else None

    async def lift(self) -> None:
        """Let the alarm go; what was lost with the coin is looked at anew."""
        back = """UPDATE anchors SET state = 'sent' WHERE state = 'lost' AND id IN (
            SELECT t.anchor FROM anchor_attempts AS t JOIN anchor_halts AS h ON h.coin = t.coin
            WHERE h.lifted IS NULL)"""
        sql = "UPDATE anchor_halts SET lifted = ? WHERE lifted IS NULL"
        await self._database.write(Statement(back), Statement(sql, (self._clock.now_ms(),)))

    async def _anchors(self, where: str, values: tuple[SqlValue, ...] = ()) -> tuple[Anchor, ...]:
        # One question, because each goes to a thread and back.
        sql = f"""SELECT {_BOTH} FROM (SELECT * FROM anchors {where}) AS a
            LEFT JOIN anchor_attempts AS t ON t.anchor = a.id ORDER BY a.seq, t.seq"""  # noqa: S608 - constants
        found: dict[str, dict[str, Any]] = {}
        tried: dict[str, list[Attempt]] = {}
        for row in await self._database.read(sql, values):
            own = dict(zip(_OWN, row, strict=False))
            found[own["id"]] = own
            made = dict(zip(Attempt.__struct_fields__, row[len(_OWN) :], strict=True))
            if made["txid"] is not None:
                made["dead"] = bool(made["dead"])
                tried.setdefault(own["id"], []).append(Attempt(**made))
        return tuple(
            Anchor(**own, attempts=tuple(tried.get(name, ()))) for name, own in found.items()
        )


def _own(anchor: Anchor) -> dict[str, SqlValue]:
    return {name: getattr(anchor, name) for name in _OWN}


def _row(anchor: Anchor) -> Statement:
    return Statement(_ADD, tuple(_own(anchor).values()))


def _change(anchor: Anchor) -> Statement:
    values = _own(anchor)
    known = values.pop("id")
    return Statement(_SAVE, (*values.values(), known), expect=1)


def _attempt(anchor: str, made: Attempt) -> Statement:
    values = msgspec.structs.asdict(made) | {"dead": int(made.dead)}
    return Statement(_TRY, (anchor, *values.values()))


def _parents(parents: Mapping[str, bytes]) -> list[Statement]:
    return [Statement(_PARENT, (txid, raw)) for txid, raw in parents.items()]
