"""The one way from inside a box to a model: a socket pair, requests on it, tokens counted here.

Inside, `inside_model.py` serves it as an OpenAI-compatible address on the box's own loopback. What
comes out of the box is hostile: it is bounded, and nothing but a chat completion is understood.
"""

import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec
from anyio.abc import UNIXSocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ChatMessage, ModelRequest, Piece, Reply, ToolSpec
from hermes.errors import BudgetSpent, HermesError
from hermes.models.model import Model
from hermes.sandbox.box import HOME, Bind
from hermes.successor.budget import Spend
from hermes.successor.workbench import Workbench

PORT = 8080
_SCRIPT = f"{HOME}/model.py"
_HEAD = 256
_BODY = 8 << 20


class _Function(msgspec.Struct, frozen=True):
    name: str
    arguments: str = "{}"
    description: str = ""
    parameters: dict[str, Any] = {}


class _Call(msgspec.Struct, frozen=True):
    function: _Function
    id: str = ""


class _Message(msgspec.Struct, frozen=True):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = ""
    tool_calls: tuple[_Call, ...] = ()
    tool_call_id: str = ""
    name: str = ""


class _Asked(msgspec.Struct, frozen=True):
    """A chat completion as the inside asks for it."""

    messages: tuple[_Message, ...]
    tools: tuple[_Call, ...] = ()
    max_tokens: int = 0
    stream: bool = False


@asynccontextmanager
async def broker(model: Model, spend: Spend) -> AsyncGenerator[int]:
    """A descriptor for the inside (`Wires.keep`), answered as long as the context is open."""
    ours, theirs = socket.socketpair()
    with theirs:
        async with (
            await UNIXSocketStream.from_socket(ours) as stream,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(_serve, stream, model, spend)
            yield theirs.fileno()
            tasks.cancel_scope.cancel()


def with_model(
    bench: Workbench, fd: int, argv: Sequence[str]
) -> tuple[list[str], tuple[Bind, ...]]:
    """Words that run a command beside the address `http://127.0.0.1:8080`, and what they need."""
    script = Path(__file__).with_name("inside_model.py")
    words = bench.python("-I", "-S", _SCRIPT, str(fd), str(PORT), *argv)
    return words, (Bind(script, Path(_SCRIPT)),)


async def _serve(stream: UNIXSocketStream, model: Model, spend: Spend) -> None:
    """Answer one request after the other, until the inside is gone or talks nonsense."""
    heard = BufferedByteReceiveStream(stream)
    try:
        while True:
            size = int(await heard.receive_until(b"\n", _HEAD))
            if not 0 < size <= _BODY:
                return
            await _answer(stream, await heard.receive_exactly(size), model, spend)
    except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound, ValueError,
            anyio.BrokenResourceError):  # fmt: skip
        return


async def _answer(stream: UNIXSocketStream, body: bytes, model: Model, spend: Spend) -> None:
    try:
        asked = msgspec.json.decode(body, type=_Asked)
        request = await _within(_request(asked), model, spend)
        pieces: list[str] = []
        async with model.stream(request) as answer:
            async for one in answer:
                if isinstance(one, Piece):
                    pieces.append(one.text)
                    continue
                used = one.usage.prompt - one.usage.cached + one.usage.completion
                spend.take_tokens(max(1, used))
                await _say(stream, 200, _told(one, model.name))
    except (msgspec.DecodeError, RecursionError) as error:
        await _say(stream, 400, {"error": {"message": f"no chat completion: {error}"}})
    except BudgetSpent as error:
        await _say(stream, 403, {"error": {"message": error.message}})
    except HermesError as error:
        await _say(stream, 502, {"error": {"message": error.message}})


async def _within(request: ModelRequest, model: Model, spend: Spend) -> ModelRequest:
    """The request, cut to what is left; raises BudgetSpent where its prompt alone is too much."""
    prompt = await model.count(request)
    spend.fits_tokens(prompt + 1)
    left = spend.left_tokens - prompt
    return msgspec.structs.replace(request, max_tokens=min(request.max_tokens or left, left))


def _request(asked: _Asked) -> ModelRequest:
    system = "\n\n".join(one.content or "" for one in asked.messages if one.role == "system")
    messages = tuple(_message(one) for one in asked.messages if one.role != "system")
    tools = tuple(
        ToolSpec(one.function.name, one.function.description, one.function.parameters)
        for one in asked.tools
    )
    return ModelRequest(system, messages, tools, max(0, asked.max_tokens))


def _message(one: _Message) -> ChatMessage:
    assert one.role != "system"
    calls = tuple(
        ToolCall(CallId(call.id), call.function.name, call.function.arguments)
        for call in one.tool_calls
    )
    return ChatMessage(one.role, one.content or "", calls, CallId(one.tool_call_id), one.name)


def _told(reply: Reply, name: str) -> dict[str, Any]:
    calls = [
        {"id": one.id, "type": "function", "index": at,
         "function": {"name": one.name, "arguments": one.arguments}}
        for at, one in enumerate(reply.calls)
    ]  # fmt: skip
    message = {"role": "assistant", "content": reply.text} | (
        {"tool_calls": calls} if calls else {}
    )
    usage = {
        "prompt_tokens": reply.usage.prompt,
        "completion_tokens": reply.usage.completion,
        "total_tokens": reply.usage.prompt + reply.usage.completion,
    }
    choice = {"index": 0, "message": message, "finish_reason": reply.finish}
    return {"object": "chat.completion", "model": name, "choices": [choice], "usage": usage}


async def _say(stream: UNIXSocketStream, status: int, told: dict[str, Any]) -> None:
    body = msgspec.json.encode(told)
    await stream.send(b"%d %d\n%b" % (status, len(body), body))
