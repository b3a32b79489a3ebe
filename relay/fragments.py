"""Puts a caller's message together that came in several frames. Source: RFC 6455, 5.4."""

from relay.frames import Frame, FrameTooLarge, masked_frame

_FIN, _OPCODE, _CONTROL = 0x80, 0x0F, 0x08


class Fragments:
    """One direction of one connection; `most` bytes of a message."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._opcode = 0
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, frame: Frame) -> Frame | None:
        """The message that this frame completes; None: more of it is to come.

        What is against the rules goes on as it is, and LocalRelay ends it. Raises FrameTooLarge.
        """
        opcode, last = frame.raw[0] & _OPCODE, frame.raw[0] & _FIN
        if opcode & _CONTROL or (last and opcode) or (not opcode and not self._opcode):
            return frame
        self._opcode = self._opcode or opcode
        content = frame.content()
        self._size += len(content)
        if self._size > self._most:
            raise FrameTooLarge
        if content:  # any number of empty ones adds up to nothing
            self._parts.append(content)
        if not last:
            return None
        whole = masked_frame(self._opcode, b"".join(self._parts))
        self._opcode, self._size = 0, 0
        self._parts.clear()
        return whole
