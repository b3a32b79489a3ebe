"""The embedded engine alone: spawn to ready, and what it gives to a client that does nothing else.

`bare_stream` is the yardstick for tokens/s and first token through Hermes.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import anyio
import httpcore2

from benchmarks import Row, at_most, told
from hermes.models.engine import Engine
from hermes.models.engine_plan import EnginePlan
from hermes.models.gguf import read_gguf, shipped_model

TOKENS = 512
READY_S = 0.5


def bare_body(tokens: int = TOKENS, text: str = "hello") -> dict[str, object]:
    """A request that generates exactly `tokens` tokens."""
    return {
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": tokens,
        "ignore_eos": True,
    }


async def bare_stream(uds: str, key: str, body: Mapping[str, object]) -> tuple[int, float, float]:
    """Stream one completion over a fresh connection: tokens, seconds to the first, seconds in all.

    Tokens are the server's own count; nothing but the first and the last event is looked into.
    """
    content = json.dumps(
        {**body, "stream": True, "stream_options": {"include_usage": True}}
    ).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    first = 0.0
    last = b""
    start = time.perf_counter()
    async with (
        httpcore2.AsyncConnectionPool(uds=uds) as pool,
        pool.stream(
            "POST", "http://engine/v1/chat/completions", headers=headers, content=content
        ) as response,
    ):
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {(await response.aread())[:500]!r}")
        async for chunk in response.aiter_stream():
            if not first and b'"content":"' in chunk:
                first = time.perf_counter() - start
            last = (last + chunk)[-4096:]
    total = time.perf_counter() - start
    usage = next(
        event["usage"]
        for line in reversed(last.split(b"\n"))
        if line.startswith(b"data: {") and (event := json.loads(line[6:])).get("usage")
    )
    return int(usage["completion_tokens"]), first, total


async def _measure(rounds: int) -> list[Row]:
    ready, firsts, rates = [], [], []
    info = read_gguf(shipped_model())
    with tempfile.TemporaryDirectory(prefix="hb-") as place:
        plan = EnginePlan(runtime_dir=Path(place))
        for _ in range(rounds):
            async with Engine(info, plan) as engine:
                start = time.perf_counter()
                server = await engine.ensure()
                ready.append(time.perf_counter() - start)
                await bare_stream(server.uds, server.key, bare_body(8))  # warm
                count, first, total = await bare_stream(server.uds, server.key, bare_body())
                firsts.append(first)
                rates.append((count - 1) / (total - first))
    return [
        at_most("engine ready, shipped model", statistics.median(ready), "s", READY_S),
        told("bare engine, tokens", statistics.median(rates), "/s", "one thread, prompt cached"),
        told("bare engine, first token", statistics.median(firsts) * 1000, "ms"),
    ]


def main(quick: bool = False) -> list[Row]:  # noqa: FBT001, FBT002 - the table calls it so
    return anyio.run(_measure, 3 if quick else 9)


if __name__ == "__main__":
    for row in main():
        print(*row)
