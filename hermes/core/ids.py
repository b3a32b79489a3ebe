"""Identifiers: UUIDv7 for things that happen, CIDs for things that are."""

import os
import time
from typing import NewType

ConversationId = NewType("ConversationId", str)
SessionId = NewType("SessionId", str)
TurnId = NewType("TurnId", str)
CallId = NewType("CallId", str)
NodeId = NewType("NodeId", str)
Cid = NewType("Cid", str)


def uuid7() -> str:
    """Make a UUIDv7 (RFC 9562 §5.7): sorts by the millisecond it was made in."""
    stamp = (time.time_ns() // 1_000_000) & ((1 << 48) - 1)
    noise = int.from_bytes(os.urandom(10), "big")
    value = (
        stamp << 80 | 0x7 << 76 | ((noise >> 62) & 0xFFF) << 64 | 0x2 << 62 | noise & (1 << 62) - 1
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_uuid(text: str) -> bool:
    """Whether the text has a UUID's form, in lower case."""
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and all(
        c in "0123456789abcdef" for part in parts for c in part
    )
