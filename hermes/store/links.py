"""What a block points at: other blocks, and bytes; read from any block, whoever made it."""

from typing import NamedTuple

from hermes.core.canonical import Value, unlink, unlink_blob
from hermes.core.ids import Cid
from hermes.store.journal import INTENT_KIND

_DEPTH = 64
_HEX = frozenset("0123456789abcdef")
_DIGEST = 64


class Links(NamedTuple):
    """Names that a block holds, in the order they stand in it."""

    blocks: tuple[Cid, ...]
    blobs: tuple[str, ...]


def links_of(value: Value) -> Links:
    """Collect a decoded block's links; raises ValueError where it is nested too deeply.

    An intent names its files' earlier bytes by digests in text; they count as links.
    """
    blocks: dict[Cid, None] = {}
    blobs: dict[str, None] = dict.fromkeys(_befores(value))
    level: list[Value] = [value]
    for _ in range(_DEPTH):
        below: list[Value] = []
        for item in level:
            match item:
                case bytes():
                    _sort(item, blocks, blobs)
                case list():
                    below += item
                case dict():
                    below += item.values()
                case _:
                    continue
        if not below:
            return Links(tuple(blocks), tuple(blobs))
        level = below
    raise ValueError(f"nested in more than {_DEPTH} levels")


def _sort(raw: bytes, blocks: dict[Cid, None], blobs: dict[str, None]) -> None:
    try:
        blobs[unlink_blob(raw)] = None
    except ValueError:
        blocks[unlink(raw)] = None


def _befores(value: Value) -> list[str]:
    if not isinstance(value, dict) or value.get("t") != INTENT_KIND:
        return []
    changes = value.get("changes")
    found = [change.get("before") for change in _maps(changes)]
    return [one for one in found if isinstance(one, str) and _is_digest(one)]


def _maps(value: Value) -> list[dict[str, Value]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_digest(text: str) -> bool:
    return len(text) == _DIGEST and _HEX.issuperset(text)
