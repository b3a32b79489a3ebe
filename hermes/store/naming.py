"""Which block somebody means by the beginning of its name."""

from typing import NamedTuple

from hermes.core.ids import Cid
from hermes.errors import Usage
from hermes.store.database import Database

_SHORTEST = 12  # every name of ours begins with the same seven letters
_FIND = """SELECT cid, kind, CAST(data AS BLOB) FROM blocks
    WHERE cid >= ?1 AND cid < ?1 || '~' ORDER BY cid LIMIT 2"""


class Named(NamedTuple):
    """A block; `data` None: it was erased."""

    cid: Cid
    kind: str
    data: bytes | None


async def block_named(database: Database, name: str) -> Named:
    """Find a block by its CID or how that begins; raises Usage."""
    start = name.strip().lower()
    if len(start) < _SHORTEST or not start.isalnum() or not start.isascii():
        raise Usage(
            f"{name!r} is no block's name",
            f"give its CID, or the first {_SHORTEST} characters: hermes conversations show --json",
        )
    rows = await database.read(_FIND, (start,))
    if len(rows) > 1:
        raise Usage(f"several blocks begin with {start}", "give more characters")
    if not rows:
        raise Usage(f"no block {start} in this store", "see: hermes conversations show --json")
    return Named(*rows[0])
