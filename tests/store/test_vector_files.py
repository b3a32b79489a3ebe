import struct
import subprocess
import sys

import pytest

from hermes.errors import NotAvailable
from hermes.store.vectors import SqliteVectors, Vectored
from hermes.store.vectors_faiss import FaissVectors

KINDS = {"sqlite-vec": (SqliteVectors, "vectors.db"), "faiss": (FaissVectors, "vectors.faiss")}


def _vector(*floats: float) -> bytes:
    return struct.pack(f"<{len(floats)}f", *floats)


def _entry(memory: int, *floats: float, project: str = "p") -> Vectored:
    return Vectored(memory, project, bytes([memory]) * 16, _vector(*floats))


@pytest.fixture(params=sorted(KINDS))
def make(request, tmp_path):
    kind, name = KINDS[request.param]
    return lambda: kind(tmp_path / "data" / name)


@pytest.fixture
async def index(make):
    opened = make()
    await opened.open("one")
    yield opened
    await opened.close()


async def test_the_most_alike_of_one_project_come_first(index):
    await index.put([_entry(1, 1, 0), _entry(2, 0.8, 0.6), _entry(3, 0, 1)])
    await index.put([_entry(4, 1, 0, project="q")])

    found = await index.nearest("p", _vector(2, 0), 2)

    assert [memory for memory, _ in found] == [1, 2]
    assert [cosine for _, cosine in found] == pytest.approx([1.0, 0.8], abs=1e-5)
    assert await index.nearest("nobody's", _vector(1, 0), 2) == []
    assert len(await index.nearest("p", _vector(1, 0), 99)) == 3


async def test_what_is_put_again_replaces_and_what_is_dropped_is_gone(index):
    await index.put([_entry(1, 1, 0), _entry(2, 0, 1)])
    await index.put([Vectored(1, "p", b"new", _vector(0, 1))])
    await index.drop([2, 77])

    assert await index.known() == {1: b"new"}
    ((memory, cosine),) = await index.nearest("p", _vector(0, 1), 9)
    assert (memory, cosine) == (1, pytest.approx(1.0))


async def test_an_empty_index_finds_nothing(index):
    assert await index.nearest("p", _vector(1, 0), 9) == []
    await index.drop([1])
    await index.put([])
    assert await index.known() == {}


async def test_another_length_empties_it(index):
    await index.put([_entry(1, 1, 0)])
    assert await index.nearest("p", _vector(1, 0, 0), 9) == []

    await index.put([_entry(2, 1, 0, 0)])

    assert set(await index.known()) == {2}
    assert await index.nearest("p", _vector(1, 0), 9) == []


async def test_it_is_kept_from_run_to_run_for_one_embedder(make):
    for embedder, before in (("one", set()), ("one", {1}), ("two", set())):
        index = make()
        await index.open(embedder)
        assert set(await index.known()) == before
        await index.put([_entry(1, 1, 0)])
        assert [memory for memory, _ in await index.nearest("p", _vector(1, 0), 1)] == [1]
        await index.close()


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 99, None])
async def test_a_damaged_file_is_made_again(make, damage):
    index = make()
    await index.open("one")
    await index.put([_entry(number, 1, number) for number in range(1, 200)])
    await index.close()
    whole = index.path.read_bytes()
    index.path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)

    again = make()
    await again.open("one")
    await again.put([_entry(7, 1, 0)])
    found = await again.nearest("p", _vector(1, 0), 1)
    await again.close()

    assert found[0][0] == 7


async def test_the_file_is_the_owners_alone(make):
    index = make()
    await index.open("one")
    await index.put([_entry(1, 1, 0)])
    await index.close()

    assert index.path.stat().st_mode & 0o777 == 0o600


async def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(Exception, match="cannot be written"):
        await SqliteVectors(tmp_path / "data" / "vectors.db").open("one")


@pytest.mark.parametrize(
    ("module", "opens"),
    [("sqlite_vec", "vectors.SqliteVectors"), ("faiss", "vectors_faiss.FaissVectors")],
)
def test_without_the_extra_it_says_what_to_install(tmp_path, module, opens):
    """In a process of its own, in which the library cannot be imported."""
    room, name = opens.split(".")
    code = f"""
import sys, pathlib, anyio
sys.modules[{module!r}] = None
from hermes.errors import NotAvailable
from hermes.store.{room} import {name}
async def main():
    try:
        await {name}(pathlib.Path({str(tmp_path)!r}) / "v").open("one")
    except NotAvailable as error:
        print(error.remedy)
anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'hermes-v2[" in done.stdout


async def test_a_closed_one_is_an_error_of_ours(make):
    index = SqliteVectors(make().path)
    with pytest.raises(NotAvailable):
        await index.known()
