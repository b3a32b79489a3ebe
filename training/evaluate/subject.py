"""The model that is evaluated: a GGUF on the embedded engine, or a server of the user's own.

Apart from the runner because it knows engines and addresses; the runner knows only `Model`.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
import msgspec

from hermes.config import Engine as EngineKind
from hermes.core.request import Profile
from hermes.errors import HermesError, Usage
from hermes.models.client import ChatClient
from hermes.models.describe import describe
from hermes.models.embedded import EmbeddedModel
from hermes.models.engine import Engine
from hermes.models.engine_plan import EnginePlan, slots_of
from hermes.models.gguf import read_gguf
from hermes.models.model import Model
from hermes.models.server import Server

_LONGEST_WINDOW = 8_192  # a large model's window costs memory, and no case is longer
_WINDOW = 4_096
_SMALL = 300_000_000


@dataclass(frozen=True)
class Wanted:
    """Which model, and how it is run. `spec`: a GGUF's path or `URL#NAME`.

    `runtime_dir`: where the engine's private socket is made. `profile`: empty for the model's
    own. `at_once`: requests side by side. `threads` 0: chosen by the model's size.
    """

    spec: str
    runtime_dir: Path
    profile: Profile | Literal[""] = ""
    at_once: int = 2
    threads: int = 1
    api_key: str = ""
    kind: EngineKind = "xllamacpp"


@dataclass(frozen=True)
class Subject:
    """An opened model; `load_ms` from nothing to ready, None for a server."""

    model: Model
    load_ms: float | None
    at_once: int


@asynccontextmanager
async def opened(wanted: Wanted) -> AsyncGenerator[Subject]:
    """Open the model while the context lasts; raises ModelError or Usage."""
    if "://" in wanted.spec:
        async with ChatClient(await _server(wanted)) as client:
            yield Subject(client, None, wanted.at_once)
        return
    info = await anyio.to_thread.run_sync(read_gguf, Path(wanted.spec))
    at_once = wanted.at_once if 0 < info.parameters < _SMALL else slots_of(info, 0)
    plan = EnginePlan(
        runtime_dir=wanted.runtime_dir,
        kind=wanted.kind,
        window=min(info.context_length or _WINDOW, _LONGEST_WINDOW),
        threads=wanted.threads,
        slots=at_once,
        keep_alive_s=3_600.0,
    )
    profile = wanted.profile or info.profile or "lean"
    try:
        async with Engine(info, plan) as engine, EmbeddedModel(engine, profile) as model:
            began = anyio.current_time()
            await engine.ensure()
            yield Subject(model, (anyio.current_time() - began) * 1_000, at_once)
    except BaseExceptionGroup as group:  # the engine's task group wraps whatever passes it
        error: BaseException = group.subgroup(HermesError) or group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from error.__cause__


async def _server(wanted: Wanted) -> Server:
    url, _, name = wanted.spec.partition("#")
    server = Server(model=name, base_url=url, api_key=wanted.api_key)
    found = await describe(server)
    if not name and not found.models:
        raise Usage(f"{url} offers no model", "name one: URL#MODEL")
    return msgspec.structs.replace(
        server,
        model=name or found.models[0],
        window=found.window or _WINDOW,
        profile=wanted.profile or "lean",
    )
