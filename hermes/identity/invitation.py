"""The one-time code by which a node joins a fleet: bech32m text of node key, secret and relays.

Whoever holds the code may join until it is used or over. It is longer than BIP-173 allows, as
NIP-19's texts are: the checksum still finds slips of the hand, which is all it is for.
"""

import hashlib
import secrets
from typing import NamedTuple

from embit import bech32

from hermes.errors import Usage

_PREFIX = "hermes"
_BYTE, _GROUP = 8, 5
_KEY, _SECRET = 32, 16
_CHECK = 6
_MOST = 1_000
_RELAYS = 4
_LONGEST = 200
_REMEDY = "copy it whole, from hermes1 to its end"


class Invitation(NamedTuple):
    """Whom to ask (x-only key, hex), by which secret, at which relays."""

    node: str
    secret: str
    relays: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What the inviting node keeps of the secret."""
        return digest_of(self.secret)

    @property
    def code(self) -> str:
        """The text that a person carries over."""
        named = b"".join(bytes([len(one)]) + one for one in map(str.encode, self.relays))
        data = bytes.fromhex(self.node) + bytes.fromhex(self.secret) + named
        groups = bech32.convertbits(data, _BYTE, _GROUP)
        text: str = bech32.bech32_encode(bech32.Encoding.BECH32M, _PREFIX, groups)
        return text


def invite(node: str, relays: tuple[str, ...]) -> Invitation:
    """Make a fresh one; relays beyond the fourth, and endless ones, are left out."""
    told = tuple(one for one in relays if len(one.encode()) <= _LONGEST)[:_RELAYS]
    return Invitation(node, secrets.token_hex(_SECRET), told)


def digest_of(secret: str) -> str:
    """The digest of a secret."""
    return hashlib.sha256(b"hermes/invitation/1" + secret.encode()).hexdigest()


def read_invitation(code: str) -> Invitation:
    """Read a code; raises Usage where it is none."""
    data = _decoded("".join(code.split()).lower())
    if data is None or len(data) < _KEY + _SECRET:
        raise Usage("that is no code of hermes peers invite", _REMEDY)
    rest, relays = data[_KEY + _SECRET :], []
    while rest:
        size, rest = rest[0], rest[1:]
        named, rest = rest[:size], rest[size:]
        try:
            relays.append(named.decode("ascii"))
        except UnicodeDecodeError:
            size = -1
        if len(named) != size or len(relays) > _RELAYS:
            raise Usage("that is no code of hermes peers invite", _REMEDY)
    return Invitation(data[:_KEY].hex(), data[_KEY : _KEY + _SECRET].hex(), tuple(relays))


def _decoded(text: str) -> bytes | None:
    prefix, _, body = text.rpartition("1")
    if prefix != _PREFIX or len(text) > _MOST or not set(body) <= set(bech32.CHARSET):
        return None
    groups = [bech32.CHARSET.index(mark) for mark in body]
    if bech32.bech32_verify_checksum(prefix, groups) != bech32.Encoding.BECH32M:
        return None
    data = bech32.convertbits(groups[:-_CHECK], _GROUP, _BYTE, False)  # noqa: FBT003 - positional
    return None if data is None else bytes(data)
