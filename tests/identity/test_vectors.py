"""Vectors that others published: for our own doors, and for the libraries behind them."""

import csv
import hashlib
import json
import re
from pathlib import Path

import pytest
from coincurve import PrivateKey, PublicKeyXOnly
from embit.base import EmbitError
from embit.bip32 import HDKey
from embit.bip39 import mnemonic_to_seed
from embit.script import address_to_scriptpubkey
from embit.slip39 import Share, ShareSet
from embit.wordlists.bip39 import WORDLIST

from hermes.core.checkpoint import note_of
from hermes.errors import HermesError, ProofInvalid
from hermes.identity import bip322
from hermes.identity.nip49 import import_key
from hermes.identity.note import key_id, open_note, read_vkey, vkey
from hermes.identity.words import secret_of, words_of

VECTORS = Path(__file__).with_name("vectors")
PINS = {
    "bip32.mediawiki": "35a205a406103389938e316c182b4e5c95cc60f24c1707c1ef416715754224fe",
    "bip322_basic.json": "a9184da5687b9cb7a1863807f4a8f4d743ec07d4f683f707cb85ce72f5b33f47",
    "bip340.csv": "34c9d1d9c3a88d524bc80778540dc43f8306ec249a7485293063c376db851c2d",
    "bip39.json": "7c6ff021dc5906f20d89946ba81edfda5711678ff94520d6fd1fc40873874359",
    "slip39.json": "13ebecebdd869dd2bc2cdf69e7ce3a158cf106cac76c39d17682b1c6cdabbdc4",
}


def _text(name: str) -> str:
    data = (VECTORS / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == PINS[name]
    return data.decode()


def test_bip340_verifies_as_published():
    rows = list(csv.DictReader(_text("bip340.csv").splitlines()))
    assert len(rows) == 19
    for row in rows:
        message, signature = bytes.fromhex(row["message"]), bytes.fromhex(row["signature"])
        try:
            holds = PublicKeyXOnly(bytes.fromhex(row["public key"])).verify(signature, message)
        except ValueError:
            holds = False
        assert holds == (row["verification result"] == "TRUE"), row["index"]


def test_bip340_signs_as_published():
    rows = csv.DictReader(_text("bip340.csv").splitlines())
    signing = [row for row in rows if row["secret key"] and len(row["message"]) == 64]
    assert len(signing) == 4
    for row in signing:
        key = PrivateKey(bytes.fromhex(row["secret key"]))
        made = key.sign_schnorr(bytes.fromhex(row["message"]), bytes.fromhex(row["aux_rand"]))
        assert made.hex().upper() == row["signature"]


def test_bip32_derives_as_published():
    root, checked = None, 0
    for line in _text("bip32.mediawiki").splitlines():
        if found := re.match(r"Seed \(hex\): ([0-9a-f]+)", line):
            root = HDKey.from_seed(bytes.fromhex(found[1]))
        elif found := re.match(r"\* Chain (m\S*)", line):
            path = found[1].replace("<sub>H</sub>", "h")
        elif found := re.match(r"\*\* ext prv: (\S+)", line):
            assert root is not None
            derived = root if path == "m" else root.derive(path)
            assert derived.to_base58() == found[1]
            checked += 1
    assert checked == 17


def test_bip32_refuses_secrets_out_of_range():
    bad = [line for line in _text("bip32.mediawiki").splitlines() if "not in 1..n-1" in line]
    assert len(bad) == 2
    for line in bad:
        with pytest.raises(EmbitError, match="Secret is not valid"):
            HDKey.from_base58(line.split()[1])


def test_bip39_english_words_and_seeds():
    cases = json.loads(_text("bip39.json"))
    whole = [case for case in cases if len(case[0]) == 64]
    assert len(cases) == 24
    assert len(whole) == 8
    for entropy, words, _, _ in whole:
        assert " ".join(words_of(bytes.fromhex(entropy))) == words
        assert secret_of(words).hex() == entropy
    for _, words, seed, root in cases:
        made = mnemonic_to_seed(words, "TREZOR")
        assert made.hex() == seed
        assert HDKey.from_seed(made).to_base58() == root


def test_the_word_list_is_bip39s():
    listed = ("\n".join(WORDLIST) + "\n").encode()
    # bitcoin/bips 7fe0b034, bip-0039/english.txt
    assert hashlib.sha256(listed).hexdigest() == (
        "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    )


def test_slip39_joins_as_published():
    cases = [case for case in json.loads(_text("slip39.json")) if "xtendable" not in case[0]]
    assert len(cases) == 41
    for name, shares, secret, _ in cases:
        try:
            joined = ShareSet([Share.parse(one) for one in shares]).recover(b"TREZOR").hex()
        except (ValueError, TypeError, SyntaxError):
            joined = ""
        assert joined == secret, name


def _script(address: str) -> bytes:
    return bytes(address_to_scriptpubkey(address).data)


def _message(text: str) -> bytes:
    # The file writes a character beyond the first plane as two surrogates.
    return text.encode("utf-16", "surrogatepass").decode("utf-16").encode()


def test_bip322_transactions_are_as_published():
    cases = json.loads(_text("bip322_basic.json"))["tx_hashes"]
    assert len(cases) == 3
    for case in cases:
        spending = bip322.to_sign(_script(case["address"]), _message(case["message"]))
        assert spending.txid().hex() == case["to_sign_tx_hash"]
        assert spending.vin[0].txid.hex() == case["to_spend_tx_hash"]


def test_bip322_signatures_hold_as_published():
    cases = json.loads(_text("bip322_basic.json"))["simple"]
    held = 0
    for case in cases:
        for signature in case["bip322_signatures"]:
            message = case["message"].encode()
            if case["type"] == "p2wpkh":
                bip322.verify(_script(case["address"]), message, signature)
                held += 1
            else:
                with pytest.raises(ProofInvalid, match=r"P2WPKH|another address"):
                    bip322.verify(_script(case["address"]), message, signature)
    assert held == 4


def test_bip322_signs_as_published():
    key = PrivateKey(_wif("L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k"))
    public = key.public_key.format()
    cases = json.loads(_text("bip322_basic.json"))["simple"][:2]
    for case in cases:
        made = bip322.sign(
            public, case["message"].encode(), lambda digest: key.sign(digest, hasher=None)
        )
        # libsecp256k1's nonce is RFC 6979's, without grinding for a low R: one of the two.
        assert made in case["bip322_signatures"]


def test_bip322_refuses_what_it_must():
    cases = json.loads(_text("bip322_basic.json"))["error"]
    assert len(cases) == 8
    for case in cases:
        with pytest.raises(ProofInvalid):
            bip322.verify(_script(case["address"]), case["message"].encode(), case["signature"])


def _wif(text: str) -> bytes:
    from_58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number = 0
    for letter in text:
        number = number * 58 + from_58.index(letter)
    return number.to_bytes(38, "big")[1:33]


async def test_nip49_opens_as_published():
    # nostr-protocol/nips db5fe3de, 49.md
    sealed = (
        "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yp"
        "hnm8623nsl8xn9j4jdzz84zm3frztj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p"
    )
    opened = await import_key(sealed, "nostr")
    assert opened.hex() == "3501454135014541350145413501453fefb02227e449e57cf4d3a3ce05378683"


def test_c2sp_signed_note_as_published():
    # C2SP/C2SP 5ba5ee83, signed-note.md
    text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    note = note_of(
        "This is an example message.\n\n"
        "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3m"
        "FXmRKuwHjG1Yu72IneyaQM=\n"
    )
    name, key = read_vkey(text)
    assert vkey(name, key) == text
    assert key_id(name, key).hex() == "530d903a"
    assert open_note(note, key, name) == "This is an example message.\n"
    with pytest.raises(HermesError, match="does not hold"):
        open_note(note_of(note.format().replace("example message", "Example message")), key, name)
