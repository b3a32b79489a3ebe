"""What this owner is made of, recorded at its start when it changed since the last one.

Runs beside the first turn: nothing waits for it. The default model's file is hashed once, and
again only when its size or time changed.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio.to_thread
import msgspec

import hermes
from hermes.config import Settings
from hermes.errors import HermesError
from hermes.models.gguf import shipped_model
from hermes.node.wish import SCRIPTED
from hermes.skin.skin import load_skin
from hermes.store.architecture import Architecture
from hermes.store.store import Store
from hermes.tools.registry import Registry

_KNOWN = "model-digests.json"
_KNOWN_MOST = 64


class Draught(NamedTuple):
    """What a state is drawn from."""

    settings: Settings
    soul: str
    skins: tuple[Path, ...]
    registry: Registry


async def record_architecture(
    store: Store, draught: Draught, report: Callable[[str, BaseException], None]
) -> None:
    """Record the state if it changed; what stands in the way is reported."""
    try:
        state = await anyio.to_thread.run_sync(_drawn, draught)
        await store.architectures.record(state)
    except (HermesError, OSError) as error:
        report("recording the architecture", error)


def _drawn(draught: Draught) -> Architecture:
    settings = draught.settings
    skin = load_skin(settings.skin, draught.skins)
    rules = {name: list(rules) for name, rules in settings.rules.items()}
    name, digest = _model(settings)
    return Architecture(
        version=hermes.__version__,
        model=name,
        model_digest=digest,
        parts={
            "soul": draught.soul.encode(),
            "skin": msgspec.json.encode(skin, order="sorted"),
            "tools": msgspec.json.encode(draught.registry.specs(), order="sorted"),
            "policy": msgspec.json.encode({"mode": settings.mode, "rules": rules}, order="sorted"),
        },
    )


def _model(settings: Settings) -> tuple[str, str]:
    """The default model's name, and its file's digest where it is a file."""
    spec = settings.model
    if spec.startswith(SCRIPTED):
        return SCRIPTED.removesuffix(":"), ""
    if "://" in spec:
        # Whoever puts a password or a key into the address does not mean it for the log.
        address = urlsplit(spec)
        bare = address.netloc.rpartition("@")[2]
        return address._replace(netloc=bare, query="", fragment="").geturl(), ""
    path = Path(spec).expanduser() if spec else shipped_model()
    digest = _digest(path, settings.data_dir / _KNOWN)
    return os.fsencode(path.stem).decode(errors="replace"), digest  # a name need not be text


def _digest(path: Path, notes: Path) -> str:
    found, key = path.stat(), os.fsencode(path).hex()
    sign = f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
    known: dict[str, list[str]] = {}
    with suppress(OSError, ValueError):
        known = msgspec.json.decode(notes.read_bytes(), type=dict[str, list[str]])
    match known.get(key):
        case [earlier, digest] if earlier == sign:
            return digest
        case _:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
    others = [(name, one) for name, one in known.items() if name != key]
    kept = dict([(key, [sign, digest]), *others[: _KNOWN_MOST - 1]])
    draft = notes.with_name(f".{notes.name}.new")
    draft.write_bytes(msgspec.json.encode(kept))
    draft.replace(notes)
    return digest
