"""Looks for model servers on the usual loopback ports, and at the models they offer.

Whoever listens there may be anything: answers are bounded in size and time, redirects are not
followed, names that could drive a terminal are dropped. It does not say that a server is honest.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeVar

import anyio
import httpcore2
import msgspec

ServerKind = Literal["ollama", "llama-server", "lm-studio", "vllm"]

USUAL_PORTS: Mapping[ServerKind, int] = MappingProxyType(
    {"ollama": 11434, "llama-server": 8080, "lm-studio": 1234, "vllm": 8000}
)
_OLLAMA_WINDOW = 4_096  # what it uses unless it is told otherwise, whatever the model could
_MOST_BYTES = 1 << 20
_MOST_MODELS = 50
_MOST_NAME = 200
_MOST_WINDOW = 1 << 27
_OK = 200
_NUM_CTX = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)
_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    OSError,
    msgspec.DecodeError,
    RecursionError,
)


class FoundModel(msgspec.Struct, frozen=True):
    """A model that a server offers; `window` in tokens, 0 where it did not say."""

    name: str
    window: int = 0


class FoundServer(msgspec.Struct, frozen=True):
    """A server that answered; `base_url` ends in `/v1`."""

    kind: ServerKind
    base_url: str
    models: tuple[FoundModel, ...]


class _Tag(msgspec.Struct):
    name: str


class _Tags(msgspec.Struct):
    models: list[_Tag]


class _Show(msgspec.Struct):
    parameters: str = ""


class _Entry(msgspec.Struct):
    id: str
    max_model_len: int | None = None  # vLLM
    loaded_context_length: int | None = None  # LM Studio, its own listing


class _Entries(msgspec.Struct):
    data: list[_Entry]


class _Generation(msgspec.Struct, frozen=True):
    n_ctx: int = 0


class _Props(msgspec.Struct):
    default_generation_settings: _Generation = _Generation()


_T = TypeVar("_T")


class _Door:
    """One server: bounded questions, each with a time limit of its own."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool, port: int, timeout_s: float) -> None:
        self._pool = pool
        self._timeout_s = timeout_s
        self.url = f"http://127.0.0.1:{port}"

    async def ask(self, path: str, kind: type[_T], body: object = None) -> _T | None:
        """The decoded answer; None for silence, an error, a redirect, or anything else."""
        with anyio.move_on_after(self._timeout_s):
            try:
                data = await self._fetch(path, b"" if body is None else msgspec.json.encode(body))
                return msgspec.json.decode(data, type=kind)
            except _FAILURES:
                return None
        return None

    async def _fetch(self, path: str, body: bytes) -> bytes:
        data = bytearray()
        async with self._pool.stream(
            "POST" if body else "GET",
            self.url + path,
            headers={"content-type": "application/json"},
            content=body or None,
        ) as response:
            if response.status != _OK:
                return b""
            async for chunk in response.aiter_stream():
                data += chunk
                if len(data) > _MOST_BYTES:
                    return b""
        return bytes(data)


async def find_servers(
    timeout_s: float = 0.3, ports: Mapping[ServerKind, int] = USUAL_PORTS
) -> list[FoundServer]:
    """Ask all ports of 127.0.0.1 at once; servers that answer, in the order of `ports`.

    Takes at most two rounds of `timeout_s` seconds: the models, then their windows.
    """
    found: dict[ServerKind, FoundServer] = {}

    async def look(kind: ServerKind, port: int) -> None:
        door = _Door(pool, port, timeout_s)
        models = await _LISTINGS[kind](door)
        if models:
            found[kind] = FoundServer(kind, f"{door.url}/v1", tuple(models))

    async with (
        httpcore2.AsyncConnectionPool(max_connections=None) as pool,
        anyio.create_task_group() as tasks,
    ):
        for kind, port in ports.items():
            tasks.start_soon(look, kind, port)
    return [found[kind] for kind in ports if kind in found]


async def _ollama(door: _Door) -> list[FoundModel]:
    tags = await door.ask("/api/tags", _Tags)
    names = _plain([tag.name for tag in tags.models] if tags else [])
    windows = dict.fromkeys(names, _OLLAMA_WINDOW)

    async def show(name: str) -> None:
        shown = await door.ask("/api/show", _Show, {"model": name})
        if shown and (said := _NUM_CTX.search(shown.parameters)):
            windows[name] = _sane(int(said[1])) or _OLLAMA_WINDOW

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(show, name)
    return [FoundModel(name, window) for name, window in windows.items()]


async def _llama_server(door: _Door) -> list[FoundModel]:
    models = await _entries(door, "/v1/models")
    props = await door.ask("/props", _Props) if models else None
    window = _sane(props.default_generation_settings.n_ctx) if props else 0
    return [FoundModel(model.name, model.window or window) for model in models]


async def _lm_studio(door: _Door) -> list[FoundModel]:
    models = await _entries(door, "/v1/models")
    told = await _entries(door, "/api/v0/models") if models else []
    windows = {model.name: model.window for model in told}
    return [FoundModel(model.name, windows.get(model.name, 0)) for model in models]


async def _vllm(door: _Door) -> list[FoundModel]:
    return await _entries(door, "/v1/models")


async def _entries(door: _Door, path: str) -> list[FoundModel]:
    listing = await door.ask(path, _Entries)
    entries = {entry.id: entry for entry in listing.data} if listing else {}
    return [
        FoundModel(name, _sane(entries[name].max_model_len or entries[name].loaded_context_length))
        for name in _plain(entries)
    ]


_LISTINGS: Mapping[ServerKind, Callable[[_Door], Awaitable[list[FoundModel]]]] = MappingProxyType(
    {"ollama": _ollama, "llama-server": _llama_server, "lm-studio": _lm_studio, "vllm": _vllm}
)


def _plain(names: list[str] | Mapping[str, object]) -> list[str]:
    fine = (name for name in names if 0 < len(name) <= _MOST_NAME and name.isprintable())
    return list(dict.fromkeys(fine))[:_MOST_MODELS]


def _sane(window: int | None) -> int:
    return window if window and 0 < window <= _MOST_WINDOW else 0
