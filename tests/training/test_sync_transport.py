"""Where workers meet: a directory, and a hub that serves it to whoever holds a token."""

import os
import socket

import anyio
import anyio.to_thread
import pytest

from hermes.errors import SyncRefused, SyncUnreachable

pytest.importorskip("numpy")
from training.sync.directory import Directory
from training.sync.hub import Hub
from training.sync.sockets import Sockets
from training.sync.transport import Look

TOKENS = {"w1": "one", "w2": "two"}


@pytest.fixture(params=["directory", "tcp", "unix"])
async def meeting(request, tmp_path):
    """The transports of two workers that meet at the same place."""
    rounds = Directory(tmp_path / "run", 1000)
    if request.param == "directory":
        yield rounds, Directory(tmp_path / "run", 1000)
        return
    address = ("127.0.0.1", 0) if request.param == "tcp" else tmp_path / "hub.sock"
    async with Hub(rounds, TOKENS, address) as hub:
        yield tuple(Sockets(hub.address, name, TOKENS[name]) for name in TOKENS)


async def test_the_first_wins_and_a_settled_round_is_closed(meeting):
    one, other = meeting
    assert await one.publish(0, "delta.w1", b"first")
    assert not await one.publish(0, "delta.w1", b"second")
    assert await other.fetch(0, "delta.w1", 1000) == b"first"
    assert await other.look(0) == Look((), ("w1",), None)
    assert await one.settle(0, ("w1",)) == ("w1",)
    assert not await other.publish(0, "delta.w2", b"late")
    assert await other.settle(0, ("w1",)) == ("w1",)
    assert (await other.look(0)).settled == ("w1",)


async def test_the_first_proposal_counts(meeting):
    one, other = meeting
    await one.publish(0, "delta.w1", b"a")
    await other.publish(0, "delta.w2", b"b")
    found = []

    async def settle(transport, names):
        found.append(await transport.settle(0, names))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(settle, one, ("w1",))
        tasks.start_soon(settle, other, ("w1", "w2"))
    assert found[0] == found[1]


async def test_a_look_waits_for_news(meeting):
    one, other = meeting
    before = await one.look(0)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other.publish, 0, "here.w2", b"")
            now = await one.look(0, before, 60)
    assert now.here == ("w2",)
    assert await one.look(0, now, 0.01) == now


@pytest.mark.parametrize(
    ("number", "name", "size"),
    [
        (0, "../evil", 1),
        (0, "delta.W!", 1),
        (0, "settled", 1),
        (0, "delta.w1", 1001),
        (5, "delta.w1", 1),
        (-1, "delta.w1", 1),
        (10**9, "state", 1),
    ],
)
async def test_what_cannot_be_published(meeting, number, name, size):
    with pytest.raises(SyncRefused):
        await meeting[0].publish(number, name, bytes(size))
    assert await meeting[1].states() == ()


async def test_nobody_counts_who_delivered_nothing(meeting):
    for names in ((), ("w2",), ("../x",)):
        with pytest.raises(SyncRefused):
            await meeting[0].settle(0, names)


async def test_more_than_asked_for_is_not_fetched(meeting):
    await meeting[0].publish(0, "state", bytes(900))
    with pytest.raises(SyncRefused, match="at most 100 bytes"):
        await meeting[1].fetch(0, "state", 100)
    assert await meeting[1].fetch(0, "state", 900) == bytes(900)


async def test_old_rounds_are_forgotten(meeting):
    one, other = meeting
    for number in range(6):
        await one.publish(number, "state", b"s")
        await one.publish(number, "delta.w1", b"d")
        await one.settle(number, ("w1",))
    assert await other.states() == (3, 4, 5)
    with pytest.raises(SyncRefused):
        await other.fetch(2, "delta.w1", 100)


async def test_hostile_files_are_refused(tmp_path):
    rounds = Directory(tmp_path, 100)
    await rounds.publish(0, "here.w1", b"")
    place = tmp_path / "00000000"
    await anyio.to_thread.run_sync(os.mkfifo, place / "delta.w1")
    (place / "delta.w2").symlink_to("/etc/passwd")
    (place / "delta.w3").write_bytes(bytes(101))
    (place / "delta.w4").mkdir()
    with anyio.fail_after(5):
        for name in ("w1", "w2", "w3", "w4"):
            with pytest.raises(SyncRefused):
                await rounds.fetch(0, f"delta.{name}", 1000)
    (place / "settled").write_text('["../../etc"]')
    with pytest.raises(SyncRefused):
        await rounds.look(0)
    (place / "settled").unlink()
    (place / "settled").write_text("{")
    with pytest.raises(SyncRefused, match="damaged"):
        await rounds.look(0)


async def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SyncUnreachable, match="file"):
        await Directory(tmp_path / "file", 10).publish(0, "here.w1", b"")


@pytest.mark.parametrize(("worker", "token"), [("w1", "two"), ("w3", "one"), ("w1", "")])
async def test_without_its_token_nobody_enters(tmp_path, worker, token):
    async with Hub(Directory(tmp_path, 100), TOKENS, ("127.0.0.1", 0)) as hub:
        with pytest.raises(SyncRefused, match="not known here"):
            await Sockets(hub.address, worker, token).publish(0, "state", bytes(100))
        assert await Sockets(hub.address, "w1", "one").states() == ()


async def test_a_worker_publishes_under_its_own_name_only(tmp_path):
    async with Hub(Directory(tmp_path, 100), TOKENS, ("127.0.0.1", 0)) as hub:
        with pytest.raises(SyncRefused, match="cannot publish as"):
            await Sockets(hub.address, "w1", "one").publish(0, "delta.w2", b"")


async def test_the_hub_outlives_garbage(tmp_path):
    async with Hub(Directory(tmp_path, 100), TOKENS, ("127.0.0.1", 0)) as hub:
        for frame in (b"", b"\xff" * 4, b"\0\0\0\5hello", b"GET / HTTP/1.1\r\n\r\n" * 99):
            async with await anyio.connect_tcp(*hub.address) as stream:
                nonce = await stream.receive(32)
                assert nonce
                await stream.send(frame)
        with anyio.fail_after(5):
            assert await Sockets(hub.address, "w2", "two").publish(0, "here.w2", b"")


async def test_a_hub_that_comes_back_is_found_again(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ("127.0.0.1", server.getsockname()[1])
    worker = Sockets(address, "w1", "one", patience_s=20)
    with anyio.fail_after(20):
        async with Hub(Directory(tmp_path, 100), TOKENS, address):
            await worker.publish(0, "delta.w1", b"kept")
        async with anyio.create_task_group() as tasks:
            found = []

            async def fetch():
                found.append(await worker.fetch(0, "delta.w1", 100))

            tasks.start_soon(fetch)
            async with Hub(Directory(tmp_path, 100), TOKENS, address):
                while not found:
                    await anyio.lowlevel.checkpoint()
    assert found == [b"kept"]


async def test_no_hub_is_said_to_be_none(tmp_path):
    with pytest.raises(SyncUnreachable, match="does not answer"):
        await Sockets(tmp_path / "nothing.sock", "w1", "one", patience_s=0.1).states()


async def test_the_hub_stays_on_loopback(tmp_path):
    with pytest.raises(SyncRefused, match="loopback"):
        Hub(Directory(tmp_path, 100), TOKENS, ("0.0.0.0", 0))
