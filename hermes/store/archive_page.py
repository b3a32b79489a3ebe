"""The page that leads an archive: which conversations it holds, and blocks that nothing links.

A page travels in archives only: it is read on the way in and never kept.
"""

from collections.abc import Sequence

import msgspec

from hermes.core.canonical import Block, Value, decode, encode, link, link_blob, unlink
from hermes.core.ids import Cid, ConversationId, is_uuid

ARCHIVE_KIND = "hermes/archive/1"
PAGE_LINKS = 2_048
_TITLE_MOST = 1_000
_ROOT_MOST = 4_096
_HEADS_MOST = 10_000


class Carried(msgspec.Struct, frozen=True):
    """A conversation in an archive; what no block of it says."""

    id: ConversationId
    title: str
    root: str
    private: bool
    heads: tuple[Cid, ...]


def page(
    conversations: Sequence[Carried], blocks: Sequence[Cid] = (), blobs: Sequence[str] = ()
) -> Block:
    """Make a page."""
    told: list[Value] = [
        {
            "id": one.id,
            "title": one.title,
            "root": one.root,
            "private": one.private,
            "heads": [link(cid) for cid in one.heads],
        }
        for one in conversations
    ]
    links: list[Value] = [link(cid) for cid in blocks]
    raws: list[Value] = [link_blob(digest) for digest in blobs]
    return encode({"t": ARCHIVE_KIND, "conversations": told, "blocks": links, "blobs": raws})


def conversations_of(data: bytes) -> tuple[Carried, ...]:
    """Read a page's conversations; raises ValueError."""
    value = decode(data)
    told = value.get("conversations") if isinstance(value, dict) else None
    if not isinstance(told, list):
        raise ValueError("not an archive's page")  # noqa: TRY004 - bad bytes, not a bad type
    return tuple(map(_carried, told))


def _carried(value: Value) -> Carried:
    match value:
        case {
            "id": str(identity),
            "title": str(title),
            "root": str(root),
            "private": bool(private),
            "heads": list(heads),
        } if is_uuid(identity) and len(title) <= _TITLE_MOST and len(root) <= _ROOT_MOST:
            named = dict.fromkeys(unlink(raw) for raw in heads if isinstance(raw, bytes))
            if len(named) > _HEADS_MOST:
                raise ValueError(f"a conversation of {len(named)} ends")
            return Carried(ConversationId(identity), title, root, private, tuple(named))
        case _:
            raise ValueError("not a conversation of an archive")
