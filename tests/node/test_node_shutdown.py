"""`hermes node` ends within five seconds beside relays that are no help at all."""

import base64
import contextlib
import hashlib
import signal
import socket
import threading

import pytest
from test_node_process import node
from test_node_process_mesh import machine

pytestmark = pytest.mark.timeout(240)


class Silent:
    """Takes connections and keeps them; answers a WebSocket's greeting if it `greets`, no more."""

    def __init__(self, *, greets):
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._door.getsockname()[1]}"
        self._greets = greets
        self._held = []
        self.met = threading.Event()
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        with contextlib.suppress(OSError):
            while True:
                one = self._door.accept()[0]
                self._held.append(one)
                if self._greets:
                    self._greet(one)
                self.met.set()

    def _greet(self, one):
        head = one.recv(4_096).decode()
        keys = [
            line.partition(": ")[2]
            for line in head.splitlines()
            if line.lower().startswith("sec-websocket-key")
        ]
        if not keys:  # it went away again
            return
        key = keys[0]
        one.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accepted(key).encode() + b"\r\n\r\n"
        )

    def close(self):
        self._door.close()
        for one in self._held:
            one.close()


def accepted(key):
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


@pytest.mark.slow
@pytest.mark.parametrize("greets", [False, True], ids=["never greets", "never closes"])
def test_a_relay_that_does_not_answer_holds_up_no_end(greets):
    relay = Silent(greets=greets)
    with contextlib.closing(relay), machine(listens=False, relays=[relay.url]) as desk:
        desk.found()
        with node(desk.env) as running:
            assert relay.met.wait(40)
            if greets:
                running.until("mesh: ")
            code, seconds = running.end(signal.SIGTERM)
            assert code == 0, running.said
            assert seconds < 5, running.said
