"""Canonical blocks as rows: every durable fact is one, written with its projection."""

import os
from collections.abc import Iterable

from hermes.core.canonical import Block, Value, encode, link
from hermes.core.ids import Cid
from hermes.errors import StoreError
from hermes.store.statement import Statement

_INSERT = "INSERT INTO blocks (cid, kind, data) VALUES (?, ?, ?) ON CONFLICT (cid) DO NOTHING"


def block_statement(kind: str, block: Block) -> Statement:
    """Store a block; one that is there already stays."""
    return Statement(_INSERT, (block.cid, kind, block.data), append=True, size=len(block.data))


def unwritable(error: ValueError) -> StoreError:
    """The error for text that is no Unicode: half a surrogate pair, as broken JSON yields."""
    return StoreError(
        f"this text cannot be stored: {error}", "replace what is no Unicode where it comes in"
    )


def record(kind: str, parents: Iterable[Cid], fields: dict[str, Value]) -> tuple[Cid, Statement]:
    """Make a block of a store's own record and the statement that keeps it.

    The salt keeps short texts unguessable from their digest after they are erased. Raises
    StoreError on text that is no Unicode.
    """
    links: list[Value] = [link(cid) for cid in parents]
    try:
        block = encode(fields | {"t": kind, "parents": links, "salt": os.urandom(16).hex()})
    except ValueError as error:
        raise unwritable(error) from error
    return block.cid, block_statement(kind, block)
