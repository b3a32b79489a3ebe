"""A GGUF header's bytes: keys, where arrays lie, and how far the tensors reach.

Apart because it is pure: bytes in, values out, no file. Every count is compared with the bytes
that could hold it before anything is walked. (The `gguf` package needs numpy and maps the file.)
"""

import struct
from typing import NamedTuple

_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_CODES = {kind: struct.Struct("<" + code) for kind, code in _SCALARS.items()}
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_TENSOR = struct.Struct("<IQ")
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)
_HEAD_BYTES = 24
_KEY_BYTES = 13  # the least a key can take: length, type, one byte of value
_TENSOR_BYTES = 24
_DEPTH = 4
_DIMENSIONS = 8
_MOST_ALIGNMENT = 1 << 20
_BLOCKS = """
0 1 4, 1 1 2, 2 32 18, 3 32 20, 6 32 22, 7 32 24, 8 32 34, 9 32 36, 10 256 84, 11 256 110,
12 256 144, 13 256 176, 14 256 210, 15 256 292, 16 256 66, 17 256 74, 18 256 98, 19 256 50,
20 32 18, 21 256 110, 22 256 82, 23 256 136, 24 1 1, 25 1 2, 26 1 4, 27 1 8, 28 1 8, 29 256 56,
30 1 2, 34 256 54, 35 256 66, 39 32 17
"""  # ggml type, elements a block, bytes a block
_SIZES = {
    int(kind): (int(block), int(weight))
    for kind, block, weight in (row.split() for row in _BLOCKS.split(","))
}


class HeaderWrong(Exception):
    """The bytes are no GGUF header; the text says why."""


class HeaderCut(Exception):
    """The bytes end before the header does."""


class _Array(NamedTuple):
    kind: int
    length: int
    start: int


Value = str | int | float | bool | _Array


class Header(NamedTuple):
    """A parsed header; arrays stay in `data` until they are asked for."""

    data: bytes
    keys: dict[str, Value]
    parameters: int
    tensors_end: int

    def text(self, key: str) -> str:
        """The value of a key that holds text, else empty."""
        value = self.keys.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """The value of a key that holds a whole number, else 0."""
        value = self.keys.get(key)
        return value if isinstance(value, int) and value >= 0 else 0

    def numbers(self, key: str) -> tuple[int, ...]:
        """The elements of an array of whole numbers, else nothing."""
        value = self.keys.get(key)
        if not isinstance(value, _Array) or _SCALARS.get(value.kind, "f") in "fd":
            return ()
        return struct.unpack_from(f"<{value.length}{_SCALARS[value.kind]}", self.data, value.start)

    def strings(self, key: str, wanted: list[int], most: int) -> list[str]:
        """The wanted elements (ascending) of an array of text, those of 1 to `most` bytes."""
        value = self.keys.get(key)
        if not isinstance(value, _Array) or value.kind != _STRING:
            return []
        found = []
        at, seen = value.start, 0
        for index in wanted:
            if index >= value.length:
                break
            at = _pass_strings(self.data, at, index - seen)
            seen = index
            (length,) = _U64.unpack_from(self.data, at)
            if 0 < length <= most:
                found.append(self.data[at + 8 : at + 8 + length].decode(errors="replace"))
        return found


def read_header(data: bytes, size: int) -> Header:
    """Parse the beginning of a file of `size` bytes; raises HeaderWrong or HeaderCut."""
    try:
        return _Walk(data, size).header()
    except (struct.error, OverflowError) as error:  # an offset past the bytes, or past any file
        raise HeaderCut from error


def _pass_strings(data: bytes, at: int, count: int) -> int:
    unpack = _U64.unpack_from
    for _ in range(count):
        at += 8 + unpack(data, at)[0]
    return at


class _Walk:
    """One pass over the bytes."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self.size = size
        self.at = 4

    def header(self) -> Header:
        version = self._take(_U32)
        if version not in _VERSIONS:
            raise HeaderWrong(f"GGUF version {version} is not one of {_VERSIONS}")
        tensors, keys = self._take(_U64), self._take(_U64)
        if tensors * _TENSOR_BYTES + keys * _KEY_BYTES + _HEAD_BYTES > self.size:
            raise HeaderWrong(f"{tensors} tensors and {keys} keys do not fit into the file")
        values: dict[str, Value] = {}
        for _ in range(keys):
            key = self._string()
            values[key] = self._value(self._take(_U32))
        parameters, reach = self._tensors(tensors)
        alignment = values.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= _MOST_ALIGNMENT:
            raise HeaderWrong("its alignment is absurd")
        start = -(-self.at // alignment) * alignment
        return Header(self.data, values, parameters, start + reach if tensors else self.at)

    def _take(self, code: struct.Struct) -> int:
        (value,) = code.unpack_from(self.data, self.at)
        self.at += code.size
        return int(value)

    def _string(self) -> str:
        length = self._take(_U64)
        start = self.at
        self._skip(length)
        return self.data[start : self.at].decode(errors="replace")

    def _skip(self, length: int) -> None:
        if length > self.size - self.at:
            raise HeaderWrong(f"a length of {length} at byte {self.at} exceeds the file")
        self.at += length
        if self.at > len(self.data):
            raise HeaderCut

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(_DEPTH)
        code = self._code(kind)
        (value,) = code.unpack_from(self.data, self.at)
        self.at += code.size
        return value if isinstance(value, int | float) else 0

    def _code(self, kind: int) -> struct.Struct:
        if (code := _CODES.get(kind)) is None:
            raise HeaderWrong(f"an unknown value type {kind} at byte {self.at}")
        return code

    def _array(self, depth: int) -> _Array:
        kind, count = self._take(_U32), self._take(_U64)
        array = _Array(kind, count, self.at)
        if kind == _ARRAY:
            self._room(count * 12)
            if not depth:
                raise HeaderWrong("its arrays are nested too deeply")
            for _ in range(count):
                self._array(depth - 1)
        elif kind == _STRING:
            self._room(count * 8)
            end = _pass_strings(self.data, self.at, count)
            self._skip(end - self.at)
        else:
            self._skip(count * self._code(kind).size)
        return array

    def _room(self, length: int) -> None:
        if length > self.size - self.at:
            raise HeaderWrong(f"an array at byte {self.at} exceeds the file")

    def _tensors(self, count: int) -> tuple[int, int]:
        parameters = reach = 0
        for _ in range(count):
            self._string()
            dimensions = self._take(_U32)
            if dimensions > _DIMENSIONS:
                raise HeaderWrong(f"a tensor of {dimensions} dimensions")
            elements = 1
            for _ in range(dimensions):
                elements *= self._take(_U64)
            kind, offset = _TENSOR.unpack_from(self.data, self.at)
            self.at += _TENSOR.size
            block, weight = _SIZES.get(kind, (elements or 1, 1))  # unknown: only its start counts
            parameters += elements
            reach = max(reach, offset + -(-elements // block) * weight)
        return parameters, reach
