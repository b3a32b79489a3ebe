"""A Nostr public key as people write it: `npub1…`, or 64 hex digits. Source: NIP-19."""

import re

from embit import bech32

from hermes.errors import Usage

_PREFIX = "npub"
_BYTE, _GROUP = 8, 5
_SIZE = 32
_HEX = re.compile(r"[0-9a-f]{64}")


def npub_of(key: str) -> str:
    """The `npub` of a key in hex."""
    groups = bech32.convertbits(bytes.fromhex(key), _BYTE, _GROUP)
    text: str = bech32.bech32_encode(bech32.Encoding.BECH32, _PREFIX, groups)
    return text


def read_npub(text: str) -> str:
    """The key in hex; raises Usage when the text is neither form."""
    text = text.strip()
    if _HEX.fullmatch(text.lower()):
        return text.lower()
    encoding, prefix, groups = bech32.bech32_decode(text)
    if encoding == bech32.Encoding.BECH32 and prefix == _PREFIX and groups:
        data = bech32.convertbits(groups, _GROUP, _BYTE, False)  # noqa: FBT003 - positional only
        if data is not None and len(data) == _SIZE:
            return bytes(data).hex()
    raise Usage("that is no Nostr public key", "give npub1… or 64 hex digits")
