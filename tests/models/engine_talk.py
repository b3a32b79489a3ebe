"""What the engine tests share: a plan in a short directory, and plain HTTP over its socket."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpcore2

from hermes.models.engine import EngineServer
from hermes.models.engine_plan import EnginePlan
from hermes.models.gguf import GgufInfo, read_gguf, shipped_model

INFO: GgufInfo = read_gguf(shipped_model())
FILE_READ = {
    "type": "function",
    "function": {
        "name": "FileRead",
        "description": "Read a file.",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
        },
    },
}


def plan(tmp_path: Path, **changes: Any) -> EnginePlan:
    return EnginePlan(**{"runtime_dir": tmp_path / "run", **changes})


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "temperature": 0, **more}


def endless(text: str = "hello") -> dict[str, Any]:
    return chat(text, max_tokens=1_900, ignore_eos=True, stream=True)


def _headers(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", "content-type": "application/json"}


async def call(
    server: EngineServer, path: str, body: dict[str, Any] | None = None, *, key: str | None = None
) -> tuple[int, Any]:
    async with httpcore2.AsyncConnectionPool(uds=server.uds) as pool:
        response = await pool.request(
            "POST" if body else "GET",
            f"http://engine{path}",
            headers=_headers(server.key if key is None else key),
            content=json.dumps(body).encode() if body else None,
        )
        return response.status, json.loads(response.content)


async def complete(server: EngineServer, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = await call(server, "/v1/chat/completions", body)
    assert status == 200, answer
    return answer


@asynccontextmanager
async def stream(server: EngineServer, body: dict[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
    async with (
        httpcore2.AsyncConnectionPool(uds=server.uds) as pool,
        pool.stream(
            "POST",
            "http://engine/v1/chat/completions",
            headers=_headers(server.key),
            content=json.dumps(body).encode(),
        ) as response,
    ):
        assert response.status == 200
        yield response.aiter_stream()
