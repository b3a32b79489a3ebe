"""One version of the runtime in a box, driven over its public protocol from this process.

A lean client of MCP over lines: the SDK's costs more than the server. What comes out of the box
is hostile: lines and answers are capped and only ever read as JSON.
"""

import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread
import msgspec

from hermes.core.task_groups import lone_error
from hermes.sandbox.box import HOME, Bind, Ended, Wires
from hermes.successor.judge.lines import Broken, Lines, patience
from hermes.successor.workbench import Side, View, Workbench

Json = Any
_CONFIG = f"{HOME}/hermes/config"
_SETTINGS = '[sandbox]\nbash = "guard"\n'  # no box in a box: looking for one takes till a stop
Reaction = Literal["yes", "no", "stop"]
LAUNCHES = 10
_EVENTS_MOST = 20_000
_SAID_MOST = 4_000
ANSWER_S = 30.0
_START_S = 60.0
_ENDING_S = 20.0
_SHOWN = 400
_PARENT = Path(f"{HOME}/parent")
_PROJECT = f"{HOME}/project"
_MODEL = f"{HOME}/scripts/model"
_HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "judge", "version": "1"},
}


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


class Driven:
    """A box with one version in it; `names` maps the judge's words to its own ids."""

    def __init__(self, side: Side, control: Lines, launches: Sequence[tuple[Lines, int]]) -> None:
        self.side = side
        self.names: dict[str, str] = {}
        self.ended: Ended | None = None
        self.over = anyio.Event()
        self.said = b""
        self._control = control
        self._launches = list(launches)
        self._lines: Lines
        self._number = 0
        self.left = len(self._launches)

    def hear(self, _stream: str, piece: bytes) -> None:
        """Keep the end of what it complains."""
        self.said = (self.said + piece)[-_SAID_MOST:]

    async def order(self, do: str, **what: Json) -> dict[str, Json]:
        """Have the warden do something."""
        with patience("hang", _START_S):
            await self._control.send({"do": do} | what)
            return await self._control.receive()

    async def start(self, hash_seed: int, words: Sequence[str]) -> None:
        """Start the version and be greeted; raises Broken."""
        self.left -= 1
        self._lines, fd = self._launches.pop(0)
        env = {"PYTHONHASHSEED": str(hash_seed)}
        await self.order("start", fd=fd, argv=list(words), env=env, cwd=_PROJECT)
        with patience("hang", _START_S):
            await self._lines.send(
                {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": _HELLO},
                {"jsonrpc": "2.0", "method": "notifications/initialized"},
            )
            while (await self._lines.receive()).get("id") != 0:
                pass

    async def why(self) -> str:
        """How the version ended: the limit of its box, else its exit code or signal; "" it lives.

        Whoever is inside ends the warden too where it likes: then only the box is asked.
        """
        status: Json = None
        try:
            status = (await self.order("ended")).get("status")
        except Broken:
            await self.leave()
        if self.ended is not None and self.ended.why not in {"exit", "signal"}:
            return self.ended.why
        if not isinstance(status, int):
            return "the end of its box" if self.ended else ""
        return f"signal {-status}" if status < 0 else f"exit code {status}"

    async def leave(self) -> None:
        """Wait until the box has ended, which says what it used; on a busy machine it takes."""
        with anyio.move_on_after(_ENDING_S):
            await self.over.wait()

    @property
    def last_words(self) -> str:
        """What it complained last, in a line."""
        return " ".join(self.said[-_SHOWN:].decode(errors="replace").split())

    async def calls(self, calls: Sequence[Call]) -> list[Answer]:
        """Ask all of this at once and wait for every answer; raises Broken."""
        first = self._number + 1
        self._number += len(calls)
        waiting = {first + index: one for index, one in enumerate(calls)}
        answers = {number: Answer() for number in waiting}
        with patience("hang", ANSWER_S):
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
    text = await anyio.to_thread.run_sync(_warden)
    with lone_error():
        async with anyio.create_task_group() as tasks:
            with ExitStack() as stack:
                pairs = [socket.socketpair() for _ in range(LAUNCHES + 1)]
                for ours, theirs in pairs:
                    stack.enter_context(ours)
                    stack.enter_context(theirs)
                fds = [theirs.fileno() for _, theirs in pairs]
                launches = [(Lines(ours), theirs.fileno()) for ours, theirs in pairs[1:]]
                driven = Driven(side, Lines(pairs[0][0]), launches)

                async def box() -> None:
                    argv = bench.python("-I", "-S", "-c", text, *map(str, fds))
                    limits = replace(bench.budget.limits(), wall_s=bench.spend.left_s)
                    view = View(limits=limits, read=(Bind(bench.parent, _PARENT),))
                    wires = Wires(keep=tuple(fds), collect=False)
                    driven.ended = await bench.run(side, argv, view, wires, driven.hear)
                    driven.over.set()

                tasks.start_soon(box)
                with patience("machine", _START_S):
                    await driven._control.receive()  # noqa: SLF001 - it says that it is ready
                for _, theirs in pairs:
                    theirs.close()
                await driven.order("put", files={"model": '{"text": "ok"}\n'})
                await driven.order("put", files={"config.toml": _SETTINGS}, folder=_CONFIG)
                yield driven
                pairs[0][0].close()  # the warden ends, and with it the box, which says what it used
                await driven.leave()
                tasks.cancel_scope.cancel()


def words(bench: Workbench) -> list[str]:
    """The command that serves a version inside."""
    serve = ("serve", "runner", "--stdio", "--mode", "auto", "--scripts", f"{HOME}/scripts")
    return bench.python("-m", "hermes.cli.main", *serve, "--model", f"scripted:{_MODEL}")


async def verify_log(bench: Workbench, driven: Driven) -> dict[str, Json]:
    """The parent's own `hermes log verify` over the store that a version left.

    Where the parent cannot read it any more, the version's: that is worth less.
    """
    # -P: what lies in the working directory is the version's, and would be imported first.
    argv = bench.python("-P", "-s", "-m", "hermes.cli.main", "log", "verify", "--json")
    found = await driven.order("run", argv=argv, env={"PYTHONPATH": str(_PARENT)}, limit_s=50)
    if "newer" in str(found.get("stderr")):  # a patch with a migration: only it can read that
        found = await driven.order("run", argv=argv, env={}, limit_s=50)
    return found


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


@cache
def _warden() -> str:
    return Path(__file__).with_name("warden.py").read_text()
