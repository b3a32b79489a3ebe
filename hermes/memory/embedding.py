"""Texts as vectors: by hashing the pieces of words, with no model at all, or by a server.

The built-in one knows no meanings: it finds other forms, typing errors, compounds, and words in
scripts that the full-text index does not cut. Vectors are 32-bit floats, little-endian, as bytes.
"""

import math
import struct
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from typing import Protocol, Self

import anyio.to_thread
import msgspec

from hermes.errors import ModelGarbled, Usage
from hermes.memory.words import plain_words, stem, telling
from hermes.models.server import Server, Timeouts
from hermes.models.transport import Transport

FLOATS = 384
_MOST_TEXT = 4_000
_GRAMS = (3, 4, 5)
_NARROW = (1, 2)  # of scripts that write without spaces: a piece is a character or two
_WIDE_FROM = "\u2e80"
_WHOLE, _PIECE, _WIDE_PIECE, _PAIR = 0.6, 0.25, 0.5, 0.3  # weights; long words weigh more
_MIX, _MASK = 0x9E3779B1, 0xFFFFFFFF
_WAIT_S = 20.0
_MOST_FLOATS = 8_192


class Embedder(AbstractAsyncContextManager["Embedder"], Protocol):
    """Turns texts into vectors; open it, it may own connections."""

    @property
    def name(self) -> str:
        """What made a vector: vectors of different names cannot be compared."""
        ...

    @property
    def floor(self) -> float:
        """The cosine of two texts that have nothing to do with each other, and a little more."""
        ...

    async def embed(self, texts: Sequence[str]) -> tuple[bytes, ...]:
        """One vector a text; raises ModelError."""
        ...


class BuiltIn:
    """Signed hashing of words and their pieces; the same bytes on every machine."""

    name = f"pieces-{FLOATS}-1"
    floor = 0.18

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Nothing to close."""

    async def embed(self, texts: Sequence[str]) -> tuple[bytes, ...]:
        """One unit vector a text."""
        return await anyio.to_thread.run_sync(_all_hashed, tuple(texts))


def hashed(text: str) -> bytes:
    """A text's unit vector; never a zero one."""
    floats = [0.0] * FLOATS
    for piece, weight in _features(text[:_MOST_TEXT]).items():
        mixed = zlib.crc32(piece.encode("utf-8", "replace")) * _MIX & _MASK
        floats[(mixed >> 1) % FLOATS] += weight if mixed & 1 else -weight
    length = math.sqrt(math.fsum(one * one for one in floats))
    if not length:
        floats[0] = length = 1.0
    return struct.pack(f"<{FLOATS}f", *(one / length for one in floats))


def _all_hashed(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(map(hashed, texts))


def _features(text: str) -> Mapping[str, float]:
    features: defaultdict[str, float] = defaultdict(float)
    stems = telling(text) or tuple(map(stem, plain_words(text))) or (text.strip(),)
    for one in stems:
        wide = any(char >= _WIDE_FROM for char in one)
        features[f"w {one}"] += 0.0 if wide else _WHOLE
        padded = one if wide else f"<{one}>"
        grams = [
            padded[start : start + size]
            for size in (_NARROW if wide else _GRAMS)
            for start in range(len(padded) - size + 1)
        ]
        for gram in grams:
            features[f"g {gram}"] += _WIDE_PIECE if wide else _PIECE
    for pair in pairwise(stems):
        features[f"p {' '.join(pair)}"] += _PAIR
    return features


class _Made(msgspec.Struct):
    index: int
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Made]


class Served:
    """An OpenAI-compatible server's embeddings; every memory is sent there."""

    floor = 0.3

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport = Transport(server, Timeouts())
        self.name = f"{server.root}#{server.model}"

    async def __aenter__(self) -> Self:
        """Open the pool; nothing is connected yet."""
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close every connection."""
        await self._transport.__aexit__(None, None, None)

    async def embed(self, texts: Sequence[str]) -> tuple[bytes, ...]:
        """One vector a text, as the server made it; raises ModelError."""
        asked = {"model": self._server.model, "input": [text[:_MOST_TEXT] for text in texts]}
        body = msgspec.json.encode(asked)
        answer = await self._transport.fetch("POST", "/v1/embeddings", body, _WAIT_S)
        try:
            made = msgspec.json.decode(answer, type=_Answer).data
        except msgspec.MsgspecError as error:
            raise ModelGarbled(f"the server's embeddings cannot be read: {error}") from error
        vectors = {one.index: one.embedding for one in made}
        lengths = {len(vector) for vector in vectors.values()}
        whole = set(vectors) == set(range(len(texts))) and len(lengths) == 1
        if not whole or not 0 < max(lengths) <= _MOST_FLOATS:
            raise ModelGarbled("the server's embeddings are not one vector a text")
        return tuple(_packed(vectors[number]) for number in range(len(texts)))


def _packed(vector: Sequence[float]) -> bytes:
    if not any(vector) or not all(map(math.isfinite, vector)):
        raise ModelGarbled("the server's embeddings are not numbers")
    try:
        return struct.pack(f"<{len(vector)}f", *vector)
    except OverflowError as error:
        raise ModelGarbled("the server's embeddings are too large") from error


def embedder_of(spec: str, model: str = "", api_key: str = "") -> BuiltIn | Served:
    """The embedder that the settings name; raises Usage.

    Args:
        spec: URL#NAME, or empty for the built-in one.
        model: the chat model's own spec.
        api_key: the key to that model's server; no other server is shown it.
    """
    if not spec:
        return BuiltIn()
    url, _, name = spec.partition("#")
    if not name:
        raise Usage(f"memory.embedder: {spec!r} names no model", "write it as URL#NAME")
    server = Server(model=name, base_url=url)
    same = "://" in model and Server(model="", base_url=model.partition("#")[0]).root == server.root
    return Served(Server(model=name, base_url=url, api_key=api_key if same else ""))
