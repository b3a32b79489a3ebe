"""Canonical bytes and digests: DAG-CBOR, CIDv1 (dag-cbor, sha2-256).

The stored bytes are the truth; whoever changes one changes its name. libipld writes any
bytes that parse as a CID as a link, so raw bytes never stand in a value: text, integers,
lists, maps and `Link`s only. No floats.
"""

import hashlib
from typing import NamedTuple

import libipld

from hermes.core.ids import Cid

Value = str | int | bool | None | bytes | list["Value"] | dict[str, "Value"]
"""What a canonical value is made of; bytes only as made by `link` and `link_blob`."""

_PREFIX = bytes([0x01, 0x71, 0x12, 0x20])  # CIDv1, dag-cbor, sha2-256, 32 bytes
_RAW = bytes([0x01, 0x55, 0x12, 0x20])  # CIDv1, raw, sha2-256, 32 bytes
_SMALL = 1 << 20
_ITEMS_MOST = 1 << 20
_BYTES, _TEXT, _IMMEDIATE, _WIDEST = 2, 3, 24, 27  # CBOR's major types and heads (RFC 8949 §3)


class Block(NamedTuple):
    """A value's canonical bytes and their name."""

    cid: Cid
    data: bytes


def encode(value: Value) -> Block:
    """Encode a value; raises TypeError on floats and foreign types, ValueError past a bound."""
    try:
        _check(value)
        data: bytes = libipld.encode_dag_cbor(value)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return Block(cid_of(data), data)


def decode(data: bytes) -> Value:
    """Decode canonical bytes; raises ValueError when they are not DAG-CBOR, or too many values.

    Takes other bytes than the one encoding too: who must know compares with `encode`.
    """
    if len(data) > _SMALL:
        _bound(data)
    try:
        value: Value = libipld.decode_dag_cbor(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def cid_of(data: bytes) -> Cid:
    """Name bytes: base32 CIDv1 text, `bafyrei…`."""
    return Cid(libipld.encode_cid(_PREFIX + hashlib.sha256(data).digest()))


def link(cid: Cid) -> bytes:
    """Make a link to a block, to stand inside a value; raises ValueError on names not ours."""
    raw: bytes = libipld.decode_multibase(cid)[1]
    if len(raw) != len(_PREFIX) + 32 or not raw.startswith(_PREFIX):
        raise ValueError("not a dag-cbor sha2-256 link")
    return raw


def unlink(raw: bytes) -> Cid:
    """Read a link back; raises ValueError when it is none of ours."""
    if len(raw) != len(_PREFIX) + 32 or not raw.startswith(_PREFIX):
        raise ValueError("not a dag-cbor sha2-256 link")
    return Cid(libipld.encode_cid(raw))


def link_blob(digest: str) -> bytes:
    """Make a link to bytes by their SHA-256 in hex, to stand inside a value."""
    return _RAW + bytes.fromhex(digest)


def unlink_blob(raw: bytes) -> str:
    """Read a link to bytes back, as a digest in hex; raises ValueError when it is none."""
    if len(raw) != len(_RAW) + 32 or not raw.startswith(_RAW):
        raise ValueError("not a raw sha2-256 link")
    return raw[len(_RAW) :].hex()


def _bound(data: bytes) -> None:
    """Refuse what would take a hundred times its size in memory: a byte can be a value."""
    at = items = 0
    while at < len(data):
        items += 1
        if items > _ITEMS_MOST:
            raise ValueError(f"more than {_ITEMS_MOST} values")
        major, number = data[at] >> 5, data[at] & 0x1F
        at += 1
        if _IMMEDIATE <= number <= _WIDEST:
            width = 1 << number - _IMMEDIATE
            number = int.from_bytes(data[at : at + width], "big")
            at += width
        if major in {_BYTES, _TEXT}:
            at += number


def _check(value: Value) -> None:
    match value:
        case str() | bool() | int() | None:
            return
        case bytes():
            if not value.startswith(_RAW):
                unlink(value)
            else:
                unlink_blob(value)
        case list():
            for item in value:
                _check(item)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise TypeError("map keys are text")
                _check(item)
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical form here")
