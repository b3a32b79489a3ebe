"""Who cosigned this log, what was seen of members' logs, and the evidence against any: a query.

Everything shown is checked again: a row that somebody changed in the store shows as not holding.
"""

from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType

import anyio.to_thread

from hermes.core.checkpoint import checkpoint_in
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import ProofInvalid
from hermes.load import load
from hermes.node.desk import Query
from hermes.store.store import Store
from hermes.store.witness import Cosignature, Evidence, SeenLog


class Witnesses:
    """The query `log.witnesses`; needs no mesh and no identity."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {"log.witnesses": self.witnesses}

    async def witnesses(self) -> Json:
        """The newest checkpoint with its cosignatures; others' logs; faults."""
        book, notes = self._store.witness, self._store.checkpoints
        note = await notes.latest()
        size = checkpoint_in(note).size if note else 0
        seen = {one.node: one for one in await book.all_seen()}
        heavy = await anyio.to_thread.run_sync(load, "witness")
        rows: list[Json] = []
        newest: list[str] = []
        for one in await book.newest():
            signed = await notes.at(one.size)
            row = await anyio.to_thread.run_sync(_row, heavy, one, signed, seen.get(one.node))
            rows.append(row)
            if one.size == size and row["holds"]:
                newest.append(one.line)
        return {
            "size": size,
            "note": note and note + "".join(newest),
            "cosigned": rows,
            "seen": [_seen(one) for one in seen.values()],
            "faults": [_fault(heavy, one) for one in await book.faults()],
        }


def _row(heavy: ModuleType, one: Cosignature, note: str | None, witness: SeenLog | None) -> Json:
    name, at = "", 0
    if note is not None and witness is not None:
        with suppress(ProofInvalid):  # then it is told as not holding
            name, at = heavy.cosigner_of(note, one.line, witness.genesis)
    moment = rfc3339(at * 1000) if name else rfc3339(one.at)
    return {"node": one.node, "name": name, "size": one.size, "at": moment, "holds": bool(name)}


def _seen(one: SeenLog) -> dict[str, Json]:
    if not one.note:
        return {"node": one.node, "log": "", "size": None, "root": "", "note": "", "at": ""}
    found = checkpoint_in(one.note)
    return {
        "node": one.node,
        "log": found.origin,
        "size": found.size,
        "root": found.root.hex(),
        "note": one.note,
        "at": rfc3339(one.at),
    }


def _fault(heavy: ModuleType, one: Evidence) -> Json:
    says = heavy.Fault(one.kind, one.first, one.second).says
    over = rfc3339(one.over) if one.over else ""
    return {**one._asdict(), "says": says, "at": rfc3339(one.at), "over": over}
