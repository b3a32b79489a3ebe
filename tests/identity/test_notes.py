"""Signed notes: whose key, which log, which text; witnesses beside it are left alone."""

import base64
import os
from contextlib import suppress

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.checkpoint import Checkpoint, Note, NoteSignature, checkpoint_in, note_of
from hermes.errors import ProofInvalid
from hermes.identity.keys import Keys
from hermes.identity.note import check_note, key_id, log_name, read_vkey, sign, vkey
from hermes.identity.whole import read_note

KEYS = Keys.from_secret(b"\x61" * 32, "regtest")
OTHER = Keys.from_secret(b"\x62" * 32, "regtest")
KEY = bytes.fromhex(KEYS.roles.log)
CHECKPOINT = Checkpoint(KEYS.name, 7, bytes(range(32)))
LINE = KEYS.sign_note(CHECKPOINT.text)
NOTE = Note(CHECKPOINT.text, (LINE,))


def test_a_checkpoint_signed_by_its_log_is_read():
    assert check_note(note_of(NOTE.format()), KEY, KEYS.name) == CHECKPOINT
    assert log_name(KEYS.roles.nostr) == KEYS.name == f"hermes/{KEYS.roles.nostr[:16]}"


def test_witnesses_are_left_alone():
    witness = sign(CHECKPOINT.text, "witness.example", Ed25519PrivateKey.generate())
    broken = msgspec.structs.replace(witness, signature=bytes(64))
    for lines in ((witness, LINE), (LINE, witness), (broken, LINE)):
        assert check_note(Note(CHECKPOINT.text, lines), KEY, KEYS.name) == CHECKPOINT


def test_a_note_without_the_keys_line_is_refused():
    witness = sign(CHECKPOINT.text, "witness.example", Ed25519PrivateKey.generate())
    stolen = msgspec.structs.replace(witness, name=KEYS.name)
    for lines in ((), (witness,), (stolen,)):
        with pytest.raises(ProofInvalid, match="no signature of this key"):
            check_note(Note(CHECKPOINT.text, lines), KEY, KEYS.name)


def test_one_good_line_does_not_excuse_a_bad_one():
    bad = msgspec.structs.replace(LINE, signature=bytes(64))
    for lines in ((LINE, bad), (bad, LINE)):
        with pytest.raises(ProofInvalid, match="does not hold"):
            check_note(Note(CHECKPOINT.text, lines), KEY, KEYS.name)


def test_every_flipped_bit_of_text_or_signature_is_refused():
    text = bytearray(CHECKPOINT.text.encode())
    for place in range(len(text) * 8):
        text[place // 8] ^= 1 << place % 8
        with pytest.raises(ProofInvalid):
            check_note(Note(text.decode("latin-1"), (LINE,)), KEY, KEYS.name)
        text[place // 8] ^= 1 << place % 8
    for place in range(len(LINE.signature) * 8):
        made = bytearray(LINE.signature)
        made[place // 8] ^= 1 << place % 8
        line = msgspec.structs.replace(LINE, signature=bytes(made))
        with pytest.raises(ProofInvalid):
            check_note(Note(CHECKPOINT.text, (line,)), KEY, KEYS.name)


def test_a_log_does_not_speak_for_another():
    foreign = Checkpoint(OTHER.name, 7, bytes(32))
    with pytest.raises(ProofInvalid, match="of another log"):
        check_note(Note(foreign.text, (KEYS.sign_note(foreign.text),)), KEY, KEYS.name)
    with pytest.raises(ProofInvalid, match="no signature of this key"):
        check_note(NOTE, bytes.fromhex(OTHER.roles.log), KEYS.name)
    with pytest.raises(ProofInvalid, match="no signature of this key"):
        check_note(NOTE, KEY, OTHER.name)


def test_a_signed_text_that_is_no_checkpoint_is_refused():
    for text in ("hello\n", f"{KEYS.name}\n07\n{base64.b64encode(bytes(32)).decode()}\n"):
        with pytest.raises(ProofInvalid, match="no checkpoint"):
            check_note(Note(text, (KEYS.sign_note(text),)), KEY, KEYS.name)


def test_a_key_that_is_none_is_refused():
    for key in (b"", KEY[:31]):
        line = msgspec.structs.replace(LINE, key_id=key_id(KEYS.name, key))
        with pytest.raises(ProofInvalid, match="does not hold"):
            check_note(Note(CHECKPOINT.text, (line,)), key, KEYS.name)


def test_a_verifier_key_as_text():
    text = vkey(KEYS.name, KEY)
    assert read_vkey(text) == (KEYS.name, KEY)
    name, known, blob = text.split("+", 2)
    wrong_algorithm = base64.b64encode(b"\x02" + KEY).decode()
    for bad in (
        f"{name}x+{known}+{blob}",
        f"{name}+00000000+{blob}",
        f"{name}+{known.upper()}+{blob}",
        f"{name}+{known}+{wrong_algorithm}",
        f"{name}+{known}+{blob}=",
        text + "\n",
        "",
    ):
        with pytest.raises(ProofInvalid):
            read_vkey(bad)


@given(st.text(max_size=120) | st.from_regex(r"[a-z./]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}"))
def test_any_other_text_is_no_verifier_key(text):
    with pytest.raises(ProofInvalid):
        read_vkey(text)


PRIME = 2**255 - 19
EIGHTH = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
OTHER_EIGHTH = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"


@pytest.mark.parametrize("sign_bit", [0, 0x80])
@pytest.mark.parametrize(
    "form",
    [
        *(one.to_bytes(32, "little").hex() for one in (0, 1, PRIME - 1, PRIME, PRIME + 1)),
        EIGHTH,
        OTHER_EIGHTH,
    ],
)
def test_a_key_for_which_anybody_can_sign_is_none(form, sign_bit):
    key = bytearray.fromhex(form)
    key[31] |= sign_bit
    name, forged = "hermes/x", (1).to_bytes(32, "little") + bytes(32)  # no secret is behind this
    public = Ed25519PublicKey.from_public_bytes(bytes(key))
    for size in range(1_000):
        text = Checkpoint(name, size, bytes(32)).text
        with suppress(InvalidSignature):
            public.verify(forged, text.encode())
            break
    else:
        raise AssertionError("OpenSSL refuses it by now: no check of ours is needed")
    line = NoteSignature(name, key_id(name, bytes(key)), forged)
    with pytest.raises(ProofInvalid, match="anybody can sign"):
        check_note(Note(text, (line,)), bytes(key), name)


def test_a_note_in_a_file_is_read_or_refused_with_what_to_do(tmp_path):
    path = tmp_path / "x.note"
    assert read_note(path, "mend it") == ""
    path.write_text(NOTE.format())
    assert checkpoint_in(read_note(path, "mend it")) == CHECKPOINT
    path.write_bytes(b"\xff")
    with pytest.raises(ProofInvalid, match="cannot be read") as refused:
        read_note(path, "mend it")
    assert refused.value.remedy == "mend it"
    path.unlink()
    os.mkfifo(path)  # nobody ever writes to it
    with pytest.raises(ProofInvalid, match="not a file"):
        read_note(path, "mend it")
