"""A scripted model behind an OpenAI-compatible address: chat completions and Responses.

`python -m benchmarks.peers.endpoint LOG` prints its port and serves on loopback until its
standard input closes. Each request is a JSON line in LOG: when it came, when the answer was
out (seconds), and its sizes in bytes.
"""

import gzip
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.peers.script import (
    Json,
    chunks,
    completion,
    plan,
    response,
    response_events,
    text_of,
    tools_of,
)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Endpoint"

    def log_message(self, *_: object) -> None:
        """Say nothing: LOG is the record."""

    def do_GET(self) -> None:
        """List the one model."""
        known = self.path.rstrip("/").endswith("/models")
        model = {"id": "fake", "object": "model", "owned_by": "hermes", "max_model_len": 131072}
        self._whole({"object": "list", "data": [model]} if known else {}, 200 if known else 404)

    def do_POST(self) -> None:
        """Answer as the script says."""
        arrived = time.time()
        raw = self._body()
        try:
            body = json.loads(raw)
        except ValueError:
            self._whole({}, 404)
            return
        is_response = "responses" in self.path
        messages = body.get("input" if is_response else "messages")
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        if not isinstance(messages, list):
            self._whole({}, 404)
            return
        tools = tools_of(body)
        calls = plan(messages, tools)
        whole = completion(f"{time.time_ns():x}", calls, len(raw))
        if is_response:
            whole = response(whole)
        # Written down before it is sent: who has the answer finds the record.
        system = [text_of(m) for m in messages if m.get("role") in {"system", "developer"}]
        self.server.note(
            at=arrived,
            size=len(raw),
            system=sum(map(len, system)) + len(body.get("instructions") or ""),
            tools=len(tools),
            tools_size=len(json.dumps(body.get("tools") or [])),
            calls=[name for name, _ in calls],
            messages=len(messages),
            done=time.time(),
        )
        if body.get("stream"):
            self._stream(response_events(whole) if is_response else chunks(whole))
        else:
            self._whole(whole)

    def _body(self) -> bytes:
        raw = b""
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self.rfile.readline().strip() or b"0", 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw

    def _whole(self, value: Json, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: list[Json]) -> None:
        parts = []
        for event in events:
            kind = f"event: {event['type']}\n" if "type" in event else ""
            parts.append(f"{kind}data: {json.dumps(event)}\n\n")
        if "type" not in events[0]:
            parts.append("data: [DONE]\n\n")
        data = "".join(parts).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Endpoint(ThreadingHTTPServer):
    """The server and its log."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, log: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self._log = log.open("a", buffering=1)
        self._lock = threading.Lock()

    def note(self, **record: object) -> None:
        """Write one request down."""
        with self._lock:
            self._log.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    endpoint = Endpoint(Path(sys.argv[1]))
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    print(endpoint.server_address[1], flush=True)
    sys.stdin.read()
