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
    lines = Lines(Stdio())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read, lines, said_send)
        tasks.start_soon(_write, answers, lines)
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


async def _read(lines: Lines, said: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
    async with said:
        while True:
            try:
                line = await lines.receive()
            except (anyio.EndOfStream, DoorError):
                return
            try:
                message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError as error:
                await said.send(error)
            else:
                await said.send(SessionMessage(message))


async def _write(answers: MemoryObjectReceiveStream[SessionMessage], lines: Lines) -> None:
    async with answers:
        async for answer in answers:
            text = answer.message.model_dump_json(by_alias=True, exclude_unset=True)
            await lines.send(text.encode())


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
