"""An identity's public keys, by role. Apart from `keys`, so that it costs no key library."""

import msgspec


class Roles(msgspec.Struct, frozen=True):
    """The public halves.

    `owner`, `nostr` and `attest` are x-only (32 bytes in hex), `coin` compressed (33),
    `log` Ed25519 (32).
    """

    owner: str
    nostr: str
    attest: str
    coin: str
    log: str
