"""Cosignatures: the C2SP bytes, what the signer cosigns, and what nobody takes for one."""

import base64

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from signer_house import Home, checkpoint

from hermes.core.checkpoint import Checkpoint, Note, NoteSignature, note_of
from hermes.errors import IdentityLocked, ProofInvalid, Refused
from hermes.identity.cosignature import (
    check_cosignature,
    cosigned_bytes,
    cosigner_id,
    cosigner_vkey,
    with_lines,
)
from hermes.identity.keys import Keys
from hermes.identity.note import check_note

LOG = Keys.from_secret(b"\x61" * 32, "regtest")
WITNESS = Keys.from_secret(b"\x62" * 32, "regtest")
KEY = bytes.fromhex(WITNESS.roles.log)
CHECKPOINT = Checkpoint(LOG.name, 7, bytes(range(32)))
AT = 1_679_315_147
LINE = WITNESS.cosign_note(CHECKPOINT.text, AT)


def test_the_bytes_that_are_signed_are_those_of_the_standard():
    # The example of c2sp.org/tlog-cosignature.
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert cosigned_bytes(text, AT) == b"cosignature/v1\ntime 1679315147\n" + text.encode()
    body = cosigned_bytes(CHECKPOINT.text, AT)
    Ed25519PublicKey.from_public_bytes(KEY).verify(LINE.signature[8:], body)
    assert LINE.signature[:8] == AT.to_bytes(8, "big")


def test_keys_are_named_as_other_witnesses_name_theirs():
    # A verifier key of the public witness network, from transparency-dev/formats.
    public = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
    name, _, packed = public.split("+", 2)
    key = base64.b64decode(packed)[1:]
    assert cosigner_vkey(name, key) == public
    assert cosigner_id(name, key).hex() == "da77ade7"


def test_a_cosigned_note_is_read_by_both_keys():
    note = with_lines(Note(CHECKPOINT.text, (LOG.sign_note(CHECKPOINT.text),)), (LINE, LINE))
    read = note_of(note.format())
    assert len(read.signatures) == 2
    assert check_note(read, bytes.fromhex(LOG.roles.log), LOG.name) == CHECKPOINT
    assert check_cosignature(read.text, read.signatures[1], KEY, WITNESS.name) == AT


SPOILT = {
    "other name": msgspec.structs.replace(LINE, name="hermes/other"),
    "key id of a log": msgspec.structs.replace(LINE, key_id=WITNESS.sign_note("x\n").key_id),
    "other time": msgspec.structs.replace(LINE, signature=bytes(8) + LINE.signature[8:]),
    "time beyond all": msgspec.structs.replace(LINE, signature=b"\xff" * 8 + LINE.signature[8:]),
    "cut": msgspec.structs.replace(LINE, signature=LINE.signature[:-1]),
    "plain signature": NoteSignature(
        LINE.name, LINE.key_id, WITNESS.sign_note(CHECKPOINT.text).signature
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_none_is_refused(what):
    with pytest.raises(ProofInvalid):
        check_cosignature(CHECKPOINT.text, SPOILT[what], KEY, WITNESS.name)


def test_it_is_of_one_text_alone():
    other = msgspec.structs.replace(CHECKPOINT, size=8)
    with pytest.raises(ProofInvalid, match="does not hold"):
        check_cosignature(other.text, LINE, KEY, WITNESS.name)


def test_a_key_for_which_anybody_signs_is_no_cosigner():
    weak = bytes(32)
    line = NoteSignature("w", cosigner_id("w", weak), bytes(72))
    with pytest.raises(ProofInvalid):
        check_cosignature(CHECKPOINT.text, line, weak, "w")


async def test_the_signer_cosigns_others_checkpoints_and_nothing_else(tmp_path):
    home = await Home(tmp_path / "h").make()
    async with home.signer() as agent:
        line = await agent.cosign(CHECKPOINT.text)
        key = bytes.fromhex(home.keys.roles.log)
        assert check_cosignature(CHECKPOINT.text, line, key, home.keys.name) > AT
        with pytest.raises(Refused, match="own log"):
            await agent.cosign(checkpoint(home, 3))
        for text in ("", "hello\n", f"{CHECKPOINT.text}more\n", "hermes genesis 00\n"):
            with pytest.raises(Refused, match="only a checkpoint"):
                await agent.cosign(text)


async def test_a_locked_signer_cosigns_nothing(tmp_path):
    home = await Home(tmp_path / "h").make(unattended=False)
    async with home.signer() as agent:
        with pytest.raises(IdentityLocked):
            await agent.cosign(CHECKPOINT.text)
