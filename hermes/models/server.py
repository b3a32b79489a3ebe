"""Where a model's server is and how patient to be with it: values only."""

import math
from urllib.parse import urlsplit

import msgspec

from hermes.core.request import Profile
from hermes.errors import Usage

_PORTS = {"http": 80, "https": 443}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """An OpenAI-compatible server. `base_url` is `http(s)://host:port[/path]`, `/v1` optional.

    `uds`: path of a unix socket to use instead of host and port. `window` in tokens.
    `embedded`: our own engine, which is told to reuse its prompt cache and can count.
    `tokens`: the model's control tokens, which are kept out of foreign text.
    """

    model: str
    base_url: str = "http://localhost/v1"
    uds: str = ""
    api_key: str = ""
    window: int = 4096
    profile: Profile = "lean"
    headers: tuple[tuple[str, str], ...] = ()
    embedded: bool = False
    tokens: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Everything but the key and headers, which may hold one."""
        where = self.uds or self.base_url
        return f"Server(model={self.model!r}, at={where!r}, window={self.window})"

    @property
    def root(self) -> str:
        """The address without `/v1`; raises Usage where it is none."""
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in _PORTS and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not self.base_url.isascii() or any(c <= " " for c in self.base_url):
            raise Usage(
                f"{self.base_url!r} is no server's address",
                "write it as http://HOST:PORT/v1#MODEL",
            )
        return self.base_url.partition("#")[0].rstrip("/").removesuffix("/v1")

    @property
    def secure(self) -> bool:
        """Whether it is reached through TLS."""
        return urlsplit(self.base_url).scheme == "https"


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds to wait: for a connection, the first token, each next one."""

    connect_s: float = 5.0
    first_token_s: float = 120.0
    between_tokens_s: float = 60.0


class Retry(msgspec.Struct, frozen=True):
    """How often to try again, and how long to pause before.

    A server that asks for a longer pause than `longest_s` is not tried again: the person
    is told instead. `jitter`: the share of a pause that is left to chance.
    """

    times: int = 2
    first_s: float = 0.5
    longest_s: float = 20.0
    jitter: float = 0.5

    def pause(self, tried: int, asked_s: float | None, chance: float) -> float | None:
        """Return the seconds before the next try, None for giving up.

        Args:
            tried: how often it was tried.
            asked_s: what the server asked for.
            chance: a number from 0 to 1.
        """
        if tried > self.times or (asked_s or 0.0) > self.longest_s:
            return None
        own = min(self.first_s * math.pow(2, tried - 1), self.longest_s)
        return max(asked_s or 0.0, own * (1 - self.jitter * chance))
