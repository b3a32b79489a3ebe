"""Asks a server what it serves: its models, and the window of the one that is meant."""

import anyio
import msgspec

from hermes.errors import ModelError
from hermes.models.refusal import whole
from hermes.models.server import Server, Timeouts
from hermes.models.transport import Transport

_WAIT_S = 2.0
_WINDOWS = ("n_ctx", "max_model_len", "context_length", "max_context_length", "context_window")


class Description(msgspec.Struct, frozen=True):
    """`window` in tokens, 0 where the server does not say; `models` by their ids."""

    window: int
    models: tuple[str, ...]


async def describe(server: Server, wait_s: float = _WAIT_S) -> Description:
    """Ask `/v1/models` and llama.cpp's `/props`, within `wait_s` in all.

    Raises ModelError where the server does not answer; what is missing is left out.
    """
    deadline = anyio.current_time() + wait_s
    async with Transport(server, Timeouts(connect_s=wait_s)) as transport:
        listed = _json(await transport.fetch("GET", "/v1/models", wait_s=wait_s))
        models = {str(item.get("id", "")): item for item in _items(listed.get("data"))}
        window = await _props(transport, deadline - anyio.current_time())
    meant = models.get(server.model) or next(iter(models.values()), {})
    return Description(window or _window(meant), tuple(name for name in models if name))


async def _props(transport: Transport, wait_s: float) -> int:
    try:
        props = _json(await transport.fetch("GET", "/props", wait_s=max(wait_s, 0.0)))
    except ModelError:
        return 0
    settings = props.get("default_generation_settings")
    return whole(settings.get("n_ctx")) if isinstance(settings, dict) else 0


def _window(model: dict[str, object]) -> int:
    inner = model.get("meta")
    sources = (model, inner if isinstance(inner, dict) else {})
    return next((n for s in sources for key in _WINDOWS if (n := whole(s.get(key)))), 0)


def _json(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (ValueError, RecursionError):
        return {}


def _items(value: object) -> list[dict[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
