"""A scripted, misbehaving OpenAI-compatible server on a real socket, for tests and benchmarks.

`python -m hermes.testing.endpoint --port 0 --script FILE` runs it as a process of its own,
playing a file of `scripted:` lines, and prints its address as a JSON line.
"""

import argparse
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import h11
import msgspec

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.models.scripted import Line, ScriptedModel
from hermes.testing.acts import Act, refuse, say

_READ = 65_536
_COMPLETIONS = "/v1/chat/completions"
_MODELS = {"object": "list", "data": [{"id": "scripted", "object": "model"}]}

Behaviour = Iterable[Act] | Callable[["Seen"], Act]


@dataclass
class Seen:
    """One request as it arrived: `at` in seconds of the event loop's clock, `raw` its body.

    `gone` is set when the client closed the connection before the answer's end.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Any
    at: float
    connection: int
    gone: anyio.Event = field(default_factory=anyio.Event)


class Endpoint:
    """What a test sees of the server: `requests` are completions, `others` all the rest."""

    def __init__(self, behaviour: Behaviour, pages: Mapping[str, Any]) -> None:
        self.base_url = ""
        self.requests: list[Seen] = []
        self.others: list[Seen] = []
        self.connections = 0
        self._pages = {"/v1/models": _MODELS, **pages}
        self._next: Callable[[Seen], Act]
        if callable(behaviour):
            self._next = behaviour
        else:
            acts = iter(behaviour)
            self._next = lambda _seen: next(acts, refuse(410, "the script is played"))
        self._arrived = anyio.Event()

    async def arrived(self, count: int) -> Seen:
        """Wait for the nth completion request."""
        while len(self.requests) < count:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self.requests[count - 1]

    def act(self, seen: Seen) -> Act:
        """Note a request and choose what to do with it."""
        if seen.path == _COMPLETIONS:
            self.requests.append(seen)
            self._arrived.set()
            return self._next(seen)
        self.others.append(seen)
        if seen.path not in self._pages:
            return refuse(404, {"message": "File Not Found", "type": "not_found_error"})
        page = self._pages[seen.path]
        if isinstance(page, Act):
            return page
        json = (("content-type", "application/json"),)
        return Act((msgspec.json.encode(page),), headers=json)

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        """Answer one connection's requests until either side closes it."""
        self.connections += 1
        number = self.connections
        http = h11.Connection(h11.SERVER)
        try:
            async with stream:
                while seen := await _receive(http, stream, number):
                    if not await _play(self.act(seen), seen, http, stream):
                        return
                    http.start_next_cycle()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, h11.ProtocolError):
            return  # the client went away


async def _receive(http: h11.Connection, stream: anyio.abc.ByteStream, number: int) -> Seen | None:
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            try:
                http.receive_data(await stream.receive(_READ))
            except anyio.EndOfStream:
                return None
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
        else:
            return None
    assert request is not None
    return Seen(
        method=request.method.decode(),
        path=request.target.decode(),
        headers={name.decode(): value.decode() for name, value in request.headers},
        raw=bytes(body),
        body=msgspec.json.decode(bytes(body)) if body else None,
        at=anyio.current_time(),
        connection=number,
    )


async def _play(act: Act, seen: Seen, http: h11.Connection, stream: anyio.abc.ByteStream) -> bool:
    """Play an act while watching for the client to go; whether the connection lives on."""
    ended = False
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            try:
                await stream.receive(1)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                seen.gone.set()
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            await _send(act, http, stream)
        except anyio.BrokenResourceError:
            seen.gone.set()
        else:
            ended = act.ending == "end" and not act.raw
        tasks.cancel_scope.cancel()
    return ended


async def _send(act: Act, http: h11.Connection, stream: anyio.abc.ByteStream) -> None:
    await anyio.sleep(act.delay_s)
    if act.head and not act.raw:
        headers = [*act.headers, ("transfer-encoding", "chunked")]
        await stream.send(http.send(h11.Response(status_code=act.status, headers=headers)) or b"")
    for part in act.parts:
        if isinstance(part, float):
            await anyio.sleep(part)
        elif act.raw:
            await stream.send(part)
        elif part:
            await stream.send(http.send(h11.Data(data=part)) or b"")
    if act.ending == "hang":
        await anyio.sleep_forever()
    if act.ending == "end" and not act.raw:
        await stream.send(http.send(h11.EndOfMessage()) or b"")


@asynccontextmanager
async def serve(
    behaviour: Behaviour,
    uds: Path | None = None,
    port: int = 0,
    pages: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Endpoint]:
    """Serve acts one after the other, on loopback or on a unix socket.

    Args:
        behaviour: acts in order, or a function from a request to an act.
        uds: path of a unix socket instead of a port.
        port: 0 for any free one.
        pages: other paths, with the JSON or the act that answers them.
    """
    endpoint = Endpoint(behaviour, pages or {})
    if uds is not None:
        listener: anyio.abc.Listener[anyio.abc.SocketStream] = await anyio.create_unix_listener(uds)
        endpoint.base_url = "http://localhost/v1"
    else:
        door = socket.create_server(("127.0.0.1", port))  # anyio's own would look the name up
        address = door.getsockname()
        listener = await anyio.abc.SocketListener.from_socket(door)
        endpoint.base_url = f"http://127.0.0.1:{address[1]}/v1"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, endpoint.serve)
        yield endpoint
        tasks.cancel_scope.cancel()


def _acts(lines: Iterable[Line], *, loop: bool) -> Iterator[Act]:
    lines = tuple(lines)
    while True:
        for number, line in enumerate(lines):
            calls = [
                ToolCall(CallId(f"call_{number}_{index}"), call.name, call.text)
                for index, call in enumerate(line.tool_calls)
            ]
            pause = line.chunk_delay_s
            yield (
                refuse(400, {"message": line.error})
                if line.error
                else say(line.text, calls, delay_s=line.delay_s, chunk_delay_s=pause)
            )
        if not loop:
            return


async def _main(script: Path, port: int, *, loop: bool) -> None:
    lines = (await anyio.to_thread.run_sync(ScriptedModel.read, script)).lines
    async with serve(_acts(lines, loop=loop), port=port) as endpoint:
        sys.stdout.write(msgspec.json.encode({"base_url": endpoint.base_url}).decode() + "\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--loop", action="store_true", help="begin anew at the script's end")
    given = parser.parse_args()
    anyio.run(lambda: _main(given.script, given.port, loop=given.loop))
