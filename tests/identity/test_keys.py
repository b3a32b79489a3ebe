"""Keys: derived as written down, signing as asked, shown to nobody."""

import copy
import hashlib
import hmac
import pickle
import traceback

import pytest
from coincurve import PrivateKey, PublicKey, PublicKeyXOnly
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hermes.errors import IdentityInvalid
from hermes.identity.keys import Keys
from hermes.identity.roles import Roles
from hermes.identity.words import words_of

SECRET = hashlib.sha256(b"the secret of these tests").digest()
DIGEST = hashlib.sha256(b"said").digest()
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BIP340_ROLES = ("owner", "nostr", "attest")


def _hardened(words, path):
    """BIP-39 and BIP-32 by hand, to have a second opinion."""
    seed = hashlib.pbkdf2_hmac("sha512", words.encode(), b"mnemonic", 2048)
    node = hmac.digest(b"Bitcoin seed", seed, "sha512")
    for index in path:
        data = b"\0" + node[:32] + (index + 2**31).to_bytes(4, "big")
        made = hmac.digest(node[32:], data, "sha512")
        key = (int.from_bytes(made[:32], "big") + int.from_bytes(node[:32], "big")) % N
        node = key.to_bytes(32, "big") + made[32:]
    return PrivateKey(node[:32])


@pytest.mark.parametrize(("network", "coin_type"), [("regtest", 1), ("testnet4", 1), ("main", 0)])
def test_roles_are_derived_as_written_down(network, coin_type):
    words = " ".join(words_of(SECRET))
    log = HKDF(algorithm=SHA512(), length=32, salt=None, info=b"hermes/log/v1").derive(SECRET)
    public = Ed25519PrivateKey.from_private_bytes(log).public_key()
    expected = Roles(
        owner=_hardened(words, (44, 1237, 1, 0, 0)).public_key_xonly.format().hex(),
        nostr=_hardened(words, (44, 1237, 0, 0, 0)).public_key_xonly.format().hex(),
        attest=_hardened(words, (1237, 0, 0)).public_key_xonly.format().hex(),
        coin=_hardened(words, (84, coin_type, 0, 0, 0)).public_key.format().hex(),
        log=public.public_bytes_raw().hex(),
    )
    keys = Keys.from_secret(SECRET, network)
    assert keys.roles == expected
    assert keys.nostr_secret() == _hardened(words, (44, 1237, 0, 0, 0)).secret


def test_another_secret_or_coin_type_is_another_coin():
    one = Keys.from_secret(SECRET, "regtest").roles
    main = Keys.from_secret(SECRET, "main").roles
    other = Keys.from_secret(DIGEST, "regtest").roles
    assert one.coin != main.coin
    assert one.nostr == main.nostr
    assert not set(vars_of(one)) & set(vars_of(other))
    assert len({*vars_of(one)[:3], one.coin[2:], one.log}) == 5


def vars_of(roles):
    return (roles.owner, roles.nostr, roles.attest, roles.coin, roles.log)


@pytest.mark.parametrize("role", BIP340_ROLES)
def test_schnorr_is_of_the_role_with_fresh_randomness(role):
    keys = Keys.from_secret(SECRET, "regtest")
    first, second = keys.sign_schnorr(role, DIGEST), keys.sign_schnorr(role, DIGEST)
    public = PublicKeyXOnly(bytes.fromhex(getattr(keys.roles, role)))
    assert first != second
    assert public.verify(first, DIGEST)
    assert public.verify(second, DIGEST)
    assert not public.verify(first, hashlib.sha256(b"unsaid").digest())


def test_ecdsa_is_deterministic_with_low_s():
    keys = Keys.from_secret(SECRET, "regtest")
    public = PublicKey(bytes.fromhex(keys.roles.coin))
    for number in range(40):
        digest = hashlib.sha256(bytes([number])).digest()
        made = keys.sign_ecdsa(digest)
        assert made == keys.sign_ecdsa(digest)
        assert public.verify(made, digest, hasher=None)
        size = made[3]
        assert int.from_bytes(made[4 + size + 2 :], "big") <= N // 2


def test_only_a_digest_is_signed():
    keys = Keys.from_secret(SECRET, "regtest")
    for wrong in (b"", DIGEST[1:], DIGEST + b"\0"):
        with pytest.raises(ValueError, match="32 bytes"):
            keys.sign_ecdsa(wrong)
        with pytest.raises(ValueError, match="32 bytes"):
            keys.sign_schnorr("nostr", wrong)


def test_the_log_key_signs_notes_under_the_logs_name():
    keys = Keys.from_secret(SECRET, "regtest")
    line = keys.sign_note("a text\n")
    assert line.name == keys.name == "hermes/" + keys.roles.nostr[:16]
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(keys.roles.log)).verify(
        line.signature, b"a text\n"
    )


def test_a_mac_is_of_this_secret_alone():
    keys = Keys.from_secret(SECRET, "regtest")
    assert keys.mac(b"x") == Keys.from_secret(SECRET, "main").mac(b"x")
    assert keys.mac(b"x") != Keys.from_secret(DIGEST, "regtest").mac(b"x")
    assert keys.mac(b"x") != keys.mac(b"y")


@pytest.mark.parametrize("wrong", [b"", bytes(32), SECRET[:-1], SECRET + b"\1"])
def test_no_secret_that_is_none(wrong):
    with pytest.raises(IdentityInvalid) as caught:
        Keys.from_secret(wrong, "regtest")
    assert wrong.hex() not in str(caught.value) or not wrong


def test_no_unknown_network():
    with pytest.raises(IdentityInvalid, match="network"):
        Keys.from_secret(SECRET, "mainnet")


def test_keys_are_shown_to_nobody():
    keys = Keys.from_secret(SECRET, "regtest")
    assert repr(keys) == str(keys) == f"{keys}" == "Keys(...)"
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            spread(keys)
    with pytest.raises(TypeError):
        vars(keys)
    try:
        keys.sign_ecdsa(b"")
    except ValueError as error:
        said = "".join(traceback.format_exception(error))
        assert keys.nostr_secret().hex() not in said
        assert SECRET.hex() not in said
