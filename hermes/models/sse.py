"""Server-sent events out of bytes, as they arrive: the WHATWG format, and what is sent for it.

A server that answers with one JSON document although asked to stream counts as one event.
Sizes are capped; time is linear in the bytes.
"""

import re

from hermes.errors import ModelGarbled

LINE_MOST = 4 * 1024 * 1024
ANSWER_MOST = 16 * 1024 * 1024

_BREAKS = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data", b"event", b"id", b"retry", b"error", b"")
_REMEDY = "check the model's address (--model URL#NAME)"


class EventStream:
    """Turns bytes into the `data` of events. A sans-IO machine: feed it, then finish it."""

    def __init__(self) -> None:
        self._total = 0
        self._line = bytearray()
        self._after_cr = False
        self._data: list[bytes] = []
        self._first = True
        self._document: list[bytes] | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes, return the events that they complete; raises ModelGarbled."""
        self._total += len(chunk)
        if self._total > ANSWER_MOST:
            raise ModelGarbled(f"the answer is larger than {ANSWER_MOST} bytes", "ask for less")
        if self._first:
            chunk = self._begin(chunk)
        if self._document is not None:
            self._document.append(chunk)
            return []
        if self._after_cr and chunk:
            chunk, self._after_cr = chunk.removeprefix(b"\n"), False
        first, *others = _BREAKS.split(chunk)
        self._after_cr = chunk.endswith(b"\r")
        self._line += first
        events = []
        for part in others:
            events += self._ended(bytes(self._line))
            self._line = bytearray(part)
        if len(self._line) > LINE_MOST:
            raise ModelGarbled(f"a line of the answer is longer than {LINE_MOST} bytes")
        return events

    def finish(self) -> list[bytes]:
        """Return what stands at the end without a final blank line."""
        if self._document is not None:
            return [b"".join(self._document)]
        events = self._ended(bytes(self._line)) if self._line else []
        self._line.clear()
        return events + self._ended(b"")

    def _begin(self, chunk: bytes) -> bytes:
        """Look at the first bytes: an event stream, a JSON document, or neither."""
        self._line += chunk
        begun = bytes(self._line)
        if _BOM.startswith(begun[:3]) and len(begun) < len(_BOM):
            return b""
        begun = begun.removeprefix(_BOM)
        if not begun.strip():
            return b""
        self._first = False
        self._line.clear()
        if begun.lstrip()[:1] in (b"{", b"["):
            self._document = []
        return begun

    def _ended(self, line: bytes) -> list[bytes]:
        if len(line) > LINE_MOST:
            raise ModelGarbled(f"a line of the answer is longer than {LINE_MOST} bytes")
        if not line:
            data, self._data = self._data, []
            return [b"\n".join(data)] if data else []
        field, _, value = line.partition(b":")
        if field not in _FIELDS:
            raise ModelGarbled(f"the server sent no event stream but {line[:80]!r}", _REMEDY)
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        if field == b"error":  # llama.cpp's older servers
            return [b'{"error":' + value + b"}"]
        return []
