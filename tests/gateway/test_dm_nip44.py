"""The library's NIP-44 against the official vectors, and where it shows too little, ours."""

import hashlib
import os
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nostr_sdk import (
    Keys,
    Nip44Version,
    NostrSdkError,
    PublicKey,
    SecretKey,
    nip44_decrypt,
    nip44_encrypt,
)

sys.path.insert(0, str(Path(__file__).parent))

import nip44_pure as pure

FILE = Path(__file__).parent / "vectors" / "nip44.vectors.json"
VECTORS = msgspec.json.decode(FILE.read_bytes())["v2"]
VALID, INVALID = VECTORS["valid"], VECTORS["invalid"]
ANN, BOB = "11" * 32, "22" * 32


def public(secret: str) -> str:
    return Keys(SecretKey.parse(secret)).public_key().to_hex()


def library_decrypt(secret: str, author: str, payload: str) -> str:
    return nip44_decrypt(SecretKey.parse(secret), PublicKey.parse(author), payload)


def library_encrypt(secret: str, reader: str, text: str) -> str:
    return nip44_encrypt(SecretKey.parse(secret), PublicKey.parse(reader), text, Nip44Version.V2)


def test_they_are_the_official_ones():
    found = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert found == "269ed0f69e4c192512cc779e78c555090cebc7c785b609e338a62afc3ce25040"


@pytest.mark.parametrize("one", VALID["get_conversation_key"])
def test_conversation_keys(one):
    assert pure.conversation_key(one["sec1"], one["pub2"]).hex() == one["conversation_key"]


def test_message_keys():
    key = bytes.fromhex(VALID["get_message_keys"]["conversation_key"])
    for one in VALID["get_message_keys"]["keys"]:
        made = [part.hex() for part in pure.message_keys(key, bytes.fromhex(one["nonce"]))]
        assert made == [one["chacha_key"], one["chacha_nonce"], one["hmac_key"]]


def test_padding():
    for size, padded in VALID["calc_padded_len"]:
        assert pure.padded_length(size) == padded


@pytest.mark.parametrize("one", VALID["encrypt_decrypt"])
def test_a_conversation(one):
    first, second = public(one["sec1"]), public(one["sec2"])
    key = pure.conversation_key(one["sec1"], second)
    assert key.hex() == one["conversation_key"]
    assert pure.encrypt(key, bytes.fromhex(one["nonce"]), one["plaintext"]) == one["payload"]
    assert pure.decrypt(key, one["payload"]) == one["plaintext"]
    assert library_decrypt(one["sec2"], first, one["payload"]) == one["plaintext"]
    assert library_decrypt(one["sec1"], second, one["payload"]) == one["plaintext"]
    answer = library_encrypt(one["sec1"], second, one["plaintext"])
    assert answer != one["payload"]
    assert pure.decrypt(key, answer) == one["plaintext"]


@pytest.mark.parametrize("one", VALID["encrypt_decrypt_long_msg"])
def test_long_messages(one):
    text = one["pattern"] * one["repeat"]
    assert pure.sha256(text) == one["plaintext_sha256"]
    key = bytes.fromhex(one["conversation_key"])
    payload = pure.encrypt(key, bytes.fromhex(one["nonce"]), text)
    assert pure.sha256(payload) == one["payload_sha256"]
    assert pure.decrypt(key, payload) == text
    longest = pure.encrypt(pure.conversation_key(ANN, public(BOB)), b"\5" * 32, text)
    assert library_decrypt(BOB, public(ANN), longest) == text


@pytest.mark.parametrize("one", INVALID["get_conversation_key"], ids=lambda one: one["note"])
def test_keys_that_are_none(one):
    with pytest.raises(NostrSdkError):
        library_encrypt(one["sec1"], one["pub2"], "x")


@pytest.mark.parametrize("size", INVALID["encrypt_msg_lengths"])
def test_lengths_that_are_none(size):
    with pytest.raises(ValueError, match="1 to 65,535 bytes"):
        pure.pad("x" * size)
    if size < 1_000_000:  # the library copies text byte by byte
        with pytest.raises(NostrSdkError):
            library_encrypt(ANN, public(BOB), "x" * size)


@pytest.mark.parametrize("one", INVALID["decrypt"], ids=lambda one: one["note"])
def test_payloads_that_are_none(one):
    with pytest.raises(ValueError):  # noqa: PT011 - any reason will do, the library has its own
        pure.decrypt(bytes.fromhex(one["conversation_key"]), one["payload"])


def test_the_library_refuses_the_same_kinds():
    """The vectors name only conversation keys, which the library does not take."""
    key, nonce = pure.conversation_key(ANN, public(BOB)), os.urandom(32)
    good = pure.encrypt(key, nonce, "n o b l e")
    assert library_decrypt(BOB, public(ANN), good) == "n o b l e"
    padded = pure.pad("n o b l e")
    broken = [
        "#" + good[1:],
        good[:-4],
        good[:40] + ("A" if good[40] != "A" else "B") + good[41:],
        "AQ" + good[2:],
        "",
        pure.seal(key, nonce, b"\0\0" + padded[2:]),
        pure.seal(key, nonce, b"\xff\xff" + padded[2:]),
        pure.seal(key, nonce, padded + b"\0" * 32),
        pure.seal(key, nonce, b"\0\x02\xff\xfe" + padded[4:]),
    ]
    for payload in broken:
        with pytest.raises(NostrSdkError):
            library_decrypt(BOB, public(ANN), payload)


@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3_000))
def test_any_text_goes_both_ways(text):
    key = pure.conversation_key(ANN, public(BOB))
    assert pure.decrypt(key, library_encrypt(ANN, public(BOB), text)) == text
    assert library_decrypt(BOB, public(ANN), pure.encrypt(key, os.urandom(32), text)) == text
