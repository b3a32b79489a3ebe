"""The statements that go along with a lineage: souls, members, revocations, each by whose key.

Signatures, and the order in which one instance attested its souls. A statement that was left
out at the end is not missed: ask the node for the newest.
"""

from collections import defaultdict
from collections.abc import Sequence

from hermes.core.attestation import Attestation, attestation_of
from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis
from hermes.identity.statements import (
    MEMBER,
    REVOKED,
    SOUL,
    Soul,
    check_member,
    check_revoked,
    check_soul,
)

_SIGN = ("attest", "owner")
_OF_OWNER = {MEMBER: check_member, REVOKED: check_revoked}


class Statements:
    """Takes statements of some identities, in the order of their making."""

    def __init__(self, identities: Sequence[Genesis]) -> None:
        # The newest: an owner's key from outside may stand in several records.
        self._by = {(role, getattr(one, role)): one for one in identities for role in _SIGN}
        self._souls: dict[str, list[Soul]] = defaultdict(list)
        self._fleet: dict[str, list[Attestation]] = defaultdict(list)
        self._newest: dict[str, str] = {}
        self._seen: set[str] = set()

    def take(self, block: bytes) -> None:
        """One statement more; raises ProofInvalid."""
        try:
            statement = attestation_of(block)
        except (ValueError, TypeError, RecursionError) as error:
            raise ProofInvalid("not a statement") from error
        cid = statement.block().cid
        if cid in self._seen:
            raise ProofInvalid("a statement is there twice")
        self._seen.add(cid)
        self._file(statement)

    def of(self, genesis: str) -> tuple[tuple[Soul, ...], tuple[Attestation, ...]]:
        """What one identity stated: its souls, and its owner's words on the fleet."""
        return tuple(self._souls[genesis]), tuple(self._fleet[genesis])

    def _file(self, statement: Attestation) -> None:
        match statement.kind:
            case kind if kind == SOUL:
                who = self._who("attest", statement.by)
                soul = check_soul(statement, who)
                if soul.previous != self._newest.get(who.cid, ""):
                    raise ProofInvalid("a soul's attestation does not follow the one before")
                self._newest[who.cid] = statement.block().cid
                self._souls[who.cid].append(soul)
            case kind if kind in _OF_OWNER:
                who = self._who("owner", statement.by)
                _OF_OWNER[kind](statement, who.owner)
                self._fleet[who.cid].append(statement)
            case _:
                raise ProofInvalid("a statement of a kind that has no place in a lineage")

    def _who(self, role: str, key: str) -> Genesis:
        if (found := self._by.get((role, key))) is None:
            raise ProofInvalid("a statement by a key that no record of the lineage names")
        return found
