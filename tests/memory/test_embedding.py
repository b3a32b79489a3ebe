import hashlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import ModelError, ModelGarbled, Usage
from hermes.memory.embedding import FLOATS, BuiltIn, embedder_of, hashed
from hermes.testing.acts import refuse
from hermes.testing.endpoint import serve

DIGEST = "5c6992e18da3f17f2abbcea60a608fba82a048478eab942bd5dbf109c3176916"


def _floats(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)


def _like(one: str, two: str) -> float:
    pairs = zip(_floats(hashed(one)), _floats(hashed(two)), strict=True)
    return math.fsum(a * b for a, b in pairs)


@given(st.text())
def test_every_text_has_a_unit_vector(text):
    floats = _floats(hashed(text))
    assert len(floats) == FLOATS
    assert math.fsum(one * one for one in floats) == pytest.approx(1.0, abs=1e-4)


def test_the_same_text_is_the_same_bytes_on_every_machine():
    digest = hashlib.sha256(hashed("the staging database listens on port 5433")).hexdigest()
    assert digest == DIGEST


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("the database listens on port 5433", "databse lissens on prot 5433"),
        ("Datenbankverbindung der Testumgebung", "die Verbindung zur Datenbank"),
        ("deployments are frozen on fridays", "deploying is frozen on a friday"),
        ("データベースはポート5433を使う", "データベースのポート"),
        ("порт базы данных", "порты базы"),
    ],
)
def test_what_looks_alike_is_near(one, two):
    assert _like(one, two) > BuiltIn.floor + 0.1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("the database listens on port 5433", "Maria owns the billing service"),
        ("the logo lies in assets", "tests are run by make test"),
        ("データベースはポート5433を使う", "会議は金曜日にある"),
    ],
)
def test_what_has_nothing_in_common_is_far(one, two):
    assert _like(one, two) < BuiltIn.floor


def _page(*vectors: list[float], order: tuple[int, ...] = ()) -> dict:
    places = order or tuple(range(len(vectors)))
    return {"data": [{"index": i, "embedding": v} for i, v in zip(places, vectors, strict=True)]}


async def test_a_server_is_asked_in_the_usual_form():
    page = _page([0.0, 1.0], [1.0, 0.0], order=(1, 0))
    async with serve([], pages={"/v1/embeddings": page}) as server:
        spec = f"{server.base_url}#small"
        async with embedder_of(spec, model=f"{server.base_url}#chat", api_key="k1") as embedder:
            made = await embedder.embed(["one", "two"])
    (seen,) = server.others
    assert [_floats(one) for one in made] == [(1.0, 0.0), (0.0, 1.0)]
    assert seen.body == {"model": "small", "input": ["one", "two"]}
    assert seen.headers["authorization"] == "Bearer k1"
    assert embedder.name.endswith("#small")


async def test_another_server_is_not_shown_the_key():
    async with serve([], pages={"/v1/embeddings": _page([1.0])}) as server:
        elsewhere = "http://localhost:9/v1#chat"
        async with embedder_of(f"{server.base_url}#m", elsewhere, "secret") as embedder:
            await embedder.embed(["one"])
    assert "authorization" not in server.others[0].headers


@pytest.mark.parametrize(
    "page",
    [
        _page(),
        _page([1.0]),
        _page([1.0], [1.0, 2.0]),
        _page([1.0], [2.0], order=(0, 0)),
        _page([1.0], [0.0]),
        _page([], []),
        _page([1e300], [1.0]),
        _page([0.1] * 9_000, [0.1] * 9_000),
        {"data": [{"index": 0, "embedding": "AAAA"}]},
        {"error": "no"},
        [],
    ],
)
async def test_an_answer_that_is_not_one_vector_a_text_is_refused(page):
    async with (
        serve([], pages={"/v1/embeddings": page}) as server,
        embedder_of(f"{server.base_url}#m") as embedder,
    ):
        with pytest.raises(ModelGarbled):
            await embedder.embed(["one", "two"])


async def test_a_server_that_refuses_is_an_error_of_ours():
    pages = {"/v1/embeddings": refuse(500, {"message": "no"})}
    async with serve([], pages=pages) as server, embedder_of(f"{server.base_url}#m") as embedder:
        with pytest.raises(ModelError):
            await embedder.embed(["one"])


@pytest.mark.parametrize("spec", ["http://localhost:1/v1", "nonsense#m", "http://#m"])
def test_a_spec_that_names_no_server_is_refused(spec):
    with pytest.raises(Usage):
        embedder_of(spec)
