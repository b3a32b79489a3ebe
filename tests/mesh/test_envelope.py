import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.canonical import encode
from hermes.errors import EnvelopeRefused
from hermes.identity.hot import HotKey, holds
from hermes.mesh.envelope import (
    EARLY_MS,
    LONGEST_MS,
    MOST_BYTES,
    MOST_PAYLOAD,
    Letter,
    open_envelope,
    read,
    seal,
    write,
)

NOW = 1_790_000_000_000
HOUR = 3_600_000
ME, YOU, STRANGER = (HotKey(bytes([n]) * 32) for n in (1, 2, 3))


def letter(payload=b'{"text":"hey"}', **rest):
    return Letter(YOU.public, "turn", payload, "c1", **rest)


def known(sender, _payload_type):
    return sender == ME.public


def opened(data, now=NOW, me=YOU.public):
    return open_envelope(data, me, now, known)


def refused(data, **rest):
    with pytest.raises(EnvelopeRefused) as caught:
        opened(data, **rest)
    return caught.value.reason


def altered(**fields):
    plain = msgspec.json.decode(write(seal(ME, letter(), 1, NOW)))
    return msgspec.json.encode(plain | fields)


def test_opens_what_was_sealed():
    sealed = seal(ME, letter(), 7, NOW)
    found = opened(write(sealed))
    assert found == sealed
    assert (found.node_id, found.to, found.seq) == (ME.public, YOU.public, 7)
    assert found.data == b'{"text":"hey"}'


def test_binary_payload_survives():
    sealed = seal(ME, Letter(YOU.public, "blocks", bytes(range(256))), 1, NOW)
    assert opened(write(sealed)).data == bytes(range(256))


@given(st.text(max_size=300), st.text(max_size=40), st.integers(0, 2**62))
def test_any_text_round_trips(text, conversation, seq):
    sealed = seal(ME, Letter(YOU.public, "turn", text.encode(), conversation), seq, NOW)
    assert opened(write(sealed)).data.decode() == text


def test_signed_is_the_canonical_value_under_its_domain():
    sealed = seal(ME, letter(), 1, NOW)
    plain = msgspec.to_builtins(sealed)
    signature = plain.pop("signature")
    digest = hashlib.sha256(b"hermes/envelope/1" + encode(plain).data).digest()
    assert holds(ME.public, signature, digest)
    assert sealed.id == encode(plain).cid


def test_signed_twice_is_one_envelope():
    sealed = seal(ME, letter(), 1, NOW)
    again = msgspec.structs.replace(sealed, signature=ME.sign(sealed.digest))
    assert again.signature != sealed.signature
    assert again.id == sealed.id
    assert opened(write(again)).id == sealed.id


def test_same_words_twice_are_two_envelopes():
    assert seal(ME, letter(), 1, NOW).id != seal(ME, letter(), 1, NOW).id


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": "other"},
        {"payload_type": "answer"},
        {"conversation_id": "c2"},
        {"seq": 2},
        {"nonce": "0" * 32},
        {"issued_at": NOW - 1},
        {"expires_at": NOW + 2 * 24 * HOUR},
        {"signature": "0" * 128},
        {"signature": ""},
    ],
)
def test_every_field_is_signed(fields):
    assert refused(altered(**fields)) == "forged"


def test_anothers_name_on_it_is_forged():
    assert refused(write(seal(STRANGER, letter(), 1, NOW))) == "not admitted"
    assert refused(altered(node_id=STRANGER.public)) == "not admitted"
    plain = msgspec.json.decode(write(seal(STRANGER, letter(), 1, NOW)))
    assert refused(msgspec.json.encode(plain | {"node_id": ME.public})) == "forged"


def test_passed_on_to_another_is_refused():
    data = write(seal(ME, letter(), 1, NOW))
    assert refused(data, me=STRANGER.public) == "not for us"
    assert refused(altered(to=STRANGER.public)) == "not for us"
    assert refused(altered(to=STRANGER.public), me=STRANGER.public) == "forged"


def test_stale_early_and_a_clock_an_hour_off():
    data = write(seal(ME, letter(ttl_ms=2 * HOUR), 1, NOW))
    assert opened(data, now=NOW + 2 * HOUR - 1)
    assert refused(data, now=NOW + 2 * HOUR) == "stale"
    assert opened(data, now=NOW - EARLY_MS)
    assert refused(data, now=NOW - EARLY_MS - 1) == "early"
    assert refused(data, now=NOW - HOUR) == "early"


def test_no_life_longer_than_a_month():
    with pytest.raises(ValueError, match="30 days"):
        seal(ME, letter(ttl_ms=LONGEST_MS + 1), 1, NOW)
    unsigned = msgspec.structs.replace(
        seal(ME, letter(), 1, NOW), expires_at=NOW + LONGEST_MS + 1, signature=""
    )
    forever = msgspec.structs.replace(unsigned, signature=ME.sign(unsigned.digest))
    assert refused(write(forever)) == "malformed"


def test_versions():
    assert refused(altered(v=2)) == "unknown version"
    assert refused(altered(v=2, colour="blue")) == "unknown version"
    assert refused(altered(colour="blue")) == "malformed"
    assert refused(altered(v=0)) == "unknown version"


def test_sizes():
    with pytest.raises(ValueError, match="blobs"):
        seal(ME, letter(b"x" * (MOST_PAYLOAD + 1)), 1, NOW)
    assert opened(write(seal(ME, letter(b"x" * MOST_PAYLOAD), 1, NOW)))
    assert refused(altered(payload="x" * (MOST_PAYLOAD + 1))) == "too large"
    assert refused(b" " * (MOST_BYTES + 1)) == "too large"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"v":1}',
        b'{"v":"1"}',
        b"[" * 100_000,
        b'{"v":1,"payload":"\xff"}',
        altered(payload_type="Turn!"),
        altered(payload_type="blocks", payload="no base64!"),
        altered(node_id="zz" * 32),
        altered(node_id=ME.public.upper()),
        altered(seq=-1),
        altered(seq=1 << 63),
        altered(issued_at=1.5),
        altered(nonce="00"),
        altered(conversation_id="c" * 129),
        altered(signature="00"),
    ],
)
def test_malformed(data):
    assert refused(data) == "malformed"


def test_half_a_surrogate_pair_is_refused():
    data = altered().replace(b'"payload":"', b'"payload":"\\ud800')
    assert refused(data) in {"malformed", "forged"}


@given(st.binary(max_size=400))
def test_no_bytes_are_more_than_refused(data):
    with pytest.raises(EnvelopeRefused):
        opened(data)


@given(st.integers(0, 2000), st.integers(1, 255))
def test_one_changed_byte_never_opens_as_something_else(place, by):
    sealed = seal(ME, letter(), 1, NOW)
    data = bytearray(write(sealed))
    place %= len(data)
    data[place] ^= by
    try:
        found = opened(bytes(data))
    except EnvelopeRefused:
        return
    assert found.id == sealed.id  # another spelling of the same JSON


def test_reads_without_judging():
    sealed = seal(STRANGER, letter(), 1, NOW)
    assert read(write(sealed)) == sealed


def test_a_key_is_not_shown_and_not_copied():
    assert ME.secret.hex() not in repr(ME)
    with pytest.raises(TypeError):
        ME.__reduce__()


@pytest.mark.parametrize("public", ["", "zz", "00" * 32, "ff" * 32, "00"])
def test_no_key_holds_nothing(public):
    assert not holds(public, "00" * 64, bytes(32))


def test_bip340_vector():
    public = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"
    signature = (
        "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
        "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0"
    )
    assert holds(public, signature, bytes(32))
    assert not holds(public, signature, bytes(31) + b"\1")
    assert HotKey(bytes(31) + b"\3").public == public
