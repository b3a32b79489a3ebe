"""llama.cpp's own server, asked: a process of its own, one JSON line in, one out.

`{"model", "uds", "requests": [[path, body], …]}` in; the answers out. Key and value cache are
F32 and attention is plain, so that what differs from torch is rounding.
"""

import http.client
import json
import socket
import sys

import xllamacpp
from engine_exact import exact


class Local(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    parameters = exact(asked)
    parameters.n_parallel = 1
    server = xllamacpp.Server(parameters)
    answers = []
    for path, body in asked["requests"]:
        connection = Local(asked["uds"])
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answers.append(json.load(connection.getresponse()))
        connection.close()
    print(json.dumps(answers))  # noqa: T201 - read by the test
    sys.stdout.flush()
    del server


if __name__ == "__main__":
    main()
