"""What each kind of move of the coin commits to."""

import hashlib

from hermes.core.anchor import AnchorKind, Payload, commitment
from hermes.core.attestation import Attestation
from hermes.core.checkpoint import checkpoint_in
from hermes.identity.attest import Genesis


def genesis_payload(genesis: Genesis) -> Payload:
    """The first anchor of an identity, and a recovery to it: the digest of its record's block."""
    return Payload(AnchorKind.GENESIS, hashlib.sha256(genesis.record.block().data).digest())


def checkpoint_payload(note: str) -> Payload:
    """An anchor of a signed checkpoint."""
    return Payload(AnchorKind.CHECKPOINT, commitment(checkpoint_in(note)))


def handoff_payload(record: Attestation) -> Payload:
    """A handoff: the old log's checkpoint and the record."""
    checkpoint = str(record.fields["checkpoint"]).encode()
    digests = hashlib.sha256(checkpoint).digest() + hashlib.sha256(record.block().data).digest()
    return Payload(AnchorKind.HANDOFF, digests)
