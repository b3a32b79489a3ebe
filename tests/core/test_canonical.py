"""Canonical bytes and their names."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.core.canonical import (
    cid_of,
    decode,
    encode,
    link,
    link_blob,
    unlink,
    unlink_blob,
)

_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_plain)
def test_what_was_encoded_is_decoded(value):
    block = encode(value)
    assert decode(block.data) == value
    assert encode(decode(block.data)) == block


@given(st.dictionaries(st.text(), st.integers(0, 9), min_size=2, max_size=6))
def test_the_order_of_keys_makes_no_difference(value):
    assert encode(dict(reversed(value.items()))) == encode(value)


def test_a_known_vector():
    # DAG-CBOR of {"hello": "world"}, and its CIDv1 as IPFS tools print it
    block = encode({"hello": "world"})
    assert block.data.hex() == "a16568656c6c6f65776f726c64"
    assert block.cid == "bafyreidykglsfhoixmivffc5uwhcgshx4j465xwqntbmu43nb2dzqwfvae"


@given(st.binary(max_size=64))
def test_a_link_comes_back(data):
    cid = cid_of(data)
    assert unlink(link(cid)) == cid
    assert link(cid)[-32:] == hashlib.sha256(data).digest()
    assert decode(encode({"l": link(cid)}).data) == {"l": link(cid)}


@pytest.mark.parametrize("value", [1.5, {"a": (1, 2)}, {1: 2}, {"a": {3, 4}}, b"raw", object()])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        encode(value)


def test_bytes_are_linked_by_their_digest():
    digest = "ab" * 32
    value = {"blob": link_blob(digest)}
    assert decode(encode(value).data) == value
    assert unlink_blob(link_blob(digest)) == digest
    for bad in (b"", link_blob(digest)[:-1], link(encode({}).cid)):
        with pytest.raises(ValueError, match="raw"):
            unlink_blob(bad)
    with pytest.raises(ValueError, match="raw"):
        encode({"blob": link_blob("ab" * 31)})


def test_what_is_nested_without_end_is_no_value():
    with pytest.raises(ValueError, match="nested"):
        decode(b"\x81" * 1_000_000 + b"\x80")
    deep = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested"):
        encode(deep)


@pytest.mark.parametrize("one", [b"\x80", b"\x18\xff", b"\x61a"])
def test_many_small_values_are_refused_before_they_take_memory(one):
    count = (1 << 20) + 1
    with pytest.raises(ValueError, match="more than 1048576 values"):
        decode(b"\x9a" + count.to_bytes(4, "big") + one * count)


def test_long_texts_are_no_many_values():
    value = {"texts": ["ü" * 700_000, "x" * 1_000_000], "numbers": [1, 300, 70_000, 2**40, -1]}
    assert decode(encode(value).data) == value
