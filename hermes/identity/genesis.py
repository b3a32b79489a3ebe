"""Making an identity's genesis record, keeping it, and knowing it again after a restore."""

from pathlib import Path

import msgspec

from hermes.core.attestation import Attestation, attestation_of
from hermes.core.canonical import Value
from hermes.errors import IdentityInvalid, IdentityMissing, ProofInvalid, Refused
from hermes.identity.attest import GENESIS, Genesis, check_genesis, coin_message, make
from hermes.identity.bip322 import sign
from hermes.identity.keys import Keys
from hermes.identity.whole import read_whole, write_whole

_FILE = "genesis.cbor"
_LONGEST = 4096


def found(
    keys: Keys,
    soul: str,
    at: int,
    recovery: tuple[str, int] = ("", 0),
    parent: str = "",
    owner: str = "",
) -> Genesis:
    """Make the record, signed by the Nostr key and by the coin key.

    `soul` is the SHA-256 of SOUL.md in hex, `at` ms UTC, `recovery` a compressed key from
    outside and the blocks after which it may act, `owner` an owner's key from outside (x-only).
    Raises ProofInvalid when a part is malformed.
    """
    roles = keys.roles
    fields: dict[str, Value] = {
        "network": keys.network,
        "soul": soul,
        "attest": roles.attest,
        "log": roles.log,
        "coin": roles.coin,
        "owner": owner or roles.owner,
        "recovery": recovery[0],
        "recovery_after": recovery[1],
        "at": at,
        "parent": parent,
    }
    message = coin_message(Attestation(GENESIS, roles.nostr, fields))
    fields["bip322"] = sign(bytes.fromhex(roles.coin), message, keys.sign_ecdsa)
    return check_genesis(make(keys, "nostr", GENESIS, fields))


def save_genesis(folder: Path, genesis: Genesis) -> None:
    """Keep the record's block in the identity's folder; blocks on the disk.

    Raises Refused when another one is there: a signature cannot be made the same again.
    """
    path, data = folder / _FILE, genesis.record.block().data
    try:
        write_whole(path, data, replace=False)
    except Refused:
        if path.read_bytes() != data:
            raise


def load_genesis(folder: Path) -> Genesis:
    """Read and check the record; raises IdentityMissing, ProofInvalid; blocks on the disk."""
    try:
        data = read_whole(folder / _FILE, _LONGEST + 1)
    except FileNotFoundError as error:
        raise IdentityMissing("there is no identity yet", "run: hermes identity init") from error
    except OSError as error:
        raise IdentityInvalid(f"{_FILE} cannot be read: {error.strerror}") from error
    return genesis_of(data)


def genesis_of(data: bytes) -> Genesis:
    """Read and check a record's block from anywhere; raises ProofInvalid."""
    if len(data) > _LONGEST:
        raise ProofInvalid("a genesis record of more than 4 kB")
    try:
        attestation = attestation_of(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise ProofInvalid("not the block of a genesis record") from error
    return check_genesis(attestation)


def check_keys(keys: Keys, genesis: Genesis) -> None:
    """Refuse keys that are not the record's; raises IdentityInvalid."""
    if keys.network != genesis.network:
        raise IdentityInvalid(f"the record is of {genesis.network}, the keys are not")
    # The owner's key may be from outside: it signs members elsewhere.
    if msgspec.structs.replace(keys.roles, owner=genesis.owner) != genesis.roles:
        raise IdentityInvalid("the secret is of another identity than the genesis record")
