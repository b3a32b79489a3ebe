"""BIP-322 beyond the vectors: nothing may be changed, whatever a signer could have varied."""

import base64

import pytest
from coincurve import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import ProofInvalid
from hermes.identity.bip322 import script_of, sign, to_sign, verify
from hermes.identity.keys import Keys

KEYS = Keys.from_secret(b"\x41" * 32, "regtest")
PUBLIC = bytes.fromhex(KEYS.roles.coin)
SCRIPT = script_of(PUBLIC)
MESSAGE = "Grüße aus dem Log".encode()
SIGNED = sign(PUBLIC, MESSAGE, KEYS.sign_ecdsa)
RAW = base64.b64decode(SIGNED.removeprefix("smp"))
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _text(raw):
    return "smp" + base64.b64encode(raw).decode()


def test_it_holds_with_and_without_the_variants_name():
    assert sign(PUBLIC, MESSAGE, KEYS.sign_ecdsa) == SIGNED
    verify(SCRIPT, MESSAGE, SIGNED)
    verify(SCRIPT, MESSAGE, SIGNED.removeprefix("smp"))


def test_the_transaction_moves_nothing():
    spending = to_sign(SCRIPT, MESSAGE)
    assert (spending.version, spending.locktime, len(spending.vin)) == (0, 0, 1)
    assert [(out.value, out.script_pubkey.data) for out in spending.vout] == [(0, b"\x6a")]


def test_every_flipped_bit_is_refused():
    for place in range(len(RAW) * 8):
        flipped = bytearray(RAW)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ProofInvalid):
            verify(SCRIPT, MESSAGE, _text(bytes(flipped)))


def test_every_shorter_or_longer_one_is_refused():
    for size in range(len(RAW)):
        with pytest.raises(ProofInvalid):
            verify(SCRIPT, MESSAGE, _text(RAW[:size]))
    with pytest.raises(ProofInvalid):
        verify(SCRIPT, MESSAGE, _text(RAW + b"\0"))


def test_another_message_or_key_is_refused():
    other = PrivateKey(b"\x42" * 32).public_key.format()
    with pytest.raises(ProofInvalid, match="does not hold"):
        verify(SCRIPT, MESSAGE + b" ", SIGNED)
    with pytest.raises(ProofInvalid, match="another address"):
        verify(script_of(other), MESSAGE, SIGNED)
    swapped = RAW[:-33] + other
    with pytest.raises(ProofInvalid, match="does not hold"):
        verify(script_of(other), MESSAGE, _text(swapped))


def test_the_other_half_of_s_is_refused():
    size = RAW[1]
    der = RAW[2 : 1 + size]
    first = 4 + der[3]
    low = int.from_bytes(der[first + 2 :], "big")
    half = b"\2\x21\0" + (N - low).to_bytes(32, "big")
    body = der[2:first] + half
    high = b"\x30" + bytes([len(body)]) + body
    raw = bytes([2, len(high) + 1]) + high + b"\1" + RAW[2 + size :]
    with pytest.raises(ProofInvalid, match="does not hold"):
        verify(SCRIPT, MESSAGE, _text(raw))


def test_another_sighash_is_refused():
    size = RAW[1]
    for sighash in (0, 2, 3, 0x81):
        raw = bytearray(RAW)
        raw[1 + size] = sighash
        with pytest.raises(ProofInvalid, match="SIGHASH_ALL"):
            verify(SCRIPT, MESSAGE, _text(bytes(raw)))


def test_one_signature_has_one_text():
    text = SIGNED.rstrip("=")
    for bad in (SIGNED + "\n", "smp" + SIGNED, text + "===", SIGNED.replace("smp", "SMP")):
        with pytest.raises(ProofInvalid):
            verify(SCRIPT, MESSAGE, bad)
    padded = _text(RAW)
    if padded.endswith("="):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        bare = padded.rstrip("=")
        loose = alphabet[alphabet.index(bare[-1]) + 1]
        with pytest.raises(ProofInvalid, match="one form"):
            verify(SCRIPT, MESSAGE, bare[:-1] + loose + padded[len(bare) :])


@given(st.text(max_size=80) | st.binary(max_size=150).map(_text))
def test_anything_else_is_refused_with_our_error(text):
    with pytest.raises(ProofInvalid):
        verify(SCRIPT, MESSAGE, text)
