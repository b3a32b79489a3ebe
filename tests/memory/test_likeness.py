from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from hermes.core.clock import SystemClock
from hermes.memory.embedding import embedder_of
from hermes.memory.likeness import Vectors, index_of
from hermes.memory.recall import Recaller, ids
from hermes.store.store import Store
from hermes.testing.acts import refuse
from hermes.testing.endpoint import serve

SAID = (
    "Datenbankverbindungen laufen über Port 5433",
    "releases go out on Tuesdays",
    "Maria owns the billing service",
)


class House:
    """A store with vectors beside it."""

    def __init__(self, directory, kind: str, embedder: str = "") -> None:
        self.directory = directory
        self.kind = kind
        self.embedder = embedder
        self.reported: list[str] = []
        self.told = anyio.Event()

    def _report(self, _where: str, error: BaseException) -> None:
        self.reported.append(str(error))
        self.told.set()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Store, Vectors, Recaller]]:
        clock = SystemClock()
        index = index_of(self.kind, self.directory)
        async with (
            Store.open(self.directory / "store.db", clock) as store,
            anyio.create_task_group() as tasks,
            Vectors(
                store.likely, clock, embedder_of(self.embedder), index, self._report
            ) as vectors,
        ):
            tasks.start_soon(vectors.keep)
            yield store, vectors, Recaller(store, clock, vectors)
            tasks.cancel_scope.cancel()


@pytest.fixture(params=["sqlite-vec", "faiss"])
def house(request, tmp_path) -> House:
    return House(tmp_path, request.param)


async def _synced(vectors: Vectors) -> None:
    """Ask once, so that what changed is noticed, and wait for it."""
    with anyio.fail_after(10):
        await vectors.synced.wait()
        await vectors.nearest("p", "anything", 1)
        await vectors.synced.wait()


async def test_what_the_words_do_not_find_likeness_does(house):
    async with house.opened() as (store, vectors, recaller):
        wanted, *_ = [await store.memory.add("p", "fact", one) for one in SAID]
        await _synced(vectors)

        found = await recaller.find("p", "Testdatenbankverbindung")
        assert found[0].memory.id == wanted
        assert found[0].why.text_rank == 0
        assert found[0].why.vector_rank == 1
        assert found[0].score >= 0.3
        assert await Recaller(store, SystemClock()).find("p", "Testdatenbankverbindung") == ()
    assert house.reported == []


async def test_other_projects_and_what_is_over_are_never_found(house):
    async with house.opened() as (store, vectors, recaller):
        await store.memory.add("other", "fact", SAID[0])
        old = await store.memory.add("p", "fact", SAID[0])
        await _synced(vectors)
        new = await store.memory.supersede(old, "Datenbankverbindungen laufen über Port 5434")

        assert ids(await recaller.find("p", "Verbindung zur Datenbank")) in {(), (new,)}
        await _synced(vectors)
        assert ids(await recaller.find("p", "Verbindung zur Datenbank")) == (new,)


async def test_what_is_forgotten_leaves_the_vectors(house):
    async with house.opened() as (store, vectors, _recaller):
        gone = await store.memory.add("p", "fact", SAID[0])
        kept = await store.memory.add("p", "fact", SAID[1])
        await _synced(vectors)
        await store.memory.forget(gone)
        await _synced(vectors)
    index = index_of(house.kind, house.directory)
    await index.open(embedder_of("").name)
    assert set(await index.known()) == {kept}
    await index.close()


async def test_the_file_can_be_lost(house):
    async with house.opened() as (store, vectors, _recaller):
        wanted = await store.memory.add("p", "fact", SAID[0])
        await _synced(vectors)
    for path in house.directory.glob("vectors.*"):
        path.unlink()
    async with house.opened() as (_store, vectors, recaller):
        await _synced(vectors)
        assert ids(await recaller.find("p", "Verbindung zur Datenbank")) == (wanted,)
        assert (await recaller.find("p", "Verbindung zur Datenbank"))[0].why.vector_rank == 1


async def test_only_what_is_new_is_sent_to_a_server(tmp_path):
    page = {"data": [{"index": 0, "embedding": [0.6, 0.8]}]}
    async with serve([], pages={"/v1/embeddings": page}) as server:
        house = House(tmp_path, "sqlite-vec", f"{server.base_url}#m")
        for number in range(2):
            async with house.opened() as (store, vectors, recaller):
                await vectors.synced.wait()
                await store.memory.add("p", "fact", SAID[number])
                await _synced(vectors)
        asked = [seen.body["input"] for seen in server.others]
    assert [texts for texts in asked if texts != ["anything"]] == [[SAID[0]], [SAID[1]]]
    assert recaller is not None


async def test_a_server_that_fails_is_reported_and_words_still_find(tmp_path):
    pages = {"/v1/embeddings": refuse(500, {"message": "out of order"})}
    async with serve([], pages=pages) as server:
        house = House(tmp_path, "sqlite-vec", f"{server.base_url}#m")
        async with house.opened() as (store, _vectors, recaller):
            wanted = await store.memory.add("p", "fact", SAID[1])
            found = await recaller.find("p", "when do releases go out?")
            with anyio.fail_after(10):
                while not house.reported:
                    await recaller.find("p", "releases")
    assert ids(found) == (wanted,)
    assert "out of order" in house.reported[0]
