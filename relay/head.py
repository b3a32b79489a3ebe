"""The head of an HTTP request, as far as the front door needs it: pure, on bytes."""

from email.utils import formatdate
from typing import NamedTuple

import h11

MOST_HEAD = 16 << 10


class HeadInvalid(Exception):
    """These bytes do not begin an HTTP request."""


class Head(NamedTuple):
    """Method, path and headers (names in lower case), and what was said after it."""

    method: str
    path: str
    headers: dict[str, str]
    rest: bytes = b""

    @property
    def upgrades(self) -> bool:
        """Whether a WebSocket is asked for."""
        return self.headers.get("upgrade", "").lower() == "websocket"


def read_head(data: bytes) -> Head | None:
    """The head, once it is whole; raises HeadInvalid."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEAD)
    try:
        parser.receive_data(data)
        event = parser.next_event()
    except h11.RemoteProtocolError as error:
        raise HeadInvalid(str(error)) from error
    if event is h11.NEED_DATA:
        return None
    if not isinstance(event, h11.Request):
        raise HeadInvalid("no request")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
    target, rest = event.target.decode("latin-1"), bytes(parser.trailing_data[0])
    return Head(event.method.decode(), target, headers, rest)


def dated(data: bytes, at: int) -> bytes:
    """An answer that says what time it is here, in seconds: callers compare clocks."""
    status, _, rest = data.partition(b"\r\n")
    return status + f"\r\nDate: {formatdate(at, usegmt=True)}\r\n".encode() + rest


def answer(status: str, body: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    """A whole answer; anybody's page may read it (NIP-11 wants that)."""
    data = body.encode()
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(data)}",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Headers: *",
        "Access-Control-Allow-Methods: GET",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + data
