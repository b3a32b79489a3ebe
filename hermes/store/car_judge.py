"""What a section of an archive would be in this store; everything in it is somebody else's.

Only messages get a row, because only they are read again; a foreign intent must not become
an entry that `undo` carries out, nor a foreign memory something that the model is told.
"""

import re

import msgspec

from hermes.core.canonical import Block, decode, encode
from hermes.core.ids import is_uuid
from hermes.core.message import MESSAGE_KIND, Message, message_of
from hermes.errors import ProofInvalid
from hermes.store.archive_page import ARCHIVE_KIND, Carried, conversations_of
from hermes.store.car import Section
from hermes.store.links import links_of

_KIND = re.compile(r"[a-z][a-z0-9./-]{0,63}")
_PARENTS_MOST = 1_024
_LATEST = 253_402_300_799_999  # the end of the year 9999: what lies beyond has no date


class Blob(msgspec.Struct, frozen=True):
    """Plain bytes; `name` is the section's binary CID, as everywhere here."""

    name: bytes
    digest: str
    data: bytes


class Kept(msgspec.Struct, frozen=True):
    """A block, and its message where it is one."""

    name: bytes
    kind: str
    block: Block
    message: Message | None


class Page(msgspec.Struct, frozen=True):
    """An archive's own words."""

    name: bytes
    conversations: tuple[Carried, ...]


Judged = Blob | Kept | Page


def judge(one: Section) -> Judged:
    """Say what a section is; raises ProofInvalid naming it when it cannot be kept."""
    if one.raw:
        return Blob(one.cid, one.digest, one.data)
    block = None
    try:
        value = decode(one.data)
        links_of(value)  # bounds the depth before anything recursive sees it
        block = encode(value)
        if block.data != one.data or not isinstance(value, dict):
            raise ValueError("not in canonical form")  # noqa: TRY301 - one place says which block
        kind = value.get("t")
        if kind == ARCHIVE_KIND:
            return Page(one.cid, conversations_of(one.data))
        if not isinstance(kind, str) or not _KIND.fullmatch(kind):
            raise ValueError("not a block of Hermes")  # noqa: TRY301
        message = _message(one.data) if kind == MESSAGE_KIND else None
    except (ValueError, TypeError) as error:
        name = block.cid if block else one.digest
        raise ProofInvalid(f"block {name} cannot be kept: {error}") from error
    return Kept(one.cid, kind, block, message)


def _message(data: bytes) -> Message:
    message = message_of(data)
    if len(message.parents) > _PARENTS_MOST:
        raise ValueError(f"a message of {len(message.parents)} parents")
    if not 0 <= message.at <= _LATEST:
        raise ValueError("a message out of time")
    if not is_uuid(message.conversation):
        raise ValueError("a message of no conversation")
    return message
