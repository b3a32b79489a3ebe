"""The doctor on models: the owner's word where one runs, the engine, servers, the prompt."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec

from hermes.cli.doctor_check import Check, aside, bad, good, output_of
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.event import Json
from hermes.core.ids import TurnId, uuid7
from hermes.core.request import TurnRequest
from hermes.errors import HermesError, OwnerGone
from hermes.gateway.terminal_door import Door

T = TypeVar("T")
_ENGINES = {"xllamacpp": "xllamacpp", "llama-cpp-python": "llama_cpp"}
_TRIES = 3
_GGUF = b"GGUF"
_PROMPT_BYTES = {"full": 6_000, "lean": 2_000}
_PROMPT_TOKENS = {"native": 300}


async def look(settings: Settings, world: World) -> list[Check]:
    """What can be said without starting a model."""
    return [
        await _owner(settings, world),
        await _engine(settings),
        *await anyio.to_thread.run_sync(_file, settings),
    ]


async def look_closer(settings: Settings, world: World) -> list[Check]:
    """Models, skins and the prompt's size, from the owner or from one in a throw-away home."""
    try:
        if (found := await _running(settings, world, _asked)) is not None:
            return found
        async with anyio.TemporaryDirectory(prefix="hermes-doctor-") as home:
            away = msgspec.structs.replace(
                settings, data_dir=Path(home) / "data", runtime_dir=Path(home) / "run"
            )
            async with world.open_client(away, interactive=False, environ=world.environ) as door:
                return await _asked(door, away, world)
    except HermesError as error:
        return [bad("model", error.message, error.remedy)]


async def _owner(settings: Settings, world: World) -> Check:
    try:
        found = await _running(settings, world, _greeted)
    except HermesError as error:
        return bad("owner", error.message, error.remedy)
    return found or good("owner", "none runs; the next command will be it")


async def _greeted(door: Door, _settings: Settings, _world: World) -> Check:
    status = await door.status()
    others = max(int(status.get("clients") or 1) - 1, 0)
    return good("owner", f"pid {door.hello.pid}, {others} attached besides this look")


async def _running(
    settings: Settings, world: World, ask: Callable[[Door, Settings, World], Awaitable[T]]
) -> T | None:
    """What the running owner answers; None where none runs, also where it ended meanwhile."""
    for _ in range(_TRIES):
        try:
            async with world.find_owner(settings) as door:
                return None if door is None else await ask(door, settings, world)
        except HermesError as error:
            if not _gone(error):
                raise
            continue  # it quit while we asked; the next one may answer
    return None


def _gone(error: HermesError) -> bool:
    """Whether the owner quit, seen by us or told by the door."""
    return isinstance(error, OwnerGone) or getattr(error, "kind", "") == OwnerGone.__name__


async def _engine(settings: Settings) -> Check:
    module = _ENGINES[settings.engine]
    works, said = await output_of([sys.executable, "-c", f"import {module}"])
    remedy = f"pip install {settings.engine}, or use a server: --model URL#NAME"
    return aside("engine", module if works else f"{module}: {said}", remedy, ok=works)


def _file(settings: Settings) -> list[Check]:
    if not settings.model.endswith(".gguf") or "://" in settings.model:
        return []
    path = Path(settings.model).expanduser()
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == _GGUF
    except OSError as error:
        return [bad("model file", f"{path}: {error.strerror}", "name another --model")]
    detail = f"{path}, {path.stat().st_size / 1e6:.1f} MB" if is_gguf else f"{path} is no GGUF"
    return [Check("model file", is_gguf, detail, "name another --model")]


async def _asked(door: Door, settings: Settings, world: World) -> list[Check]:
    checks = [await _prompt(door, settings, world)]
    models: list[Json] = await door.query("models.list")
    names = ", ".join(str(model["model"]) for model in models)
    checks.append(aside("models", names, "start Ollama, llama-server or another", ok=bool(models)))
    skins: list[Json] = await door.query("skins.list")
    named = [str(skin["name"]) for skin in skins]
    known = settings.skin in named
    remedy = f"set skin to one of: {', '.join(named)}"
    return [*checks, Check("skins", known, ", ".join(named), remedy)]


async def _prompt(door: Door, settings: Settings, world: World) -> Check:
    request = TurnRequest(
        turn_id=TurnId(uuid7()),
        text="",
        cwd=str(world.cwd),
        root=str(world.root),
        model=settings.model,
        skin=settings.skin,
        profile=settings.profile,
        context=settings.context,
    )
    try:
        size = await door.query("context", conversation_id="", request=msgspec.to_builtins(request))
    except HermesError as error:
        if _gone(error):
            raise
        return bad("prompt", error.message, error.remedy)
    profile, tokens = str(size["profile"]), int(size["total"])
    wire = sum(int(part.get("bytes", 0)) for part in size["parts"])
    detail = (
        f"{profile}: {tokens:,} of {int(size['window']):,} tokens "
        f"({size['method']}), {wire:,} bytes"
    )
    fits = tokens <= _PROMPT_TOKENS.get(profile, tokens) and wire <= _PROMPT_BYTES.get(
        profile, wire
    )
    return aside("prompt", detail, "shorten the skin's prompt, or --profile lean", ok=fits)
