r"""Serves a model on the loopback of a box, while a command runs; nobody imports it.

Run as `python -I -S inside_model.py FD PORT CMD…`. Requests go out on FD to `broker`, one at a
time: `SIZE\\n` and a body; back come `STATUS SIZE\\n` and a body. A client that asks for a stream
gets the whole answer as its only piece.
"""

import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_TURN = threading.Lock()
_OUT = socket.socket(fileno=int(sys.argv[1]))
_LINES = _OUT.makefile("rwb")


def ask(body: bytes) -> tuple[int, bytes]:
    """One request out, its answer back."""
    with _TURN:
        _LINES.write(b"%d\n%b" % (len(body), body))
        _LINES.flush()
        status, size = map(int, _LINES.readline().split())
        return status, _LINES.read(size)


def streamed(answer: bytes) -> bytes:
    """A whole answer as the events of a stream."""
    told = json.loads(answer)
    choice = told["choices"][0]
    first = {"index": 0, "delta": choice["message"], "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    chunks = [{"object": "chat.completion.chunk", "choices": [one]} for one in (first, last)]
    chunks.append({"object": "chat.completion.chunk", "choices": [], "usage": told["usage"]})
    return (
        b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in chunks) + b"data: [DONE]\n\n"
    )


class Door(BaseHTTPRequestHandler):
    """The address."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Which models there are; what a server of a certain kind would tell of itself, no."""
        if self.path == "/v1/models":
            self.say(200, b'{"object": "list", "data": [{"id": "parent", "object": "model"}]}')
        else:
            self.say(404, b'{"error": {"message": "not here"}}')

    def do_POST(self) -> None:
        """A chat completion."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path != "/v1/chat/completions":
            self.say(404, b'{"error": {"message": "not here"}}')
            return
        status, answer = ask(body)
        if status == 200 and json.loads(body).get("stream"):  # noqa: PLR2004 - as HTTP has it
            self.say(200, streamed(answer), "text/event-stream")
        else:
            self.say(status, answer)

    def say(self, status: int, body: bytes, kind: str = "application/json") -> None:
        """Answer."""
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Nobody reads it."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.exit(subprocess.run(sys.argv[3:], check=False).returncode)  # noqa: S603 - the point
