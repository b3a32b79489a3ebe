"""A long conversation taken up after a restart, against one that never stopped.

One engine lives through the whole run; beside it one after another is started, warmed as an owner
does it, asked once and closed. The same request to both in turn, so that they share the machine's
other load. The model is the one that ships, its file saying a window of 16,384 tokens: what it
answers there is worth nothing, what it costs is right.
"""

import struct
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
from anyio import to_thread

from benchmarks import Row, at_most, told
from benchmarks.measure import median
from hermes.core.model import ChatMessage, ModelRequest, Reply
from hermes.models.embedded import EmbeddedModel
from hermes.models.engine import Engine
from hermes.models.engine_plan import EnginePlan
from hermes.models.gguf import GgufInfo, read_gguf, shipped_model
from hermes.models.prefixes import Prefixes
from hermes.models.prefixes_shelf import PrefixShelf, open_shelf

WINDOW = 16_384
SHARE = 1.2
_WORDS = {False: 2_000, True: 500}  # about 8,000 tokens, about 2,000
_ROUNDS = {False: 15, True: 3}
_LETTERS = "ABCDEFGHIJKLMNO"  # so that two requests share nothing of their last message
_KEY = b"llama.context_length"
_U32 = struct.pack("<I", 4)


class Life(NamedTuple):
    model: EmbeddedModel
    engine: Engine
    prefixes: Prefixes


def widened(path: Path) -> GgufInfo:
    """The shipped model, its window set to WINDOW in the header."""
    data = bytearray(shipped_model().read_bytes())
    at = data.index(_KEY) + len(_KEY)
    if data[at : at + 4] != _U32:
        raise RuntimeError("the model's window is no 32-bit number")
    struct.pack_into("<I", data, at + 4, WINDOW)
    path.write_bytes(data)
    return read_gguf(path)


def asking(words: int, last: str) -> ModelRequest:
    text = " ".join(f"w{n % 97}" for n in range(words))
    messages = (
        ChatMessage("user", text),
        ChatMessage("assistant", "Noted."),
        ChatMessage("user", last),
    )
    return ModelRequest("You are Hermes.", messages, max_tokens=8)


@asynccontextmanager
async def life(place: Path, info: GgufInfo, shelf: PrefixShelf) -> AsyncIterator[Life]:
    """One life of an engine."""
    plan = EnginePlan(runtime_dir=place / "run", window=WINDOW, slots_dir=shelf.directory)
    prefixes = Prefixes(shelf, info, WINDOW)
    engine = Engine(info, plan, keeping=prefixes)
    async with engine, EmbeddedModel(engine, "native") as model:
        yield Life(model, engine, prefixes)


async def first_token(life: Life, request: ModelRequest) -> tuple[float, Reply]:
    """Seconds to the first token, and the answer."""
    start = time.perf_counter()
    first = 0.0
    reply = Reply("")
    async with life.model.stream(request) as items:
        async for item in items:
            first = first or time.perf_counter() - start
            if isinstance(item, Reply):
                reply = item
    return first, reply


async def _rounds(place: Path, quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one switch
    info = await to_thread.run_sync(widened, place / "m.gguf")
    shelf = await to_thread.run_sync(open_shelf, place / "prefixes", 1 << 30)
    assert shelf is not None
    words = _WORDS[quick]
    stayed, resumed, at_once = [], [], []
    async with life(place, info, shelf) as staying:
        cold, reply = await first_token(staying, asking(words, "go on"))
        await staying.prefixes.saved()
        for n in range(_ROUNDS[quick]):
            request = asking(words, f"{_LETTERS[n]} is the name of the file that you read next")
            seconds, before = await first_token(staying, request)
            stayed.append(seconds)
            async with life(place, info, shelf) as fresh:
                await fresh.engine.ensure()
                await fresh.prefixes.warmed()
                seconds, again = await first_token(fresh, request)
                if again.usage.cached < before.usage.cached - 2:
                    raise RuntimeError(f"{again.usage} after a restart, not {before.usage}")
                resumed.append(seconds)
            async with life(place, info, shelf) as hurried:
                at_once.append((await first_token(hurried, request))[0])
    facts = shelf.facts()
    ratio = median([after / before for after, before in zip(resumed, stayed, strict=True)])
    beside = f"{reply.usage.prompt:,} tokens"
    row = at_most("resumed after a restart, first token, of never stopped", ratio, "x", SHARE)
    return [
        told("evaluated for the first time, first token", cold * 1000, "ms", beside),
        told("never stopped, first token", median(stayed) * 1000, "ms", beside),
        told("resumed after a restart, first token", median(resumed) * 1000, "ms", beside),
        row,
        told("the engine's start, restore and first token", median(at_once) * 1000, "ms", beside),
        told("saved state, a token", facts["bytes"] / facts["tokens"], "bytes"),
    ]


async def _measure(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one switch
    with tempfile.TemporaryDirectory(prefix="hb-") as place:
        return await _rounds(Path(place), quick)


def main(quick: bool = False) -> list[Row]:  # noqa: FBT001, FBT002 - the table calls it so
    """Measure."""
    return anyio.run(_measure, quick)


if __name__ == "__main__":
    for row in main():
        print(*row)
