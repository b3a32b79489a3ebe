"""Which files a repository's index names: git writes them where it says, and does not look.

`git restore .` of a person writes each file that an index names, below `.git` and above the
working tree too. So an index is let out only where every name of it was read, and is plain.
It knows the index of SHA-1, and none that is kept in parts or read from several places.
"""

import struct
from collections.abc import Iterator

_HASH = 20
_STAT = 40
_LONG = 0xFFF  # as long as this, or longer
_MORE = 0x4000
_KNOWN = (b"TREE", b"REUC", b"UNTR", b"FSMN", b"sdir")
_NOWHERE = "a file where git would write none by itself"
_VERSIONS = (2, 3, 4)
_CUT = 4  # each name continues the one before


def folded(name: str) -> str:
    """A name as file systems that ignore case, and git on them, read it."""
    plain = name.casefold().rstrip(". ")
    return ".git" if plain == "git~1" else plain


def index_reason(data: bytes) -> str:
    """Why an index is refused; empty when it is not."""
    try:
        return "" if all(map(_is_plain, list(_names(data)))) else f"git's index names {_NOWHERE}"
    except (ValueError, struct.error, IndexError):
        return "git's index cannot be read here"


def conflicts_reason(data: bytes) -> str:
    """The same of the list of conflicts whose solutions git remembers and writes."""
    names = [line.partition(b"\t")[2] for line in data.split(b"\0") if line]
    return "" if all(map(_is_plain, names)) else f"git's conflicts name {_NOWHERE}"


def _is_plain(name: bytes) -> bool:
    steps = name.decode("utf-8", "surrogateescape").removesuffix("/").split("/")
    return not {"", ".git"} & set(map(folded, steps))


def _names(data: bytes) -> Iterator[bytes]:
    mark, version, count = struct.unpack_from(">4sLL", data)
    if mark != b"DIRC" or version not in _VERSIONS:
        raise ValueError
    at, before = 12, b""
    for _ in range(count):
        begun = at
        at += _STAT + _HASH
        (flags,) = struct.unpack_from(">H", data, at)
        at += 4 if flags & _MORE else 2
        kept = 0
        if version == _CUT:
            cut, at = _number(data, at)
            kept = len(before) - cut
            if kept < 0:
                raise ValueError
        end = data.index(b"\0", at)
        before = before[:kept] + data[at:end]
        if min(len(before), _LONG) != flags & _LONG:
            raise ValueError
        at = end + 1 if version == _CUT else begun + (end - begun + 8) // 8 * 8
        yield before
    _no_other_place(data[:-_HASH], at)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number as git packs it, and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (data[at] & 0x7F)
    return value, at + 1


def _no_other_place(data: bytes, at: int) -> None:
    """What follows the names is known, and does not lead to other ones."""
    while at < len(data):
        kind, size = struct.unpack_from(">4sL", data, at)
        if kind not in _KNOWN:
            raise ValueError
        at += 8 + size
    if at != len(data):
        raise ValueError
