"""Writes GGUF files for tests: small, odd, or wrong."""

import struct
from collections.abc import Mapping, Sequence


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def typed(value: object) -> bytes:
    """A value after its type; bytes stand as they are."""
    match value:
        case bytes():
            written = value
        case int():
            written = struct.pack("<II", 4, value)
        case str():
            written = struct.pack("<I", 8) + text(value)
        case [str(), *_]:
            written = struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        case [*numbers]:
            written = struct.pack(f"<IIQ{len(numbers)}i", 9, 5, len(numbers), *numbers)
        case _:
            raise TypeError(value)
    return written


Tensor = tuple[str, Sequence[int], int, int]


def gguf(
    keys: Mapping[str, object], tensors: Sequence[Tensor] = (), body: int = 0, version: int = 3
) -> bytes:
    """A file: keys, tensor infos (name, dimensions, type, offset), `body` bytes of data."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    head += b"".join(text(key) + typed(value) for key, value in keys.items())
    for name, dimensions, kind, offset in tensors:
        head += text(name) + struct.pack(
            f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset
        )
    return head + bytes(-len(head) % 32) + bytes(body)
