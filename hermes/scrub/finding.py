"""What a rule finds in a text: a kind, which chooses the placeholder, and the very value."""

from typing import Literal, NamedTuple

Kind = Literal[
    "address",
    "card",
    "email",
    "home",
    "iban",
    "ipv4",
    "ipv6",
    "key",
    "mac",
    "name",
    "password",
    "pem",
    "person",
    "phone",
    "seed",
    "token",
]


class Finding(NamedTuple):
    """One secret or personal value; `word`: it is replaced only where it stands by itself."""

    kind: Kind
    value: str
    word: bool = False
