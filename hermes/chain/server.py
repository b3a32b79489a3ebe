"""The address of a chain server as the settings write it, and what may be shown of it.

Credentials stand in the URL and nowhere else: `shown` leaves them out, and so must every error.
"""

import re
from typing import Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from hermes.errors import SettingsInvalid

Protocol = Literal["core", "electrum", "esplora"]
Transport = Literal["http", "https", "ws", "wss", "tcp", "tls"]
_TRANSPORTS: dict[Protocol, dict[Transport, int]] = {
    "core": {"http": 8332, "https": 8332},
    "electrum": {"tcp": 50001, "tls": 50002, "ws": 50003, "wss": 50004},
    "esplora": {"http": 80, "https": 443},
}
_REMEDY = "write chain.backend as core+http://USER:PASSWORD@HOST:PORT, electrum+tls://HOST:PORT or esplora+https://HOST/api"
_ASKED = {"cookie", "sha256"}
_MOST_SAID = 200
_PIN = re.compile(r"[0-9a-f]{64}")


class Server(msgspec.Struct, frozen=True):
    """Where a server is and how it talks; `path` without its last slash."""

    protocol: Protocol
    transport: Transport
    host: str
    port: int
    path: str
    user: str = ""
    password: str = ""
    pin: str = ""
    """SHA-256 of the certificate to expect, in hex; empty: whatever the machine trusts."""
    cookie: str = ""
    """Path of the file in which Core writes its user and password; empty: they are above."""

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The address without credentials, path or query."""
        return f"{self.protocol}+{self.transport}://{self.authority}"

    def __repr__(self) -> str:
        return f"Server({self.shown})"


def server_of(url: str) -> Server:
    """Read a server's address; raises SettingsInvalid, which repeats no credentials."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise SettingsInvalid("chain.backend is no address", _REMEDY) from None
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "@" in parts.path or parts.fragment or not asked.keys() <= _ASKED:
        # A password cut there would leave its rest for a host or a path, which is shown.
        raise SettingsInvalid("a / ? # @ in chain.backend's password is %2F %3F %23 %40", _REMEDY)
    protocol, _, transport = parts.scheme.partition("+")
    ways = {name: ports for name, ports in _TRANSPORTS.items() if name == protocol}
    default = {way: number for ports in ways.values() for way, number in ports.items()}
    if transport not in default or not parts.hostname:
        raise SettingsInvalid(f"chain.backend begins with {parts.scheme!r}", _REMEDY)
    return Server(
        protocol=next(name for name in get_args(Protocol) if name == protocol),
        transport=next(way for way in get_args(Transport) if way == transport),
        host=parts.hostname,
        port=port or next(number for way, number in default.items() if way == transport),
        path=parts.path.rstrip("/"),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        pin=_pin(asked.get("sha256", "")),
        cookie=asked.get("cookie", ""),
    )


def _pin(text: str) -> str:
    """The digest in `?sha256=…`, with or without colons."""
    pin = text.replace(":", "").lower()
    if pin and not _PIN.fullmatch(pin):
        raise SettingsInvalid("chain.backend pins a certificate by what is no SHA-256", _REMEDY)
    return pin


def said(words: object) -> str:
    """A server's words, fit for a terminal: one line, printable, not long."""
    text = "".join(one if one.isprintable() else " " for one in str(words))
    return text if len(text) <= _MOST_SAID else text[:_MOST_SAID] + "…"
