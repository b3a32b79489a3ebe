"""What a build's box gives back, read as the hostile bytes that they are.

A frame is a line of JSON and as many bytes as its `size` says. A path is plain and relative, a
file is a regular one: everything else ends the reading.
"""

from collections.abc import Iterator

import msgspec

from hermes.errors import BuildFailed

MOST_BYTES = 128 << 20
MOST_FILES = 20_000
_HEAD = 16_384
_PATH = 1_024
_NAME = 255
_NEVER = {"", ".", "..", ".git", "__pycache__"}


class Frame(msgspec.Struct, frozen=True):
    """A head as it is written; which fields are set says what it is about."""

    size: int = 0
    path: str = ""
    x: bool = False
    gone: bool = False
    pyc: bool = False
    odd: str = ""
    broken: str = ""
    refused: str = ""
    before: str = ""
    after: str = ""
    end: bool = False


def read_frames(said: bytes) -> Iterator[tuple[Frame, bytes]]:
    """Head and bytes of each, up to the end that must be there; raises BuildFailed."""
    at = count = 0
    while True:
        stop = said.find(b"\n", at, at + _HEAD)
        if stop < 0:
            raise BuildFailed("the box that builds did not finish what it said")
        try:
            frame = msgspec.json.decode(said[at:stop], type=Frame)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BuildFailed(f"the box that builds says what is no frame: {error}") from error
        if frame.end:
            return
        at, count = stop + 1 + frame.size, count + 1
        if frame.size < 0 or at > len(said) or count > MOST_FILES:
            raise BuildFailed("the box that builds says more than it gives, or too much")
        if frame.path:
            check_path(frame.path)
        yield frame, said[stop + 1 : at]


def check_path(path: str) -> None:
    """Refuse what is no plain relative path of a source file; raises BuildFailed."""
    parts = path.split("/")
    if (
        len(path) > _PATH
        or not path.isprintable()
        or "\\" in path
        or any(part.lower() in _NEVER or len(part.encode()) > _NAME for part in parts)
    ):
        raise BuildFailed(f"{path[:200]!a} is no path that a tree may have")
