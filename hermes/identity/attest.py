"""Whether a signed statement holds: its BIP-340 signature, and a genesis record's two.

Fail closed: whatever is not exactly of the form is refused. Says nothing of when a statement
was made, and nothing of whether its key was still the owner's alone.
"""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from coincurve import PublicKey, PublicKeyXOnly

from hermes.core.attestation import Attestation
from hermes.core.canonical import Value, link
from hermes.core.ids import Cid
from hermes.errors import ProofInvalid
from hermes.identity.bip322 import script_of, verify
from hermes.identity.keys import NETWORKS, Keys, Role
from hermes.identity.note import check_key, log_name
from hermes.identity.roles import Roles

GENESIS = "hermes/genesis/1"
Hex32 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Compressed = Annotated[str, msgspec.Meta(pattern=r"\A0[23][0-9a-f]{64}\Z")]
Moment = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800_000)]
"""ms UTC before the year 10000: what lies beyond has no date to show."""
CidText = Annotated[str, msgspec.Meta(pattern=r"\Abafyrei[a-z2-7]{52}\Z")]
_NoneOr = Annotated[str, msgspec.Meta(pattern=r"\A(0[23][0-9a-f]{64})?\Z")]
_Parent = Annotated[str, msgspec.Meta(pattern=r"\A(bafyrei[a-z2-7]{52})?\Z")]
_KIND = re.compile(r"hermes/[a-z]{1,32}/[1-9][0-9]?")
_HEX32 = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_OWN = frozenset({"t", "by", "sig"})
_SIGNED = "bip322"


class _Fields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    network: str
    soul: Hex32
    attest: Hex32
    log: Hex32
    coin: Compressed
    owner: Hex32
    recovery: _NoneOr
    recovery_after: Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
    at: Moment
    parent: _Parent
    bip322: Annotated[str, msgspec.Meta(max_length=256)]


class Genesis(msgspec.Struct, frozen=True):
    """A genesis record that held: who this instance is, by which keys.

    `soul` is the SHA-256 of the genesis SOUL.md; `recovery` (compressed, or "") may take the
    continuity coin `recovery_after` blocks after its last move; `parent` is the predecessor's
    genesis or "".
    """

    cid: Cid
    nostr: str
    network: str
    soul: str
    attest: str
    log: str
    coin: str
    owner: str
    recovery: str
    recovery_after: int
    at: int
    parent: str
    record: Attestation

    @property
    def roles(self) -> Roles:
        """The public keys."""
        return Roles(self.owner, self.nostr, self.attest, self.coin, self.log)

    @property
    def name(self) -> str:
        """The origin of this instance's log."""
        return log_name(self.nostr)


def make(keys: Keys, role: Role, kind: str, fields: Mapping[str, Value]) -> Attestation:
    """Sign a statement; raises ProofInvalid when it has a form that nobody would accept."""
    public: str = getattr(keys.roles, role)
    unsigned = Attestation(kind, public, fields)
    made = unsigned.signed(keys.sign_schnorr(role, _digest(unsigned)))
    check(made)
    return made


def check(attestation: Attestation) -> None:
    """Check the BIP-340 signature and the sizes around it; raises ProofInvalid."""
    digest = _digest(attestation)
    if not _SIGNATURE.fullmatch(attestation.signature):
        raise ProofInvalid("a statement is unsigned, or its signature is not 64 bytes in hex")
    try:
        public = PublicKeyXOnly(bytes.fromhex(attestation.by))
        holds = public.verify(bytes.fromhex(attestation.signature), digest)
    except ValueError as error:
        raise ProofInvalid("the key of a statement is not on the curve") from error
    if not holds:
        raise ProofInvalid(f"the signature of a statement {attestation.kind} does not hold")


def check_genesis(attestation: Attestation) -> Genesis:
    """Check a genesis record: form, both signatures, all keys different; raises ProofInvalid."""
    if attestation.kind != GENESIS:
        raise ProofInvalid("not a genesis record")
    check(attestation)
    try:
        fields = msgspec.convert(dict(attestation.fields), _Fields)
    except msgspec.ValidationError as error:
        raise ProofInvalid(f"a genesis record: {error}") from error
    if fields.network not in NETWORKS:
        raise ProofInvalid("a genesis record names no Bitcoin network")
    if bool(fields.recovery) != bool(fields.recovery_after):
        raise ProofInvalid("a genesis record has a recovery key without a delay, or a delay only")
    _check_parent(fields.parent)
    _check_keys(attestation.by, fields)
    coin = bytes.fromhex(fields.coin)
    verify(script_of(coin), coin_message(attestation), fields.bip322)
    known = {name: getattr(fields, name) for name in _Fields.__struct_fields__ if name != _SIGNED}
    return Genesis(cid=attestation.block().cid, nostr=attestation.by, record=attestation, **known)


def coin_message(genesis: Attestation) -> bytes:
    """What the coin key signs: the record with its Nostr key, without this very signature."""
    fields = {name: value for name, value in genesis.fields.items() if name != _SIGNED}
    return b"hermes genesis " + Attestation(genesis.kind, genesis.by, fields).digest.hex().encode()


def _digest(attestation: Attestation) -> bytes:
    if not _KIND.fullmatch(attestation.kind) or not _HEX32.fullmatch(attestation.by):
        raise ProofInvalid("a statement's kind or key is malformed")
    if _OWN & attestation.fields.keys():
        raise ProofInvalid("a statement's fields overlay its kind, key or signature")
    try:
        return attestation.digest
    except (TypeError, ValueError, RecursionError) as error:
        raise ProofInvalid("a statement has no canonical form") from error


def _check_parent(parent: str) -> None:
    try:
        if parent:
            link(Cid(parent))
    except ValueError as error:
        raise ProofInvalid("a genesis record's parent is no CID") from error


def _check_keys(nostr: str, fields: _Fields) -> None:
    compressed = [fields.coin, fields.recovery] if fields.recovery else [fields.coin]
    try:
        for key in (fields.attest, fields.owner):
            PublicKeyXOnly(bytes.fromhex(key))
        for key in compressed:
            PublicKey(bytes.fromhex(key))
    except ValueError as error:
        raise ProofInvalid("a genesis record has a key that is not on the curve") from error
    check_key(bytes.fromhex(fields.log))
    # One secret behind two roles shows as one x coordinate, whatever the parity.
    every = [nostr, fields.attest, fields.owner, fields.log, *(key[2:] for key in compressed)]
    if len(set(every)) != len(every):
        raise ProofInvalid("two roles of a genesis record share one key")
