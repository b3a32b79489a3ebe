"""The runner as a server of the Model Context Protocol, both of its eras, on stdio.

Owns the package `mcp` (a third of a second to import): reached through `load` alone. Whoever
started the process is its one client; there is no other guard.
"""

from pathlib import Path

import anyio
import mcp_types as types
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.message import SessionMessage

from hermes.core.event import Event, Json, to_plain
from hermes.core.request import TurnRequest
from hermes.errors import DoorError, HermesError
from hermes.gateway.runner import TOOLS, Runner
from hermes.gateway.stdio import Stdio
from hermes.gateway.terminal_door import Door
from hermes.gateway.wire import Lines

_READS = {"runner.history", "runner.export", "runner.search", "runner.status"}
_Context = ServerRequestContext[dict[str, Json]]


async def serve(door: Door, order: TurnRequest, scripts: Path | None) -> None:
    """Serve this process's standard input and output until it ends."""
    server = make_server(Runner(door, order, scripts), door.hello.version)
    said_send, said = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    answer, answers = anyio.create_memory_object_stream[SessionMessage](0)
    lines, asked = Lines(Stdio()), _Asked()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, lines, said_send, asked)
        tasks.start_soon(_write, answers, lines, asked, tasks.cancel_scope)
        await server.run(said, answer, server.create_initialization_options())
        tasks.cancel_scope.cancel()


def make_server(runner: Runner, version: str) -> Server[dict[str, Json]]:
    """A server for any transport of the SDK."""

    async def list_tools(
        _context: _Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(name) for name in TOOLS])

    async def call_tool(
        context: _Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        told = 0

        async def tell(event: Event) -> None:
            nonlocal told
            told += 1
            text = msgspec.json.encode(to_plain(event)).decode()
            await context.session.report_progress(told, message=text)

        try:
            found = await runner.call(params.name, params.arguments or {}, tell)
        except HermesError as error:
            return _refused(error)
        return _result(found)

    return Server(
        "hermes-runner",
        version=version,
        instructions="Talk with runner.chat; its progress notifications are the turn's events.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


class _Asked:
    """Requests without an answer yet: who pipes questions in closes its end before we are done."""

    def __init__(self) -> None:
        self._ids: set[types.RequestId] = set()
        self._fewer = anyio.Event()

    def take(self, message: types.JSONRPCMessage) -> None:
        """Look at a message in either direction."""
        match message:
            case types.JSONRPCRequest():
                self._ids.add(message.id)
            case types.JSONRPCNotification(method="notifications/cancelled"):
                self._answered((message.params or {}).get("requestId"))
            case types.JSONRPCResponse() | types.JSONRPCError():
                self._answered(message.id)

    def _answered(self, request: types.RequestId | None) -> None:
        if request is not None:
            self._ids.discard(request)
        self._fewer.set()

    async def none(self) -> None:
        """Wait until everything is answered."""
        while self._ids:
            self._fewer = anyio.Event()
            await self._fewer.wait()


async def _read(
    lines: Lines, said: MemoryObjectSendStream[SessionMessage | Exception], asked: _Asked
) -> None:
    async with said:
        while True:
            try:
                line = await lines.receive()
            except (anyio.EndOfStream, DoorError):
                await asked.none()
                return
            try:
                message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError as error:
                await said.send(error)
            else:
                asked.take(message)
                await said.send(SessionMessage(message))


async def _write(
    answers: MemoryObjectReceiveStream[SessionMessage],
    lines: Lines,
    asked: _Asked,
    all_of_it: anyio.CancelScope,
) -> None:
    async with answers:
        async for answer in answers:
            text = answer.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                await lines.send(text.encode())
            except anyio.BrokenResourceError:  # nobody reads any more
                all_of_it.cancel()
                return
            asked.take(answer.message)


def _tool(name: str) -> types.Tool:
    arguments = TOOLS[name]
    (_,), parts = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    schema = parts.pop(arguments.__name__)
    return types.Tool(
        name=name,
        description=arguments.__doc__,
        input_schema=schema | ({"$defs": parts} if parts else {}),
        annotations=types.ToolAnnotations(read_only_hint=name in _READS, open_world_hint=False),
    )


def _result(found: dict[str, Json], *, failed: bool = False) -> types.CallToolResult:
    text = msgspec.json.encode(found).decode()
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structured_content=found,
        is_error=failed,
    )


def _refused(error: HermesError) -> types.CallToolResult:
    kind = getattr(error, "kind", "") or type(error).__name__
    return _result({"error": error.message, "remedy": error.remedy, "kind": kind}, failed=True)
