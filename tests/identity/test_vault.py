"""The vault: opened by its passphrase alone, damage told apart, hostile files refused."""

import hashlib
import json
import os
import stat

import libipld
import msgspec
import pytest
from anyio import to_thread
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.errors import IdentityError, IdentityInvalid, IdentityMissing, PassphraseWrong, Refused
from hermes.identity.vault import Argon2Cost, ScryptCost, seal, unseal, vault_of
from hermes.identity.vault_file import (
    VaultFile,
    load_key_file,
    random_passphrase,
    save_key_file,
)

SECRET = hashlib.sha256(b"kept").digest()
PASSPHRASE = "a horse of 9 colours"
CHEAP = Argon2Cost(memory=8 * 1024, passes=1, lanes=1)
CHEAP_SCRYPT = ScryptCost(log_n=14)
VAULT = seal(SECRET, PASSPHRASE, "regtest", CHEAP)


@pytest.mark.parametrize("cost", [CHEAP, CHEAP_SCRYPT, Argon2Cost(memory=9000, passes=2, lanes=3)])
def test_the_passphrase_opens_it_and_no_other_does(cost):
    vault = vault_of(seal(SECRET, PASSPHRASE, "signet", cost).data)
    assert unseal(vault, PASSPHRASE) == SECRET
    assert vault.network == "signet"
    with pytest.raises(PassphraseWrong) as caught:
        unseal(vault, PASSPHRASE + " ")
    assert PASSPHRASE not in str(caught.value)
    assert caught.value.__cause__ is None


def test_by_default_it_costs_256_mebibytes_of_argon2id():
    vault = seal(SECRET, PASSPHRASE, "regtest")
    assert vault.cost == Argon2Cost(memory=256 * 1024, passes=3, lanes=4)
    assert ScryptCost() == ScryptCost(log_n=17, r=8, p=1)
    assert unseal(vault, PASSPHRASE) == SECRET


def test_one_passphrase_in_two_unicode_forms():
    vault = seal(SECRET, "\u212b\u1e9b\u0323", "regtest", CHEAP)
    assert unseal(vault, "\u00c5\u1e69") == SECRET


def test_nothing_of_the_secret_is_in_the_file_or_its_repr():
    for shown in (VAULT.data.decode(), repr(VAULT)):
        assert SECRET.hex() not in shown
        assert PASSPHRASE not in shown
    again = seal(SECRET, PASSPHRASE, "regtest", CHEAP)
    assert (again.salt, again.nonce, again.sealed) != (VAULT.salt, VAULT.nonce, VAULT.sealed)
    assert again.salt != VAULT.salt


def test_every_flipped_bit_is_called_damage():
    data = VAULT.data
    for place in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(IdentityInvalid, match="damaged"):
            vault_of(bytes(flipped))


def test_every_shorter_file_is_called_damage():
    data = VAULT.data.rstrip()
    for size in range(len(data)):
        with pytest.raises(IdentityInvalid, match="damaged"):
            vault_of(data[:size])


def _with(**changes):
    """A vault whose checksum fits the changes, as a thief of the file would make it."""
    whole = json.loads(VAULT.data) | changes
    head = {name: whole[name] for name in whole if name not in {"sealed", "sum"}}
    data = libipld.encode_dag_cbor(head) + bytes.fromhex(whole["sealed"])
    return json.dumps(whole | {"sum": hashlib.sha256(data).hexdigest()}).encode()


def test_changed_parameters_with_a_fitting_checksum_do_not_open():
    assert vault_of(_with()) == VAULT
    for change in (
        {"network": "main"},
        {"nonce": "00" * 12},
        {"salt": "00" * 16},
        {"cost": {"type": "argon2id", "memory": 8192, "passes": 2, "lanes": 1}},
        {"cost": {"type": "scrypt", "log_n": 14, "r": 8, "p": 1}},
        {"sealed": "00" * 48},
    ):
        with pytest.raises(PassphraseWrong):
            unseal(vault_of(_with(**change)), PASSPHRASE)


@pytest.mark.parametrize(
    "cost",
    [
        {"type": "argon2id", "memory": 100 * 1024 * 1024, "passes": 1, "lanes": 1},
        {"type": "argon2id", "memory": 8192, "passes": 1_000_000, "lanes": 1},
        {"type": "argon2id", "memory": 8192, "passes": 1, "lanes": 4096},
        {"type": "argon2id", "memory": 8, "passes": 1, "lanes": 1},
        {"type": "argon2id", "memory": -1, "passes": 1, "lanes": 1},
        {"type": "argon2id", "memory": True, "passes": 1, "lanes": 1},
        {"type": "argon2id", "memory": 8192.5, "passes": 1, "lanes": 1},
        {"type": "scrypt", "log_n": 40, "r": 8, "p": 1},
        {"type": "scrypt", "log_n": 17, "r": 1 << 30, "p": 1},
        {"type": "scrypt", "log_n": 17, "r": 8, "p": 1 << 20},
        {"type": "none"},
        {},
    ],
)
def test_a_file_that_asks_for_too_much_or_too_little_is_refused(cost):
    with pytest.raises(IdentityInvalid, match="damaged, or not a vault"):
        vault_of(_with(cost=cost))


@settings(max_examples=150)
@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=20),
        lambda inner: st.dictionaries(st.sampled_from(sorted(json.loads(VAULT.data))), inner),
        max_leaves=6,
    ).map(msgspec.json.encode)
)
def test_any_other_bytes_are_refused_with_our_error(data):
    with pytest.raises(IdentityInvalid):
        vault_of(data)


def test_a_long_or_deep_file_is_refused():
    for data in (b" " * 5000 + VAULT.data, b"[" * 4000, b'{"a":' * 800):
        with pytest.raises(IdentityInvalid):
            vault_of(data)


def test_what_cannot_be_sealed_is_refused_without_being_shown():
    for secret, passphrase, network in (
        (SECRET[:-1], PASSPHRASE, "regtest"),
        (SECRET, "", "regtest"),
        (SECRET, "\ud800 lone", "regtest"),
        (SECRET, PASSPHRASE, "moon"),
    ):
        with pytest.raises(IdentityInvalid) as caught:
            seal(secret, passphrase, network, CHEAP)
        assert "lone" not in str(caught.value)
        assert caught.value.__cause__ is None


async def test_the_file_is_private_and_written_whole(tmp_path):
    folder = tmp_path / "data" / "identity"
    file = VaultFile(folder, CHEAP)
    with pytest.raises(IdentityMissing):
        await file.open(PASSPHRASE)
    await file.create(SECRET, PASSPHRASE, "regtest")
    assert await file.open(PASSPHRASE) == (SECRET, "regtest")
    assert [one.name for one in folder.iterdir()] == ["vault.json"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "vault.json").stat().st_mode) == 0o600


async def test_what_a_killed_writer_left_goes_with_the_next(tmp_path):
    file = VaultFile(tmp_path, CHEAP)
    await file.create(SECRET, PASSPHRASE, "regtest")
    left, fresh = tmp_path / ".vault.json.k1lled", tmp_path / ".vault.json.busy"
    other = tmp_path / ".signer.json.k1lled"
    for one in (left, fresh, other):
        one.write_bytes((tmp_path / "vault.json").read_bytes())
    for one in (left, other):
        os.utime(one, (1, 1))
    await file.change(PASSPHRASE, "new")
    assert sorted(tmp_path.iterdir()) == [other, fresh, tmp_path / "vault.json"]


async def test_a_second_identity_does_not_overwrite_the_first(tmp_path):
    file = VaultFile(tmp_path, CHEAP)
    await file.create(SECRET, PASSPHRASE, "regtest")
    with pytest.raises(Refused, match=r"there is a vault\.json already"):
        await file.create(bytes(31) + b"\1", "other", "regtest")
    assert await file.open(PASSPHRASE) == (SECRET, "regtest")
    assert len(list(tmp_path.iterdir())) == 1


async def test_the_passphrase_is_changed(tmp_path):
    file = VaultFile(tmp_path, CHEAP)
    await file.create(SECRET, PASSPHRASE, "regtest")
    before = (tmp_path / "vault.json").read_bytes()
    with pytest.raises(PassphraseWrong):
        await file.change("wrong", "new")
    with pytest.raises(IdentityInvalid, match="empty"):
        await file.change(PASSPHRASE, "")
    assert (tmp_path / "vault.json").read_bytes() == before
    await file.change(PASSPHRASE, "new")
    assert await file.open("new") == (SECRET, "regtest")
    with pytest.raises(PassphraseWrong):
        await file.open(PASSPHRASE)


async def test_damage_on_the_disk_is_not_a_wrong_passphrase(tmp_path):
    file = VaultFile(tmp_path, CHEAP)
    await file.create(SECRET, PASSPHRASE, "regtest")
    data = (tmp_path / "vault.json").read_bytes()
    (tmp_path / "vault.json").write_bytes(data.replace(b"regtest", b"testnet"))
    with pytest.raises(IdentityInvalid, match="damaged"):
        await file.open(PASSPHRASE)


async def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "identity").write_text("a file where a folder must be")
    with pytest.raises(IdentityError, match="cannot be written"):
        await VaultFile(tmp_path / "identity", CHEAP).create(SECRET, PASSPHRASE, "regtest")


async def test_an_unattended_node_keeps_the_passphrase_not_the_secret(tmp_path):
    passphrase = random_passphrase()
    assert len(passphrase) >= 43
    await VaultFile(tmp_path, CHEAP).create(SECRET, passphrase, "regtest")
    await to_thread.run_sync(save_key_file, tmp_path, passphrase)
    assert stat.S_IMODE((tmp_path / "unlocked.key").stat().st_mode) == 0o600
    kept = await to_thread.run_sync(load_key_file, tmp_path)
    assert await VaultFile(tmp_path).open(kept) == (SECRET, "regtest")
    assert SECRET.hex() not in (tmp_path / "unlocked.key").read_text()


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    with pytest.raises(IdentityMissing):
        load_key_file(tmp_path)
    save_key_file(tmp_path, "x")
    for mode in (0o640, 0o604, 0o620):
        (tmp_path / "unlocked.key").chmod(mode)
        with pytest.raises(IdentityInvalid, match="others can read"):
            load_key_file(tmp_path)
    (tmp_path / "unlocked.key").chmod(0o600)
    assert load_key_file(tmp_path) == "x"
    if os.geteuid() == 0:
        os.chown(tmp_path / "unlocked.key", 12345, -1)
        with pytest.raises(IdentityInvalid, match="others can read"):
            load_key_file(tmp_path)
