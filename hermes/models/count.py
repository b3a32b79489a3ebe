"""Counts a prompt's tokens: by llama.cpp's own template and tokenizer, else by estimate."""

from collections import OrderedDict
from hashlib import blake2b

import msgspec

from hermes.core.model import ModelRequest
from hermes.errors import ModelError, ModelRefused
from hermes.models.estimate import estimate
from hermes.models.transport import Transport
from hermes.models.wire import Wire

_WAIT_S = 5.0
_REMEMBERED = 32


class _Template(msgspec.Struct):
    prompt: str


class _Tokens(msgspec.Struct):
    tokens: list[msgspec.Raw]


class Counter:
    """Counts for one server; remembers the last prompts, and that a server cannot count."""

    def __init__(self, transport: Transport, wire: Wire) -> None:
        self._transport = transport
        self._wire = wire
        self._able = True
        self._known: OrderedDict[bytes, int] = OrderedDict()

    async def count(self, request: ModelRequest) -> int:
        """Count the rendered prompt; never fails, an unwell server means an estimate."""
        body = self._wire.template(request)
        key = blake2b(body, digest_size=16).digest()
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        if not self._able:
            return estimate(request)
        try:
            counted = await self._counted(body)
        except ModelRefused:
            self._able = bool(self._known)  # it never counted: no llama.cpp; else only not this
            return estimate(request)
        except (ModelError, msgspec.MsgspecError):
            return estimate(request)
        self._known[key] = counted
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return counted

    async def _counted(self, body: bytes) -> int:
        answer = await self._transport.fetch("POST", "/apply-template", body, _WAIT_S)
        prompt = msgspec.json.decode(answer, type=_Template).prompt
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        answer = await self._transport.fetch(
            "POST", "/tokenize", msgspec.json.encode(asked), _WAIT_S
        )
        return len(msgspec.json.decode(answer, type=_Tokens).tokens)
