"""One node as the witness of another's log: what is held of it, and what a new note makes of that.

Pure: no store, no key. A fault here is about what the log's own key signed, so that nobody else
can be blamed by it. Does not see a log that shows everybody the same made-up entries.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from hermes.core.checkpoint import Checkpoint, checkpoint_in, note_of
from hermes.core.merkle import verify_consistency
from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis
from hermes.identity.cosignature import check_cosignature
from hermes.identity.genesis import genesis_of
from hermes.identity.note import check_note

FaultKind = Literal["split", "inconsistent", "shortened", "refounded"]
SAYS: dict[FaultKind, str] = {
    "split": "it signed two different logs of {0} entries",
    "inconsistent": "its log of {1} entries is not a continuation of the one of {0} it signed",
    "shortened": "it now shows a log of {1} entries, and had signed one of {0}",
    "refounded": "it has two genesis records",
}


class Held(msgspec.Struct, frozen=True):
    """The newest note of a log that grew as it should; `issued` ms: when its author sent it."""

    note: str
    issued: int = 0

    @property
    def checkpoint(self) -> Checkpoint:
        """What it says; it was checked when it was taken."""
        return checkpoint_in(self.note)


class Taken(msgspec.Struct, frozen=True):
    """It grew, or stayed: this is held from now on."""

    held: Held


class Elsewhere(msgspec.Struct, frozen=True):
    """The proof begins elsewhere: it has to begin with the note that is held ("": with none)."""

    size: int
    note: str = ""


class Old(msgspec.Struct, frozen=True):
    """A letter that was overtaken by a newer one: nothing follows from it."""


class Fault(msgspec.Struct, frozen=True):
    """Two notes by one key that cannot both be of one log; `kind` says how.

    Of `refounded` they are the blocks of two genesis records, in hex.
    """

    kind: FaultKind
    first: str
    second: str

    @property
    def says(self) -> str:
        """In a person's words."""
        if self.kind == "refounded":
            return SAYS[self.kind]
        sizes = [checkpoint_in(one).size for one in (self.first, self.second)]
        return SAYS[self.kind].format(*sizes)


Verdict = Taken | Elsewhere | Old | Fault


def signed_checkpoint(note: str, genesis: Genesis) -> Checkpoint:
    """What an instance's log key signed; raises ProofInvalid."""
    try:
        parsed = note_of(note)
    except ValueError as error:
        raise ProofInvalid(f"not a signed note: {error}") from error
    return check_note(parsed, bytes.fromhex(genesis.log), genesis.name)


def judge(held: Held | None, new: Held, old: int, path: Sequence[bytes]) -> Verdict:
    """What follows from a note that its log's owner presents as the newest.

    `new` was checked for its signature; `path` is said to lead from the log of `old` entries.
    """
    now = new.checkpoint
    if held is None:
        return Taken(new) if old == 0 and not path else Elsewhere(0)
    before = held.checkpoint
    if now.size == before.size:
        if now.root != before.root:
            return Fault("split", held.note, new.note)
        return Taken(msgspec.structs.replace(new, issued=max(held.issued, new.issued)))
    if now.size < before.size:
        # What was sent before the longer one, and came after it, says nothing.
        later = held.issued < new.issued
        return Fault("shortened", held.note, new.note) if later else Old()
    if old != before.size:
        return Elsewhere(before.size, held.note)
    return Taken(new) if grew(before, now, path) else Fault("inconsistent", held.note, new.note)


def compare(held: Held, other: str) -> Verdict | None:
    """What follows from a note that somebody else saw of the same log; None: a proof is wanted."""
    here, there = held.checkpoint, checkpoint_in(other)
    if here.size != there.size:
        return None
    return Old() if here.root == there.root else Fault("split", held.note, other)


def grew(before: Checkpoint, now: Checkpoint, path: Sequence[bytes]) -> bool:
    """Whether a proof shows that one log is the start of the other."""
    try:
        verify_consistency(before.size, before.root, now.size, now.root, path)
    except ValueError:
        return False
    return True


def cosigner_of(note: str, line: str, genesis: str) -> tuple[str, int]:
    """Who cosigned a note by this line, and when (POSIX seconds); raises ProofInvalid.

    `genesis` is the block of the cosigner's genesis record, in hex.
    """
    witness = genesis_of(bytes.fromhex(genesis))
    text = note_of(note).text
    try:
        (found,) = note_of(f"{text}\n{line}").signatures
    except ValueError as error:
        raise ProofInvalid("not one signature line") from error
    at_s = check_cosignature(text, found, bytes.fromhex(witness.log), witness.name)
    return witness.name, at_s
