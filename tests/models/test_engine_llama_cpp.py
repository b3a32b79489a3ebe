"""The second engine behind the same socket; tool calls come back as text there."""

import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from hermes.errors import NotAvailable
from hermes.models.engine import Engine, EngineServer
from tests.models.engine_talk import INFO, call, chat, complete, plan, stream

INSTALLED = importlib.util.find_spec("llama_cpp") is not None
needs_it = pytest.mark.skipif(
    not INSTALLED, reason="llama-cpp-python is not installed (extra llama-cpp-python)"
)
KIND = "llama-cpp-python"
TOKENS = 1_800


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EngineServer]:
    async with Engine(INFO, plan(tmp_path, kind=KIND)) as engine:
        yield await engine.ensure()


@pytest.mark.skipif(INSTALLED, reason="llama-cpp-python is installed")
async def test_without_the_library_the_remedy_is_told(tmp_path):
    async with Engine(INFO, plan(tmp_path, kind=KIND)) as engine:
        with pytest.raises(NotAvailable, match="not installed") as caught:
            await engine.ensure()
    assert "pip install" in caught.value.remedy


@needs_it
async def test_a_call_comes_back_as_text(server):
    answer = await complete(server, chat("read README.md", max_tokens=60))
    text = answer["choices"][0]["message"]["content"]
    assert text.startswith("<tool_call>")
    call_text = text.removeprefix("<tool_call>").removesuffix("</tool_call>").strip()
    assert json.loads(call_text) == {"name": "FileRead", "arguments": {"path": "README.md"}}


@needs_it
async def test_nothing_without_the_key(server):
    status, _ = await call(server, "/v1/models", key="guessed")
    assert status == 401


@needs_it
async def test_only_its_user_reaches_the_socket(server):
    assert (await anyio.Path(server.uds).stat()).st_mode & 0o077 == 0


def _cpu(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@needs_it
async def test_closing_the_connection_stops_the_generation(server):
    asked = chat("hello", min_tokens=TOKENS, max_tokens=TOKENS, stream=True)
    before = _cpu(server.pid)
    async with stream(server, asked) as chunks:
        async for _ in chunks:
            pass
    whole = _cpu(server.pid) - before
    async with stream(server, asked) as chunks:
        await anext(chunks)
    with anyio.fail_after(30):
        await complete(server, chat("hello", max_tokens=1))  # waits until the model is free
    assert _cpu(server.pid) - before - whole < whole / 2


@needs_it
async def test_a_second_conversation_does_not_cut_the_first(server):
    done: list[int] = []

    async def ask() -> None:
        answer = await complete(server, chat("hello", min_tokens=200, max_tokens=200))
        done.append(answer["usage"]["completion_tokens"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)
    assert done == [200, 200]
