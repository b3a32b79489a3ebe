"""A proof bundle checked with nothing but the bundle and a chain that the reader believes.

No store, no node, no network. What it does not show: that the log or the identity had no other
branch beyond this anchor (`hermes trust`), who holds the keys today, and when, before the
block's time, the leaf was written.
"""

import hashlib
import re
from typing import cast

import msgspec

from hermes.chain.anchored import Anchor, anchor_in, check_paid
from hermes.chain.backend import Network, Txid
from hermes.chain.bundle import Bundle, bundle_of
from hermes.chain.headers import Headers
from hermes.chain.work import sha256d, shown, time_of
from hermes.core.anchor import AnchorKind, Payload, commitment
from hermes.core.canonical import cid_of, decode, encode, unlink
from hermes.core.checkpoint import Checkpoint, Note, NoteSignature
from hermes.core.ids import Cid
from hermes.core.merkle import leaf_hash, verify_consistency, verify_inclusion
from hermes.core.message import MESSAGE_KIND, message_of
from hermes.errors import ProofInvalid
from hermes.identity.attest import Genesis
from hermes.identity.genesis import genesis_of
from hermes.identity.note import check_note, key_id

_HASH = re.compile(r"[0-9a-f]{64}")


class Content(msgspec.Struct, frozen=True):
    """The leaf's own block: its kind, and of a message who said what and when (ms UTC)."""

    kind: str
    role: str = ""
    text: str = ""
    at: int = 0
    conversation: str = ""


class Verified(msgspec.Struct, frozen=True):
    """What a bundle proves; nothing stands here that is not covered by a hash or a signature."""

    network: Network
    leaf: Cid
    index: int
    log: str
    size: int
    root: str
    nostr: str
    """The genesis Nostr key: whose log this is."""
    genesis: Cid
    soul: str
    txid: Txid
    block: str
    time: int
    """The block's time, ms UTC: the leaf existed before (miners' clocks err by up to two hours)."""
    height: int | None
    """None: the block was named by its hash alone."""
    blocks: int | None
    """How many blocks of the chain hold or bury it, its own included."""
    rests_on: str
    """The block that the reader believes: the pinned one, or where the headers begin."""
    earlier: int | None
    """The size at the anchor before, from which the log only grew; None: there was none."""
    before: str
    """Of which kind the anchor before this one is."""
    content: Content | None


def verify_bundle(data: bytes, trusted: Headers | str) -> Verified:
    """Check every part of a bundle against headers, or against a block's hash in hex.

    Raises ProofInvalid on whatever does not hold.
    """
    bundle = bundle_of(data)
    # What is cheap first: most of what is spoilt is found before a signature is checked.
    height, blocks, rests_on = place_of(bundle.header, trusted)
    leaf = _check_log(bundle)
    content = content_of(bundle.message, leaf) if bundle.message else None
    genesis = genesis_of(bundle.genesis)
    anchor = anchor_in(bundle)
    if isinstance(trusted, Headers) and trusted.network != genesis.network:
        raise ProofInvalid(
            f"the identity is of {genesis.network}, the headers are of {trusted.network}"
        )
    checkpoint = _signed(bundle, genesis)
    _check_commitments(bundle, genesis, checkpoint, anchor)
    check_paid(anchor, genesis)
    return Verified(
        network=cast("Network", genesis.network),
        leaf=leaf,
        index=bundle.index,
        log=genesis.name,
        size=checkpoint.size,
        root=checkpoint.root.hex(),
        nostr=genesis.nostr,
        genesis=genesis.cid,
        soul=genesis.soul,
        txid=anchor.transaction.txid,
        block=shown(sha256d(bundle.header)),
        time=time_of(bundle.header) * 1000,
        height=height,
        blocks=blocks,
        rests_on=rests_on,
        earlier=bundle.earlier.size if bundle.earlier else None,
        before=anchor.before.kind.name.lower(),
        content=content,
    )


def saying(found: Verified, given: bytes) -> Verified:
    """The same, once the entry says what somebody claims; raises ProofInvalid.

    `given` is the entry's own block, or the words of a message whose block the bundle holds; a
    last line break, as files have one, does not count.
    """
    if cid_of(given) == found.leaf:
        return msgspec.structs.replace(found, content=content_of(given, found.leaf))
    if found.content is None:
        raise ProofInvalid(
            "the bundle does not say what the entry holds, and what you gave is not its block",
            "words alone cannot be compared: an entry's salt stands in its block",
        )
    said = found.content.text.encode()
    if found.content.kind != MESSAGE_KIND or given not in {said, said + b"\n"}:
        raise ProofInvalid("the entry says something else than what you gave")
    return found


def _signed(bundle: Bundle, genesis: Genesis) -> Checkpoint:
    name, key = genesis.name, bytes.fromhex(genesis.log)
    told = Checkpoint(name, bundle.checkpoint.size, bundle.checkpoint.root)
    line = NoteSignature(name, key_id(name, key), bundle.signature)
    return check_note(Note(told.text, (line,)), key, name)


def _check_log(bundle: Bundle) -> Cid:
    size, root, earlier = bundle.checkpoint.size, bundle.checkpoint.root, bundle.earlier
    try:
        leaf = unlink(bundle.leaf)
        verify_inclusion(leaf_hash(bundle.leaf), bundle.index, size, bundle.inclusion, root)
        if earlier:
            verify_consistency(earlier.size, earlier.root, size, root, bundle.consistency)
    except ValueError as error:
        raise ProofInvalid(f"the log: {error}") from error
    return leaf


def _check_commitments(
    bundle: Bundle, genesis: Genesis, checkpoint: Checkpoint, anchor: Anchor
) -> None:
    if not _commits(anchor.payload, checkpoint):
        raise ProofInvalid("the anchor commits to another checkpoint than the bundle's")
    if bundle.earlier:
        told = Checkpoint(genesis.name, bundle.earlier.size, bundle.earlier.root)
        if anchor.before.kind is not AnchorKind.CHECKPOINT or not _commits(anchor.before, told):
            raise ProofInvalid("the anchor before commits to another checkpoint than the bundle's")
    elif anchor.before.kind is AnchorKind.CHECKPOINT:
        raise ProofInvalid("the bundle does not show that the log only grew since the last anchor")
    elif anchor.before.kind is AnchorKind.GENESIS and anchor.before.body != _digest(genesis):
        raise ProofInvalid("the genesis anchor is of another identity")


def _digest(genesis: Genesis) -> bytes:
    return hashlib.sha256(genesis.record.block().data).digest()


def _commits(payload: Payload, checkpoint: Checkpoint) -> bool:
    digest = commitment(checkpoint)
    match payload.kind:
        case AnchorKind.CHECKPOINT:
            return payload.body == digest
        case AnchorKind.HANDOFF:  # the old log's last checkpoint, then the handoff itself
            return payload.body[: len(digest)] == digest
        case _:
            return False


def place_of(header: bytes, trusted: Headers | str) -> tuple[int | None, int | None, str]:
    """Height, blocks from there to the tip, and what that rests on; raises ProofInvalid.

    Against a block's hash (hex) there is neither height nor depth.
    """
    if isinstance(trusted, str):
        if not _HASH.fullmatch(trusted):
            raise ProofInvalid("a block's hash is 64 hex digits in lower case")
        if shown(sha256d(header)) != trusted:
            raise ProofInvalid("the anchor lies in another block than the one that you named")
        return None, None, trusted
    trusted.check_enough()
    height = trusted.height_of(header)
    if height is None:
        raise ProofInvalid(
            f"the anchor's block is not among the headers {trusted.start} to {trusted.height}",
            "take headers that reach further: hermes anchor headers",
        )
    return height, trusted.height - height + 1, trusted.hash_at(trusted.start)


def content_of(data: bytes, leaf: Cid) -> Content:
    """What a leaf's own block says; raises ProofInvalid when it is another's."""
    if cid_of(data) != leaf:
        raise ProofInvalid("this block is not the leaf's")
    try:
        value = decode(data)
        # Two readers must not see two things in one block.
        if encode(value).data != data or not isinstance(value, dict):
            raise ProofInvalid("the leaf's block is not in canonical form")
        if value.get("t") != MESSAGE_KIND:
            return Content(str(value.get("t")))
        said = message_of(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise ProofInvalid("the leaf's block cannot be read") from error
    return Content(MESSAGE_KIND, said.role, said.text, said.at, said.conversation)
