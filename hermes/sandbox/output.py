"""A command's output, bounded: the head and the tail stay, the middle is dropped as it comes."""

from collections import deque


class Output:
    """Collects bytes up to a cap; half of it for the head, half for the tail."""

    def __init__(self, cap_bytes: int) -> None:
        self._room = max(cap_bytes, 2) // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._newlines = 0
        self._last = b"\n"
        self.dropped = 0

    def add(self, piece: bytes) -> None:
        """Take more output."""
        if not piece:
            return
        self._newlines += piece.count(b"\n")
        self._last = piece[-1:]
        fits = self._room - len(self._head)
        self._head += piece[:fits]
        if rest := piece[fits:]:
            self._tail.append(rest)
            self._tail_size += len(rest)
            self._shed()

    def _shed(self) -> None:
        while self._tail_size > self._room:
            over = self._tail_size - self._room
            oldest = self._tail.popleft()
            if len(oldest) > over:
                self._tail.appendleft(oldest[over:])
            cut = min(over, len(oldest))
            self._tail_size -= cut
            self.dropped += cut

    @property
    def lines(self) -> int:
        """How many lines came, the dropped ones counted."""
        return self._newlines + (self._last != b"\n")

    def parts(self) -> tuple[bytes, bytes]:
        """The head and the tail; nothing is missing between them while `dropped` is 0."""
        return bytes(self._head), b"".join(self._tail)
