"""A patch as it was handed in, made into one unified diff; nothing of it is applied here.

Git, inside a box, is the only one who reads the diff itself: here its beginning and end are found
in what people and models write around it, and its size is bounded.
"""

import re

from hermes.errors import PatchInvalid

MOST = 1 << 20
"""Bytes of a diff, and of the text that it stands in."""
_FENCE = re.compile(rb"(`{3,}|~{3,})[ \t]*(\S*)[^\n]*")
_WORDS = {b"diff", b"patch", b"udiff"}
_HEAD = re.compile(rb"^(diff --git |--- (?=[^\n]*\n\+\+\+ ))", re.MULTILINE)


def read_patch(data: bytes) -> bytes:
    """The diff in a `.patch`, or all fenced diffs of a Markdown text, one after the other.

    Raises PatchInvalid where there is none, or too much.
    """
    if len(data) > MOST:
        raise PatchInvalid(
            f"the patch has {len(data)} bytes", f"a patch has {MOST} bytes at most: split it"
        )
    if not data.strip():
        raise PatchInvalid("the patch is empty")
    head = _HEAD.search(data)
    fences = _fenced(data)
    if fences and (head is None or _before(data, head.start())):
        return b"".join(fences)
    if head is None:
        raise PatchInvalid(
            "there is no diff in it",
            "give a unified diff, or Markdown with the diff in a fence: ```diff",
        )
    return _ended(data)


def _fenced(data: bytes) -> list[bytes]:
    """The diffs between fences at a line's beginning; a diff's own lines never start there."""
    found: list[bytes] = []
    fence, wanted, lines = b"", False, list[bytes]()
    for line in data.replace(b"\r\n", b"\n").split(b"\n"):
        if not fence:
            opened = _FENCE.fullmatch(line)
            if opened:
                fence, wanted, lines = opened[1], opened[2].lower() in _WORDS, []
        elif line.startswith(fence) and not line.strip(fence[:1] + b" \t"):
            if wanted and any(lines):
                found.append(_ended(b"\n".join(lines)))
            fence = b""
        else:
            lines.append(line)
    return found


def _before(data: bytes, head: int) -> bool:
    """Whether a fence is opened before the first diff begins: then the text is Markdown."""
    return any(_FENCE.fullmatch(line) for line in data[:head].replace(b"\r\n", b"\n").split(b"\n"))


def _ended(diff: bytes) -> bytes:
    return diff if diff.endswith(b"\n") else diff + b"\n"
