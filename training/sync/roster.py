"""Who trains together over the mesh: names, keys and endpoints, in a TOML file that all share.

The roster is the admission: whoever stands in it may read what the run makes, and nobody else.
"""

import ipaddress
import os
import re
import secrets
import tomllib
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from hermes.errors import Usage
from hermes.identity.hot import HotKey
from training.sync.transport import check_worker
from training.sync.words import MOST_WORKERS

_LARGEST = 1 << 16
_KEY = re.compile(r"[0-9a-f]{64}")
_EXAMPLE = 'write [workers.NAME] with key = "…" and blobs = "http://ADDRESS:PORT", and relays = […]'


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One worker: its x-only key in hex, and its blob endpoint as the others reach it.

    `listen`: where it listens, if that is another address, as behind a proxy that speaks TLS.
    """

    key: str
    blobs: str
    listen: str = ""

    @property
    def door(self) -> str:
        """Where its endpoint listens, ADDRESS:PORT."""
        return self.listen or urlsplit(self.blobs).netloc


class Roster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run's workers, and the relays over which they talk."""

    workers: Mapping[str, Peer]
    relays: tuple[str, ...] = ()
    run: str = "train"
    """Tells two runs of the same workers apart."""


def read_roster(path: Path) -> Roster:
    """Read a roster; blocks. Raises Usage, which says what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8") if path.stat().st_size <= _LARGEST else ""
        roster = msgspec.convert(tomllib.loads(text), Roster)
        ports = [urlsplit(one.blobs).port for one in roster.workers.values()]
    except (OSError, ValueError, RecursionError) as error:
        raise Usage(f"{path} is no roster: {error}", _EXAMPLE) from error
    keys = [one.key for one in roster.workers.values()]
    for name in roster.workers:
        check_worker(name)
    if not all(_KEY.fullmatch(key) for key in keys) or len(set(keys)) != len(keys):
        raise Usage(f"{path}: each worker has a key of its own, 64 hexadecimal digits", _EXAMPLE)
    if not 2 <= len(keys) <= MOST_WORKERS or not all(ports) or not roster.relays:  # noqa: PLR2004 - nobody trains together alone
        raise Usage(f"{path}: relays, and 2 to {MOST_WORKERS} workers with ports", _EXAMPLE)
    _check_relays(path, roster.relays)
    return roster


def worker_key(path: Path) -> HotKey:
    """This worker's key, made at the first call; blocks. Raises Usage where it is damaged."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{uuid.uuid4().hex}")
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        aside.replace(path)
    try:
        return HotKey(bytes.fromhex(path.read_text("ascii").strip()))
    except ValueError as error:
        raise Usage(f"{path} holds no key", "move it away: a new one is made") from error


def check_place(roster: Roster, me: str, key: HotKey) -> None:
    """Whether this worker is who the roster says; raises Usage, which tells what to write."""
    found = roster.workers.get(me)
    if found is None or found.key != key.public:
        raise Usage(
            f"the roster has no worker {me!r} with this machine's key",
            f'write: [workers.{me}] key = "{key.public}"',
        )
    host = found.door.rpartition(":")[0]
    try:
        ipaddress.IPv4Address(host)
    except ValueError as error:
        raise Usage(
            f"{me} cannot listen on {found.door}", 'name an address: listen = "127.0.0.1:7450"'
        ) from error


def _check_relays(path: Path, relays: tuple[str, ...]) -> None:
    if not all(url.startswith(("ws://", "wss://")) for url in relays):
        raise Usage(f"{path}: relays begin with ws:// or wss://", _EXAMPLE)
