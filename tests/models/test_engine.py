"""The embedded engine on the shipped model, over its real socket."""

import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from hermes.models.engine import Engine, EngineServer
from tests.models.engine_talk import FILE_READ, INFO, call, chat, complete, endless, plan, stream


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EngineServer]:
    async with Engine(INFO, plan(tmp_path)) as engine:
        yield await engine.ensure()


async def test_a_request_becomes_a_call_with_its_values(server):
    answer = await complete(server, chat("read README.md", tools=[FILE_READ]))
    (made,) = answer["choices"][0]["message"]["tool_calls"]
    assert made["function"]["name"] == "FileRead"
    assert json.loads(made["function"]["arguments"]) == {"path": "README.md"}


async def test_a_second_turn_evaluates_only_what_is_new(server):
    first = chat("list the files in src", max_tokens=40)
    told = await complete(server, first)
    said = told["choices"][0]["message"]["content"]
    first["messages"] += [
        {"role": "assistant", "content": said},
        {"role": "user", "content": "read README.md"},
    ]
    usage = (await complete(server, first))["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] >= told["usage"]["prompt_tokens"]


async def test_closing_the_connection_frees_the_slot(server):
    async with stream(server, endless()) as chunks:
        await anext(chunks)
        _, slots = await call(server, "/slots")
        assert any(slot["is_processing"] for slot in slots)
    with anyio.fail_after(20):
        while any(slot["is_processing"] for slot in slots):
            _, slots = await call(server, "/slots")
    decoded = max(slot["next_token"][0]["n_decoded"] for slot in slots if "next_token" in slot)
    assert decoded < 1_900


@pytest.mark.parametrize("path", ["/v1/models", "/slots", "/props", "/v1/chat/completions"])
async def test_nothing_without_the_key(server, path):
    status, _ = await call(server, path, chat("hello") if "chat" in path else None, key="guessed")
    assert status == 401


async def test_the_window_is_what_the_server_gives(server):
    _, slots = await call(server, "/slots")
    assert {slot["n_ctx"] for slot in slots} == {server.window}


async def test_a_window_asked_for_is_kept(tmp_path):
    async with Engine(INFO, plan(tmp_path, window=1_024)) as engine:
        server = await engine.ensure()
        _, slots = await call(server, "/slots")
    assert server.window == 1_024
    assert {slot["n_ctx"] for slot in slots} == {1_024}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _sockets_of(process: Path) -> set[str]:
    links = (fd.readlink() for fd in (process / "fd").iterdir())
    return {str(link) for link in links if str(link).startswith("socket:")}


def _inodes(table: Path) -> set[str]:
    return {f"socket:[{row.split()[9]}]" for row in table.read_text().splitlines()[1:]}


async def test_only_its_user_reaches_the_socket(server):
    socket = Path(server.uds)
    assert _mode(socket.parent) == 0o700
    assert _mode(socket) & 0o077 == 0
    assert len(os.fsencode(socket)) < 108


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_tcp_port_and_no_key_in_sight(server):
    process = Path("/proc") / str(server.pid)
    ours = _sockets_of(process)
    unix = (process / "net/unix").read_text().splitlines()
    assert ours & {f"socket:[{row.split()[6]}]" for row in unix if row.endswith(server.uds)}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        assert not ours & _inodes(process / "net" / table)
    assert server.key not in (process / "cmdline").read_text()
    assert server.key not in (process / "environ").read_text()
    assert server.key not in repr(server)
    assert "Max core file size 0 0 bytes" in " ".join((process / "limits").read_text().split())


async def test_evaluated_prefixes_outlive_the_engine(tmp_path):
    kept = plan(tmp_path, slots=1, slots_dir=tmp_path / "slots")
    asked = chat("read README.md and then tell me what stands in it", max_tokens=1)
    async with Engine(INFO, kept) as engine:
        server = await engine.ensure()
        evaluated = (await complete(server, asked))["usage"]["prompt_tokens"]
        status, _ = await call(server, "/slots/0?action=save", {"filename": "one"})
        assert status == 200
    assert _mode(tmp_path / "slots") == 0o700
    assert _mode(tmp_path / "slots/one") & 0o077 == 0
    async with Engine(INFO, kept) as engine:
        server = await engine.ensure()
        await call(server, "/slots/0?action=restore", {"filename": "one"})
        usage = (await complete(server, asked))["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] >= evaluated - 1
