"""The versions that ran here, in order, each with two words: of the one before, and its own.

Both are statements of the one identity, made by different processes. What is shown here was
checked against its keys; it does not show what ran on a machine that somebody else controls.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from hermes.core.attestation import Attestation, attestation_of
from hermes.core.event import Json
from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis
from hermes.identity.gate_statements import check_adoption, check_taken
from hermes.store.acts import Act
from hermes.store.adoptions import AdoptionRow
from hermes.store.store import Store
from hermes.successor.records import ADOPTION_KIND, TAKEN_KIND

Stands = Literal["signed", "not signed", "missing", "wrong"]
"""`not signed`: made where there was no identity. `wrong`: not by these keys, or of other files."""

_SAME = ("tag", "version", "tree")


class Hand(msgspec.Struct, frozen=True):
    """One version's word: its block, when it was given (ms UTC), and whether it holds."""

    cid: str = ""
    at: int = 0
    stands: Stands = "missing"


class Generation(msgspec.Struct, frozen=True):
    """A version: `named` is the word of the version before, `taken` its own.

    `previous` "": the installed code. `outcome` None: it is on its way, or on probation.
    """

    tag: str
    version: str
    tree: str
    previous: str
    candidate: str
    verdict: str
    named: Hand
    taken: Hand
    outcome: str | None
    ended: int | None


async def generations(store: Store, genesis: Genesis | None) -> tuple[Generation, ...]:
    """Every version that was adopted here, oldest first; `genesis`: whose words are asked for."""
    named = {act.cid: act for act in await store.acts.list(ADOPTION_KIND)}
    # A version says it once: of several words the first counts.
    taken = {act.subject: act for act in reversed(await store.acts.list(TAKEN_KIND))}
    return tuple(
        Generation(
            row.tag, row.version, row.tree, row.previous, row.candidate, row.verdict,
            _hand(named.get(row.cid), row, genesis, _named), _hand(
                taken.get(row.cid), row, genesis, _taken
            ),
            row.outcome, row.ended,
        )
        for row in await store.adoptions.list()
    )  # fmt: skip


async def told(store: Store, genesis: Genesis | None) -> list[Json]:
    """The same as JSON data."""
    return [msgspec.to_builtins(one) for one in await generations(store, genesis)]


Check = Callable[[Attestation, Genesis, AdoptionRow], bool]


def _hand(act: Act | None, row: AdoptionRow, genesis: Genesis | None, holds: Check) -> Hand:
    if act is None:
        return Hand()
    try:
        statement = attestation_of(act.data)
    except ValueError:
        return Hand(act.cid, act.at, "wrong")
    at = statement.fields.get("at")
    moment = at if isinstance(at, int) else act.at
    same = all(statement.fields.get(name) == getattr(row, name) for name in _SAME)
    if not statement.by and same:
        return Hand(act.cid, moment, "not signed")
    try:
        held = same and genesis is not None and holds(statement, genesis, row)
    except ProofInvalid:
        held = False
    return Hand(act.cid, moment, "signed" if held else "wrong")


def _named(statement: Attestation, genesis: Genesis, row: AdoptionRow) -> bool:
    return check_adoption(statement, genesis).previous == row.previous


def _taken(statement: Attestation, genesis: Genesis, row: AdoptionRow) -> bool:
    return check_taken(statement, genesis).adoption == row.cid
