"""The genesis record: two signatures, all keys different, known again after a restore."""

import hashlib
import itertools

import msgspec
import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.attestation import Attestation, attestation_of
from hermes.core.canonical import cid_of
from hermes.errors import IdentityInvalid, IdentityMissing, ProofInvalid, Refused
from hermes.identity import bip322
from hermes.identity.attest import GENESIS, check, check_genesis, coin_message
from hermes.identity.entropy import Devices, gather
from hermes.identity.genesis import check_keys, found, genesis_of, load_genesis, save_genesis
from hermes.identity.keys import Keys
from hermes.identity.shares import join, split
from hermes.identity.vault import Argon2Cost
from hermes.identity.vault_file import VaultFile
from hermes.identity.words import secret_of, words_of

SOUL = hashlib.sha256(b"# SOUL").hexdigest()
KEYS = Keys.from_secret(b"\x31" * 32, "regtest")
GUARDIAN = PrivateKey(b"\x44" * 32).public_key.format().hex()
RECORD = found(KEYS, SOUL, 1_790_000_000_000)
BLOCK = RECORD.record.block()


class Forger:
    """Whoever holds two keys and signs whatever it likes with them."""

    def __init__(self, nostr=b"\x01" * 32, coin=b"\x02" * 32):
        self.nostr, self.coin = PrivateKey(nostr), PrivateKey(coin)

    def record(self, **changes):
        by = self.nostr.public_key_xonly.format().hex()
        public = self.coin.public_key.format()
        kept = {name: RECORD.record.fields[name] for name in RECORD.record.fields}
        fields = kept | {"coin": public.hex()} | changes
        fields = {name: value for name, value in fields.items() if value is not ...}
        fields.pop("bip322")
        message = coin_message(Attestation(GENESIS, by, fields))
        made = bip322.sign(public, message, lambda digest: self.coin.sign(digest, hasher=None))
        unsigned = Attestation(GENESIS, by, fields | {"bip322": made})
        return unsigned.signed(self.nostr.sign_schnorr(unsigned.digest))


def test_a_record_says_who_this_is():
    read = genesis_of(BLOCK.data)
    assert read == RECORD
    assert read.cid == cid_of(BLOCK.data)
    assert read.roles == KEYS.roles
    assert (read.network, read.soul, read.parent) == ("regtest", SOUL, "")
    assert read.name == KEYS.name
    assert check_genesis(Forger().record()).attest == KEYS.roles.attest


def test_a_successor_with_recovery():
    made = found(KEYS, SOUL, 5, (GUARDIAN, 4320), RECORD.cid)
    assert (made.recovery, made.recovery_after, made.parent) == (GUARDIAN, 4320, RECORD.cid)
    assert genesis_of(made.record.block().data) == made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": "moon"}, "no Bitcoin network"),
        ({"network": 1}, "Expected `str`"),
        ({"soul": SOUL.upper()}, "a genesis record"),
        ({"soul": SOUL + "\n"}, "a genesis record"),
        ({"soul": SOUL[:-2]}, "a genesis record"),
        ({"attest": "00" * 32}, "not on the curve"),
        ({"owner": "ff" * 32}, "not on the curve"),
        ({"recovery": "02" + "00" * 32, "recovery_after": 9}, "not on the curve"),
        ({"recovery": GUARDIAN}, "without a delay"),
        ({"recovery_after": 10}, "without a delay"),
        ({"recovery": GUARDIAN, "recovery_after": 65_536}, "a genesis record"),
        ({"recovery": GUARDIAN[2:], "recovery_after": 1}, "a genesis record"),
        ({"recovery_after": -1}, "a genesis record"),
        ({"at": -1}, "a genesis record"),
        ({"at": True}, "Expected `int`"),
        ({"at": 253_402_300_800_000}, "a genesis record"),
        ({"parent": "bafyrei" + "7" * 52}, "no CID"),
        ({"parent": "x"}, "a genesis record"),
        ({"more": "field"}, "unknown field"),
        ({"log": ...}, "missing required field"),
        ({"log": "01" + "00" * 31}, "anybody can sign"),
        ({"log": "ee" + "ff" * 30 + "7f"}, "anybody can sign"),
    ],
)
def test_a_malformed_record_is_refused_though_well_signed(changes, reason):
    forged = Forger().record(**changes)
    check(forged)
    with pytest.raises(ProofInvalid, match=reason):
        check_genesis(forged)


def test_no_two_roles_share_a_key():
    """Every pair, by the x coordinate: a compressed key and an x-only one may be the same."""
    forger = Forger()
    nostr = forger.nostr.public_key_xonly.format().hex()
    coin = forger.coin.public_key.format().hex()
    own = KEYS.roles
    x_only = {"nostr": nostr, "coin": coin[2:], "attest": own.attest, "owner": own.owner}
    pairs = 0
    for role, other in itertools.permutations(["nostr", "coin", "attest", "owner", "log"], 2):
        if role in {"attest", "owner", "log"} and other in x_only:
            with pytest.raises(ProofInvalid, match="share one key"):
                check_genesis(forger.record(**{role: x_only[other]}))
            pairs += 1
    for other in x_only.values():
        for parity in ("02", "03"):
            with pytest.raises(ProofInvalid, match="share one key"):
                check_genesis(forger.record(recovery=parity + other, recovery_after=1))
    one = Forger(b"\x05" * 32, b"\x05" * 32)
    with pytest.raises(ProofInvalid, match="share one key"):
        check_genesis(one.record())
    assert pairs == 10


def test_the_coin_key_signs_for_this_nostr_key_only():
    """Nobody may claim another's coin, and its lineage, by copying its signature."""
    thief = PrivateKey(b"\x09" * 32)
    by = thief.public_key_xonly.format().hex()
    claimed = Attestation(GENESIS, by, RECORD.record.fields)
    with pytest.raises(ProofInvalid, match="BIP-322: the signature does not hold"):
        check_genesis(claimed.signed(thief.sign_schnorr(claimed.digest)))


def test_another_coins_signature_is_refused():
    forged = Forger().record(coin=KEYS.roles.coin)
    with pytest.raises(ProofInvalid, match="another address"):
        check_genesis(forged)


def test_an_unsigned_or_missigned_record_is_refused():
    record = RECORD.record
    for signature in ("", "00" * 64, record.signature.upper(), record.signature + "00"):
        with pytest.raises(ProofInvalid):
            check_genesis(msgspec.structs.replace(record, signature=signature))
    with pytest.raises(ProofInvalid, match="not a genesis"):
        check_genesis(msgspec.structs.replace(record, kind="hermes/soul/1"))


def test_every_flipped_bit_is_refused():
    for place in range(len(BLOCK.data) * 8):
        flipped = bytearray(BLOCK.data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ProofInvalid):
            genesis_of(bytes(flipped))


@given(st.binary(max_size=300), st.integers(0, len(BLOCK.data)))
def test_any_other_bytes_are_refused(data, kept):
    for other in (data, BLOCK.data[:kept] + data):
        if other != BLOCK.data:
            with pytest.raises(ProofInvalid):
                genesis_of(other)


def test_long_and_deep_blocks_are_refused():
    for data in (bytes(5000), b"\x81" * 4000, b"\xa1\x61a" * 1300, BLOCK.data + b"\0"):
        with pytest.raises(ProofInvalid):
            genesis_of(data)


def test_fields_cannot_overlay_key_or_signature():
    for name in ("t", "by", "sig"):
        forged = msgspec.structs.replace(RECORD.record, fields={**RECORD.record.fields, name: "x"})
        with pytest.raises(ProofInvalid, match="overlay"):
            check(forged)


def test_the_record_is_kept_and_never_replaced(tmp_path):
    with pytest.raises(IdentityMissing):
        load_genesis(tmp_path)
    save_genesis(tmp_path, RECORD)
    save_genesis(tmp_path, RECORD)
    with pytest.raises(Refused, match=r"genesis\.cbor already"):
        save_genesis(tmp_path, found(Keys.from_secret(b"\x32" * 32, "regtest"), SOUL, 1))
    assert load_genesis(tmp_path) == RECORD
    (tmp_path / "genesis.cbor").write_bytes(BLOCK.data[:-1])
    with pytest.raises(ProofInvalid):
        load_genesis(tmp_path)


def test_keys_of_another_identity_are_refused():
    check_keys(KEYS, RECORD)
    with pytest.raises(IdentityInvalid, match="of another identity"):
        check_keys(Keys.from_secret(b"\x32" * 32, "regtest"), RECORD)
    with pytest.raises(IdentityInvalid, match="regtest"):
        check_keys(Keys.from_secret(b"\x31" * 32, "main"), RECORD)


async def test_an_identity_is_restored_elsewhere_from_words_or_shares(tmp_path):
    soul = b"# SOUL\nI am.\n"
    digest = hashlib.sha256(soul).hexdigest()
    made = await gather(soul, "regtest", (), Devices(tmp_path / "no", tmp_path / "none"))
    keys = Keys.from_secret(made.secret, "regtest")
    genesis = found(keys, digest, 1)
    paper, guardians = words_of(made.secret), split(made.secret, 3, 5)
    elsewhere = VaultFile(tmp_path / "elsewhere", Argon2Cost(memory=8192, passes=1, lanes=1))
    assert join([guardians[4], guardians[0], guardians[2]]) == made.secret
    await elsewhere.create(secret_of(" ".join(paper)), "a new passphrase", "regtest")
    secret, network = await elsewhere.open("a new passphrase")
    restored = Keys.from_secret(secret, network)
    assert restored.roles == keys.roles
    # The public record comes back from any copy: its keys are this secret's.
    check_keys(restored, genesis_of(genesis.record.block().data))
    assert restored.mac(b"signer") == keys.mac(b"signer")
    wrong = list(paper)
    wrong[0], wrong[1] = wrong[1], wrong[0]
    if wrong != list(paper):
        with pytest.raises(IdentityInvalid):
            check_keys(Keys.from_secret(secret_of(" ".join(wrong)), "regtest"), genesis)


def test_a_block_of_another_kind_is_read_back_but_not_taken():
    other = Attestation("hermes/soul/1", KEYS.roles.attest, {"soul": SOUL})
    signed = other.signed(KEYS.sign_schnorr("attest", other.digest))
    assert attestation_of(signed.block().data) == signed
    with pytest.raises(ProofInvalid, match="not a genesis record"):
        genesis_of(signed.block().data)
