"""Blobs between nodes: sealed, served, fetched, resumed; and what lies on the disk."""

import resource
from contextlib import asynccontextmanager

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.chain.listening import Door
from hermes.core.clock import SystemClock
from hermes.errors import BlobRefused, BlobUnreachable, Usage
from hermes.identity.hot import HotKey
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blob_http import open_endpoint
from hermes.mesh.blob_seal import (
    MOST_CHUNK,
    PLAIN,
    Opener,
    Sealer,
    digest_of,
    read_reference,
    write_reference,
)
from hermes.mesh.blobs import Blobs
from hermes.store.blob_chunks import OWN, Chunks, Quota

ALICE, BOB, EVE = (HotKey(bytes([n]) * 32) for n in (1, 2, 3))
BIG = bytes(range(256)) * ((PLAIN + 5_000) // 256)


def unreported(part, error):
    raise AssertionError(f"{part}: {error!r}") from error


class Node:
    """Somebody with chunks and an endpoint, whom Alice and Bob may ask."""

    def __init__(self, chunks, url, endpoint):
        self.chunks, self.url, self.endpoint = chunks, url, endpoint
        self.blobs = Blobs(chunks)


@asynccontextmanager
async def node(root, quota=None, address="127.0.0.1:0"):
    chunks = await Chunks.open(root, quota)
    door = Door.bound(address, "blobs", "another")
    known = {ALICE.public, BOB.public}.__contains__
    async with open_endpoint(chunks, door, known, SystemClock(), unreported) as endpoint:
        yield Node(chunks, f"http://{door.address}", endpoint)


@pytest.fixture
async def home(tmp_path):
    async with node(tmp_path / "home") as one:
        yield one


def asking(url, key=ALICE):
    return BlobClient.open(url, key, SystemClock(), tries=2)


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=40))
def test_only_the_reference_opens(plain, tail):
    sealer = Sealer()
    chunk = sealer.seal(plain + tail)
    manifest, reference = sealer.finish()
    reference = read_reference(write_reference(reference))
    opener = Opener(reference)
    assert opener.manifest(manifest.data) == (chunk.digest,)
    assert opener.chunk(0, chunk.digest, chunk.data) == plain + tail
    assert tail not in chunk.data or len(tail) < 4
    other = Sealer()
    strange = other.seal(plain + tail)
    assert strange.data != chunk.data
    for data, digest in ((strange.data, chunk.digest), (strange.data, strange.digest)):
        with pytest.raises(BlobRefused, match=r"came as other|not sealed"):
            opener.chunk(0, digest, data)


def test_a_chunk_in_anothers_place_is_refused():
    sealer = Sealer()
    chunks = [sealer.seal(bytes(PLAIN)), sealer.seal(b"end")]
    manifest, reference = sealer.finish()
    opener = Opener(reference)
    assert len(chunks[0].data) == MOST_CHUNK
    assert opener.manifest(manifest.data) == tuple(one.digest for one in chunks)
    for index, chunk in ((0, chunks[1]), (1, chunks[0]), (2, chunks[1])):
        with pytest.raises(BlobRefused):
            opener.chunk(index, chunk.digest, chunk.data)
    with pytest.raises(BlobRefused):
        opener.manifest(chunks[1].data)
    with pytest.raises(ValueError, match="last one less"):
        sealer.seal(b"more")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 9_999,
        b'{"v":1,"size":-1,"root":"%s","key":"%s"}' % (b"0" * 64, b"0" * 64),
        b'{"v":1,"size":1,"root":"../etc","key":"%s"}' % (b"0" * 64),
        b'{"v":2,"size":1,"root":"%s","key":"%s"}' % (b"0" * 64, b"0" * 64),
        b'{"v":1,"size":1,"root":"%s","key":"%s","at":"http://x"}' % (b"0" * 64, b"0" * 64),
    ],
)
def test_what_is_no_reference(text):
    with pytest.raises(BlobRefused):
        read_reference(text)


@pytest.mark.parametrize("size", [0, 1, PLAIN, PLAIN + 1])
async def test_a_blob_is_fetched_from_another_node(home, tmp_path, size):
    plain = (BIG * 2)[:size]
    reference = await home.blobs.keep(plain)
    here = await Chunks.open(tmp_path / "here")
    async with asking(home.url) as client:
        assert await Blobs(here).read(reference, [client], size) == plain
        with pytest.raises(BlobRefused, match="at most"):
            await Blobs(here).read(reference, [client], size - 1)
    assert await Blobs(here).read(reference, [], size) == plain  # it is here now
    assert await Blobs(here).holds(reference)
    await Blobs(here).forget(reference)
    assert not await Blobs(here).holds(reference)
    assert here.used(OWN) == 0


async def test_a_file_travels_and_an_interrupted_one_goes_on(home, tmp_path):
    (tmp_path / "model").write_bytes(BIG)
    reference = await home.blobs.keep(tmp_path / "model")
    here = Blobs(await Chunks.open(tmp_path / "here"))
    part = tmp_path / f".{reference.root[:32]}.part"
    part.write_bytes(BIG[: PLAIN + 7])  # killed in the second chunk
    async with asking(home.url) as client:
        await here.write(reference, [client], tmp_path / "copy")
        assert not await client.has(digest_of(b"nothing"))
    assert (tmp_path / "copy").read_bytes() == BIG
    assert not part.exists()


async def test_an_upload_sends_only_what_is_missing(home, tmp_path):
    mine = await Chunks.open(tmp_path / "mine")
    reference = await Blobs(mine).keep(BIG)
    names = mine.owned(OWN)
    first = await mine.get(names[0])
    async with asking(home.url) as client:
        await client.put(names[0], first)
        before = (tmp_path / "home" / ALICE.public / names[0]).stat().st_ino
        await Blobs(mine).send(reference, client)
    assert (tmp_path / "home" / ALICE.public / names[0]).stat().st_ino == before
    assert set(home.chunks.owned(ALICE.public)) == set(names)
    assert await home.blobs.read(reference, [], len(BIG)) == BIG


async def test_the_next_source_is_asked_when_one_lies_or_is_gone(home, tmp_path):
    reference = await home.blobs.keep(b"the truth")
    for name in home.chunks.owned(OWN):
        (tmp_path / "liar" / OWN).mkdir(parents=True, exist_ok=True)
        (tmp_path / "liar" / OWN / name).write_bytes(bytes(25))
    here = Blobs(await Chunks.open(tmp_path / "here"))
    async with (
        node(tmp_path / "liar") as liar,
        asking(liar.url) as first,
        asking("http://127.0.0.1:9") as gone,
        asking(home.url) as last,
    ):
        with pytest.raises(BlobUnreachable, match="nobody gives"):
            await here.read(reference, [first], 99)
        assert await here.read(reference, [first, gone, last], 99) == b"the truth"


async def test_what_the_disk_altered_is_fetched_again(home, tmp_path):
    reference = await home.blobs.keep(b"sound")
    here = Blobs(await Chunks.open(tmp_path / "here"))
    async with asking(home.url) as client:
        await here.mirror(reference, [client])
        for file in (tmp_path / "here" / OWN).iterdir():
            file.write_bytes(b"rotten")
        assert await here.read(reference, [client], 99) == b"sound"
        for file in (tmp_path / "here" / OWN).iterdir():
            file.write_bytes(b"rotten")
    with pytest.raises(BlobUnreachable, match="nobody was asked"):
        await here.read(reference, [], 99)


async def test_what_others_left_is_there_again_after_a_start(tmp_path):
    async with node(tmp_path / "home") as home, asking(home.url) as client:
        await client.put(digest_of(b"left"), b"left")
    (tmp_path / "home" / ALICE.public / ".cut-off").write_bytes(b"half")
    (tmp_path / "home" / "lost+found").mkdir()
    async with node(tmp_path / "home") as home, asking(home.url, BOB) as client:
        assert await client.get(digest_of(b"left")) == b"left"
        assert home.chunks.used(ALICE.public) == 4_096
        assert await home.chunks.sweep(0) == 0
        assert await home.chunks.sweep(SystemClock().now_ms() + 1_000) == 1
        assert home.chunks.used(ALICE.public) == 0
    assert [one.name for one in (tmp_path / "home" / ALICE.public).iterdir()] == []


async def test_removing_is_for_who_left_it(home):
    digest = digest_of(b"shared")
    async with asking(home.url) as alice, asking(home.url, BOB) as bob:
        await alice.put(digest, b"shared")
        await bob.remove(digest)
        assert await bob.has(digest)
        await alice.remove(digest)
        assert not await bob.has(digest)


async def test_quotas_of_one_and_of_all(tmp_path):
    quota = Quota(others=3 * 4_096, each=2 * 4_096, spare=0)
    async with (
        node(tmp_path / "home", quota) as home,
        asking(home.url) as alice,
        asking(home.url, BOB) as bob,
    ):
        for text in (b"1", b"2"):
            await alice.put(digest_of(text), text)
        with pytest.raises(BlobRefused, match="no room left here for"):
            await alice.put(digest_of(b"3"), b"3")
        await bob.put(digest_of(b"3"), b"3")
        with pytest.raises(BlobRefused, match="no room left here for"):
            await bob.put(digest_of(b"4"), b"4")
        await alice.remove(digest_of(b"1"))
        await bob.put(digest_of(b"4"), b"4")
        await home.blobs.keep(bytes(9_000))  # our own counts elsewhere
        assert home.endpoint.refused["over quota"] == 2


async def test_a_disk_that_has_to_keep_room(tmp_path):
    async with node(tmp_path / "home", Quota(spare=1 << 60)) as home, asking(home.url) as client:
        with pytest.raises(BlobRefused, match="disk here has no room"):
            await client.put(digest_of(b"x"), b"x")
        with pytest.raises(BlobRefused, match="disk here has no room"):
            await home.blobs.keep(b"x")
        assert home.chunks.used(ALICE.public) == home.chunks.used(OWN) == 0


async def test_a_disk_that_is_full_in_the_middle_of_a_blob(tmp_path):
    chunks = await Chunks.open(tmp_path / "home")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))  # as errno EFBIG
    try:
        with pytest.raises(BlobRefused, match="no room left") as raised:
            await Blobs(chunks).keep(BIG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.reason == "disk full"
    assert list((tmp_path / "home" / OWN).iterdir()) == []
    assert chunks.used(OWN) == 0


async def test_nobody_there_is_said(tmp_path):
    async with asking("http://127.0.0.1:9") as client:
        with anyio.fail_after(20), pytest.raises(BlobUnreachable, match="does not answer"):
            await client.has(digest_of(b""))


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "http://a:b", "http://u:p@h", "http://h/p", "http://h?q"]
)
async def test_what_is_no_endpoint(url):
    with pytest.raises(Usage, match="no blob endpoint"):
        async with asking(url):
            pass
