"""SOUL.md as bytes: its digest, and how two of them differ. Blocks on the disk."""

import difflib
import hashlib
from pathlib import Path

from hermes.identity.whole import read_whole

_LONGEST = 1 << 20
_CONTEXT = 2


def soul_bytes(path: Path) -> bytes:
    """The file's bytes; raises OSError, also when it is longer than 1 MB."""
    data = read_whole(path, _LONGEST + 1)
    if len(data) > _LONGEST:
        raise OSError(0, "longer than 1 MB")
    return data


def soul_digest(data: bytes) -> str:
    """What is attested: SHA-256 of the bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def soul_diff(attested: bytes | None, now: bytes) -> str:
    """The change as a unified diff; the whole text where the attested one is not kept."""
    old = (attested or b"").decode(errors="replace").splitlines()
    new = now.decode(errors="replace").splitlines()
    lines = difflib.unified_diff(old, new, "SOUL.md (attested)", "SOUL.md", "", "", _CONTEXT, "")
    return "\n".join(lines)
