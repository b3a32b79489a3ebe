"""The shipped model through Hermes beside the bare engine, turn about.

The way through Hermes is a front end's: owner, socket, events. Long answers come from texts at
which the small model runs on; should a later model answer them shortly, a row says so.
"""

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread
import msgspec

from benchmarks import Row, at_least, at_most, note
from benchmarks.engine import bare_body, bare_stream
from benchmarks.measure import home, median
from benchmarks.owner import Door, owner
from hermes.models.engine import Engine, EngineServer
from hermes.models.engine_plan import EnginePlan
from hermes.models.gguf import read_gguf, shipped_model
from hermes.sandbox.shell import Shell
from hermes.tools.builtin import Programs, builtin_tools
from hermes.tools.registry import Registry

TOKENS = 512
RUN_ON = ("zzz " * 60, "la la la la la la la " * 12, "1 1 1 1 1 1 1 1 " * 12)
SHORT = "hello"
TALK = (
    "who are you",
    "hello my friend, how are you today",
    "tell me a long story",
    "thank you very much",
    "can you sing a song for me",
    "what can you do",
)


class Stream(NamedTuple):
    """One answer: seconds to the first words, tokens a second after them, model calls."""

    first: float
    rate: float
    steps: int
    tokens: int


def _failure(events: list[dict[str, Any]]) -> str:
    return str(events[-1].get("error", "a tool was called, or nothing said"))


def through(door: Door, text: str) -> Stream:
    """Ask Hermes; raises RuntimeError when there was no answer in words."""
    start = time.perf_counter()
    events = door.turn(text)
    seen = [event["seen"] for event in events if event["type"] == "text_delta"]
    if not seen or events[-1]["type"] != "turn_finished":
        raise RuntimeError(_failure(events))
    usage = events[-1]["usage"]
    tokens = usage["completion_tokens"]
    rate = (tokens - 1) / max(seen[-1] - seen[0], 1e-9)
    return Stream(seen[0] - start, rate, usage["steps"], tokens)


def _offered() -> list[dict[str, Any]]:
    """The tools that Hermes offers: the engine watches for a call while it answers."""
    tools = Registry(builtin_tools(Shell(), {}, Programs("bash", None))).specs()
    return [{"type": "function", "function": msgspec.to_builtins(tool)} for tool in tools]


TOOLS = _offered()


async def bare(server: EngineServer, text: str, tokens: int = TOKENS) -> Stream:
    """Ask the engine the same, tools and all."""
    body = bare_body(tokens, text) | {"tools": TOOLS}
    count, first, total = await bare_stream(server.uds, server.key, body)
    return Stream(first, (count - 1) / (total - first), 1, count)


def long_text(door: Door) -> str:
    """A text that Hermes answers in one long breath, if there is one."""
    for text in RUN_ON:
        answer = through(door, text)
        if answer.steps == 1 and answer.tokens >= TOKENS / 2:
            return text
    return ""


def evaluated(door: Door) -> float:
    """Tokens evaluated in each turn of one conversation, over those that were new."""
    conversation, before = "", 0
    spent = new = 0
    for text in TALK:
        events = door.turn(text, conversation=conversation)
        usage = events[-1]["usage"]
        if events[-1]["type"] != "turn_finished" or usage["steps"] != 1:
            raise RuntimeError(f"not one plain answer to {text!r}: {_failure(events)}")
        conversation = events[0]["conversation_id"]
        if before:
            spent += usage["prompt_tokens"] - usage["cached_tokens"]
            new += usage["prompt_tokens"] - before
        # The last token of an answer was chosen, not evaluated: it is new to the next turn.
        before = usage["prompt_tokens"] + usage["completion_tokens"] - 1
    return spent / new


async def _rates(door: Door, server: EngineServer, laps: int) -> list[Row]:
    text = await anyio.to_thread.run_sync(long_text, door)
    if not text:
        return [note("tokens through Hermes", "the model answers nothing at length")]
    await bare(server, text)
    us, it = [], []
    for _ in range(laps):
        us.append((await anyio.to_thread.run_sync(through, door, text)).rate)
        it.append((await bare(server, text)).rate)
    share = 100 * median(us) / median(it)
    row = at_least("tokens/s through Hermes, of the bare engine", share, "%", 97)
    beside = f"{row.limit}; {median(us):.0f}/s of {median(it):.0f}/s"
    return [row._replace(limit=beside)]


async def _firsts(door: Door, server: EngineServer, laps: int) -> list[Row]:
    await bare(server, SHORT, 8)
    us, it = [], []
    for _ in range(laps):
        us.append((await anyio.to_thread.run_sync(through, door, SHORT)).first * 1000)
        it.append((await bare(server, SHORT, 8)).first * 1000)
    over = median(us) - median(it)
    row = at_most("first token through Hermes, over the bare engine", over, "ms", 10)
    return [row._replace(limit=f"{row.limit}; {median(us):.1f} of {median(it):.1f}")]


async def _measure(door: Door, laps: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="hb-") as place:
        plan = EnginePlan(runtime_dir=Path(place))
        async with Engine(read_gguf(shipped_model()), plan) as engine:
            server = await engine.ensure()
            rows = await _firsts(door, server, laps * 4)
            rows += await _rates(door, server, laps)
    ratio = await anyio.to_thread.run_sync(evaluated, door)
    return [*rows, at_most("tokens evaluated a turn, of the new ones", ratio, "x", 1.05)]


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure."""
    with home() as env, owner(env) as door:
        door.turn(SHORT)  # the engine is ready after it
        return anyio.run(_measure, door, 3 if quick else 11)
