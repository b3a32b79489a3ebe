"""WebSocket frames as bytes, cut apart but hardly read: pure. Source: RFC 6455, no extensions."""

from typing import NamedTuple

TEXT = 1
_FIN, _OPCODE = 0x80, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_TWO, _EIGHT = 126, 127
_MASK = 4
_SMALL = 125


class FrameTooLarge(Exception):
    """A frame that is longer than we take."""


class Frame(NamedTuple):
    """One whole frame: as it came, and where in it the content begins."""

    raw: bytes
    start: int

    @property
    def is_text(self) -> bool:
        """Whether it is a whole text message."""
        return self.raw[0] == _FIN | TEXT

    def content(self, most: int | None = None) -> bytes:
        """Its content, unmasked; only the first `most` bytes of it."""
        end = len(self.raw) if most is None else self.start + most
        data = self.raw[self.start : end]
        if not self.raw[1] & _MASKED:
            return data
        mask = self.raw[self.start - _MASK : self.start]
        whole = (mask * (len(data) // _MASK + 1))[: len(data)]
        return (int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")).to_bytes(
            len(data), "big"
        )


def split(data: bytearray, most: int) -> list[Frame]:
    """Take the whole frames from the front of some bytes; raises FrameTooLarge."""
    frames: list[Frame] = []
    at = 0
    while (ends := _ends(data, at)) is not None:
        start, end = ends
        if end - start > most:
            raise FrameTooLarge
        if end > len(data):
            break
        frames.append(Frame(bytes(data[at:end]), start - at))
        at = end
    del data[:at]
    return frames


def text_frame(text: bytes) -> bytes:
    """A whole text message of a server."""
    size = len(text)
    if size <= _SMALL:
        return bytes((_FIN | TEXT, size)) + text
    if size < 1 << 16:
        return bytes((_FIN | TEXT, _TWO)) + size.to_bytes(2, "big") + text
    return bytes((_FIN | TEXT, _EIGHT)) + size.to_bytes(8, "big") + text


def masked_frame(opcode: int, data: bytes) -> Frame:
    """A whole message of a client; its mask is zero."""
    plain = text_frame(data)
    start = len(plain) - len(data)
    head = bytes((_FIN | opcode, _MASKED | plain[1])) + plain[2:start] + bytes(_MASK)
    return Frame(head + data, len(head))


def _ends(data: bytearray, at: int) -> tuple[int, int] | None:
    """Where a frame's content begins and ends; None: its head is not whole."""
    if len(data) < at + 2:
        return None
    size = data[at + 1] & _LENGTH
    wide = {_TWO: 2, _EIGHT: 8}.get(size, 0)
    start = at + 2 + wide + (_MASK if data[at + 1] & _MASKED else 0)
    if len(data) < start:
        return None
    if wide:
        size = int.from_bytes(data[at + 2 : at + 2 + wide], "big")
    return start, start + size
