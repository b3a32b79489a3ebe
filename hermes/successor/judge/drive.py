"""One version of the runtime in a box, driven over its public protocol from this process.

A lean client of MCP over lines: the SDK's costs more than the server. What comes out of the box
is hostile: lines and answers are capped and only ever read as JSON.
"""

import socket
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec

from hermes.errors import SuccessorError
from hermes.sandbox.box import HOME, Bind, Ended, Wires
from hermes.successor.workbench import Side, View, Workbench

Json = Any
Reaction = Literal["yes", "no", "stop"]
LAUNCHES = 10
_LINE_MOST = 16 << 20
_EVENTS_MOST = 20_000
_SAID_MOST = 4_000
_PIECE = 1 << 18
_ANSWER_S = 30.0
_START_S = 60.0
_PARENT = Path(f"{HOME}/parent")
_PROJECT = f"{HOME}/project"
_MODEL = f"{HOME}/scripts/model"
_HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "judge", "version": "1"},
}


class Broken(SuccessorError):
    """The version under trial died, hung, or said what is no answer; `how` in one word."""

    def __init__(self, how: str, says: str) -> None:
        super().__init__(says)
        self.how = how


@dataclass(frozen=True)
class Call:
    """One call of a tool. `react`: at the first event of a type, do that (yes, no, stop)."""

    tool: str
    arguments: Mapping[str, Json]
    react: Mapping[str, Reaction] = field(default_factory=dict)


@dataclass
class Answer:
    """What came back: the result, whether it is an error, and the events before it."""

    result: Json = None
    failed: bool = False
    events: list[Json] = field(default_factory=list)


class _Lines:
    """Lines of JSON over a socket, capped."""

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's form
        self._buffer = bytearray()

    async def send(self, *messages: Json) -> None:
        data = b"".join(msgspec.json.encode(one) + b"\n" for one in messages)
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            except OSError as error:
                raise Broken("died", "it reads no more") from error

    async def receive(self) -> dict[str, Json]:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _LINE_MOST:
                raise Broken("flood", f"a line of more than {_LINE_MOST} bytes")
            self._buffer += await self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            found = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise Broken("garbled", f"not JSON: {error}") from error
        if not isinstance(found, dict):
            raise Broken("garbled", "a line is no JSON object")
        return found

    async def _more(self) -> bytes:
        while True:
            try:
                piece = self._socket.recv(_PIECE)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
            except OSError as error:
                raise Broken("died", str(error)) from error
            else:
                if not piece:
                    raise Broken("died", "it ended")
                return piece


class Driven:
    """A box with one version in it; `names` maps the judge's words to its own ids."""

    def __init__(self, side: Side, control: _Lines, launches: Sequence[tuple[_Lines, int]]) -> None:
        self.side = side
        self.names: dict[str, str] = {}
        self.ended: Ended | None = None
        self.said = b""
        self._control = control
        self._launches = list(launches)
        self._lines: _Lines
        self._number = 0
        self.left = len(self._launches)

    def hear(self, _stream: str, piece: bytes) -> None:
        """Keep the end of what it complains."""
        self.said = (self.said + piece)[-_SAID_MOST:]

    async def order(self, do: str, **what: Json) -> dict[str, Json]:
        """Have the warden do something."""
        with anyio.fail_after(_START_S):
            await self._control.send({"do": do} | what)
            return await self._control.receive()

    async def start(self, hash_seed: int, words: Sequence[str]) -> None:
        """Start the version and be greeted; raises Broken."""
        self.left -= 1
        self._lines, fd = self._launches.pop(0)
        env = {"PYTHONHASHSEED": str(hash_seed)}
        await self.order("start", fd=fd, argv=list(words), env=env, cwd=_PROJECT)
        with _patience("hang", _START_S):
            await self._lines.send(
                {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": _HELLO},
                {"jsonrpc": "2.0", "method": "notifications/initialized"},
            )
            while (await self._lines.receive()).get("id") != 0:
                pass

    async def calls(self, calls: Sequence[Call]) -> list[Answer]:
        """Ask all of this at once and wait for every answer; raises Broken."""
        first = self._number + 1
        self._number += len(calls)
        waiting = {first + index: one for index, one in enumerate(calls)}
        answers = {number: Answer() for number in waiting}
        with _patience("hang", _ANSWER_S):
            await self._lines.send(*(_asked(n, one) for n, one in waiting.items()))
            while waiting:
                await self._take(await self._lines.receive(), waiting, answers)
        return list(answers.values())

    async def _take(
        self, message: dict[str, Json], waiting: dict[int, Call], answers: dict[int, Answer]
    ) -> None:
        if message.get("method") == "notifications/progress":
            try:
                params = message["params"]
                number, event = params["progressToken"], msgspec.json.decode(params["message"])
                answer, call = answers[number], waiting[number]
                kind = event["type"]
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                raise Broken("garbled", f"an event that is none: {error}") from error
            answer.events.append(event)
            if len(answer.events) > _EVENTS_MOST:
                raise Broken("flood", f"more than {_EVENTS_MOST} events")
            if do := call.react.get(kind):
                rest = {on: one for on, one in call.react.items() if on != kind}
                waiting[number] = replace(call, react=rest)
                await self._react(do, event)
        elif isinstance(number := message.get("id"), int) and number in waiting:
            del waiting[number]
            _fill(answers[number], message)

    async def _react(self, do: str, event: dict[str, Json]) -> None:
        if do == "stop":
            call = Call("runner.stop", {"conversation_id": event.get("conversation_id", "")})
        else:
            call = Call("runner.approve", {"call_id": event.get("call_id", ""), "answer": do})
        self._number += 1
        await self._lines.send(_asked(self._number, call))  # its answer interests nobody


@asynccontextmanager
async def drive(bench: Workbench, side: Side) -> AsyncGenerator[Driven, None]:
    """A box with a warden in it and nothing started yet; gone when the context ends."""
    async with anyio.create_task_group() as tasks:
        with ExitStack() as stack:
            pairs = [socket.socketpair() for _ in range(LAUNCHES + 1)]
            for ours, theirs in pairs:
                stack.enter_context(ours)
                stack.enter_context(theirs)
            fds = [theirs.fileno() for _, theirs in pairs]
            launches = [(_Lines(ours), theirs.fileno()) for ours, theirs in pairs[1:]]
            driven = Driven(side, _Lines(pairs[0][0]), launches)

            async def box() -> None:
                argv = bench.python("-I", "-S", "-c", _warden(), *map(str, fds))
                view = View(read=(Bind(bench.parent, _PARENT),))
                wires = Wires(keep=tuple(fds), collect=False)
                driven.ended = await bench.run(side, argv, view, wires, driven.hear)
                for ours, _ in pairs:
                    ours.shutdown(socket.SHUT_RDWR)

            tasks.start_soon(box)
            with _patience("machine", _START_S):
                await driven._control.receive()  # noqa: SLF001 - it says that it is ready
            for _, theirs in pairs:
                theirs.close()
            await driven.order("put", files={"model": '{"text": "ok"}\n'})
            yield driven
            tasks.cancel_scope.cancel()


def words(bench: Workbench) -> list[str]:
    """The command that serves a version inside."""
    serve = ("serve", "runner", "--stdio", "--mode", "auto", "--scripts", f"{HOME}/scripts")
    return bench.python("-m", "hermes.cli.main", *serve, "--model", f"scripted:{_MODEL}")


async def verify_log(bench: Workbench, driven: Driven) -> dict[str, Json]:
    """The parent's own `hermes log verify` over the store that a version left."""
    argv = bench.python("-m", "hermes.cli.main", "log", "verify", "--json")
    return await driven.order("run", argv=argv, env={"PYTHONPATH": str(_PARENT)}, limit_s=50)


def _asked(number: int, call: Call) -> dict[str, Json]:
    params = {
        "name": call.tool,
        "arguments": call.arguments,
        "_meta": {"progressToken": number},
    }
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def _fill(answer: Answer, message: dict[str, Json]) -> None:
    result = message.get("result")
    if not isinstance(result, dict):
        answer.failed, answer.result = True, message.get("error")
        return
    answer.failed = result.get("isError") is True
    answer.result = result.get("structuredContent")


@contextmanager
def _patience(how: str, seconds: float) -> Iterator[None]:
    """Whoever does not answer in this time hangs."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        raise Broken(how, f"no answer in {seconds:.0f} s") from error


@cache
def _warden() -> str:
    return Path(__file__).with_name("warden.py").read_text()
