import errno
import hashlib
import os
import resource
import signal
import socket
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import httpcore2
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from stamp_child import Nowhere
from stamp_regtest import SETTLED, regtest

from hermes.chain.calendar_client import CalendarClient
from hermes.chain.calendar_http import open_calendar
from hermes.chain.calendar_limits import Limits
from hermes.chain.listening import address_of
from hermes.chain.stamps import blinded, stamped
from hermes.core.clock import SystemClock
from hermes.core.rate import Rate
from hermes.errors import ChainUnreachable, NotAvailable, SettingsInvalid, Usage
from hermes.store.store import Store

CHILD = Path(__file__).with_name("stamp_child.py")
DIGEST = hashlib.sha256(b"file").digest()
NONCE = bytes(16)
ONE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
async def store(tmp_path):
    async with Store.open(tmp_path / "hermes.db", SystemClock()) as opened:
        yield opened


@asynccontextmanager
async def opened(store, batcher=None, **limits):
    reports = []

    def report(where, error):
        reports.append(error)

    async with open_calendar(
        store.stamps, "127.0.0.1:0", batcher or Nowhere(), report, Limits(**limits)
    ) as calendar:
        yield calendar
    assert reports == []


async def ask(calendar, method, path, body=b""):
    async with httpcore2.AsyncConnectionPool() as pool:
        answer = await pool.request(method, calendar.uri + path, content=body or None)
        return answer.status, answer.content


async def raw(calendar, sent, end=b""):
    """What comes back for raw bytes until the other side closes."""
    host, port = calendar.uri.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(sent)
        answer = b""
        with anyio.fail_after(20):
            while not end or end not in answer:
                try:
                    answer += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    break
        return answer


async def test_a_client_stamps_and_fetches(store):
    async with regtest() as (chain, batcher), opened(store, batcher) as calendar:
        async with CalendarClient.open(calendar.uri + "/") as client:
            proof = stamped(DIGEST, NONCE, await client.add(blinded(DIGEST, NONCE)))
            (promise,) = proof.promised()
            assert promise.uri == calendar.uri
            assert await client.find(promise.commitment) is None
            await calendar.close_batch()
            await chain.mine(SETTLED)
            await calendar.refresh()
            way = await client.find(promise.commitment)
        assert proof.upgraded(promise.commitment, way).attested()[0].height == chain.tip.height - 5


async def test_every_request_has_its_status(store):
    async with opened(store) as calendar:
        said = b"OpenTimestamps calendar " + calendar.uri.encode()
        assert (await ask(calendar, "GET", "/"))[1].startswith(said)
        for method, path, body, status in (
            ("POST", "/digest", b"x" * 32, 200),
            ("POST", "/digest", b"x" * 65, 413),
            ("POST", "/digest", b"x" * 5, 400),
            ("POST", "/digest", b"", 400),
            ("GET", "/digest", b"", 405),
            ("HEAD", "/", b"", 405),
            ("GET", "/timestamp/" + "0" * 64, b"", 404),
            ("GET", "/timestamp/" + "0" * 63, b"", 400),
            ("GET", "/timestamp/" + "g" * 64, b"", 400),
            ("GET", "/timestamp/%20" + "0" * 61, b"", 400),
            ("POST", "/timestamp/" + "0" * 64, b"", 405),
            ("GET", "/etc/passwd", b"", 404),
        ):
            assert (await ask(calendar, method, path, body))[0] == status, (method, path)
        assert (await calendar.facts())["promises"] == 1


async def test_it_says_what_the_public_calendars_say(store):
    async with opened(store) as calendar:
        proof = stamped(DIGEST, NONCE, await calendar.add(blinded(DIGEST, NONCE)))
        known = proof.promised()[0].commitment.hex()
        pending = b"Pending confirmation in Bitcoin blockchain"
        assert await ask(calendar, "GET", f"/timestamp/{known}") == (404, pending)
        unknown = (404, b"Commitment not found")
        assert await ask(calendar, "GET", "/timestamp/" + "0" * 64) == unknown


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 20_000, b"431"),
        (b"POST /digest HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", b"400"),
        (
            b"POST /digest HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            b"40\r\n" + b"x" * 64 + b"\r\n1\r\nx\r\n",
            b"413",
        ),
        (
            b"POST /digest HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n" + b"x" * 99,
            b"413",
        ),
        (b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n", b"404"),
    ],
)
async def test_what_is_no_request_is_said_and_the_connection_closed(store, sent, status):
    async with opened(store) as calendar:
        assert (await raw(calendar, sent)).split(b" ")[1] == status
        assert (await ask(calendar, "GET", "/"))[0] == 200  # it still serves


async def test_several_requests_in_one_connection(store):
    one = b"GET /timestamp/%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"0" * 64)
    last = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    async with opened(store) as calendar:
        answer = await raw(calendar, one + one + last)
    assert answer.count(b"HTTP/1.1 404") == 2
    assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_silent_connection_is_closed(store):
    async with opened(store, request_s=0.2) as calendar:
        assert await raw(calendar, b"POST /digest HTTP/1.1\r\n") == b""
        assert (await ask(calendar, "GET", "/"))[0] == 200


async def test_too_many_connections_are_closed_and_room_comes_back(store):
    async with opened(store, connections=2) as calendar:
        host, port = calendar.uri.removeprefix("http://").split(":")
        held = [await anyio.connect_tcp(host, int(port)) for _ in range(2)]
        for stream in held:
            await stream.send(ONE)
            assert (await stream.receive()).startswith(b"HTTP/1.1 200")
        assert await raw(calendar, b"") == b""
        for stream in held:
            await stream.aclose()
        with anyio.fail_after(10):  # a connection is refused until the server saw one close
            while b"promises" not in await raw(calendar, ONE, b"promises"):
                continue


async def test_an_address_that_asks_too_often_is_told_to_wait(store):
    async with opened(store, burst=3, per_second=0.001) as calendar:
        answers = [(await ask(calendar, "POST", "/digest", DIGEST))[0] for _ in range(5)]
        assert answers == [200, 200, 200, 429, 429]
        assert (await calendar.facts())["promises"] == 3


async def test_only_so_many_digests_wait(store):
    async with opened(store, waiting=2) as calendar:
        answers = [(await ask(calendar, "POST", "/digest", DIGEST))[0] for _ in range(3)]
        assert answers == [200, 200, 503]
        await calendar.close_batch()
        assert (await ask(calendar, "POST", "/digest", DIGEST))[0] == 200


async def test_without_file_descriptors_it_waits_and_goes_on(store):
    reports, told = [], anyio.Event()

    def report(_where, error):
        reports.append(error)
        told.set()

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with open_calendar(store.stamps, "127.0.0.1:0", Nowhere(), report) as calendar:
        host, port = calendar.uri.removeprefix("http://").split(":")
        with socket.socket() as client, anyio.fail_after(20):
            client.settimeout(0)
            with os.fdopen(os.dup(0)) as lowest:
                free = lowest.fileno()
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
                client.connect_ex((host, int(port)))
                await told.wait()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            await anyio.wait_writable(client)
            client.send(ONE)
            await anyio.wait_readable(client)
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert {error.errno for error in reports} == {errno.EMFILE}


def test_a_bucket_fills_again_and_only_so_many_are_remembered():
    rate = Rate(per_second=1, burst=2, addresses=3)
    assert [rate.admits("a", 0.0) for _ in range(3)] == [True, True, False]
    assert not rate.admits("a", 0.5)
    assert rate.admits("a", 1.6)
    assert not rate.admits("a", 1.7)
    for other in "bcd":
        assert rate.admits(other, 2.0)
    assert len(rate._left) == 3


async def test_a_promise_survives_kill_9(tmp_path):
    path = tmp_path / "hermes.db"
    acknowledged = []
    async with await anyio.open_process([sys.executable, CHILD, path], stderr=None) as child:
        uri = (await child.stdout.receive()).decode().strip()

        async def post(client, number):
            with suppress(ChainUnreachable):
                for turn in range(1_000):
                    digest = hashlib.sha256(b"%d %d" % (number, turn)).digest()
                    answer = await client.add(blinded(digest, NONCE))
                    acknowledged.append(stamped(digest, NONCE, answer).promised()[0].commitment)
                    if len(acknowledged) == 60:
                        child.kill()

        async with CalendarClient.open(uri) as client, anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(post, client, number)
        assert await child.wait() == -signal.SIGKILL
    assert len(acknowledged) >= 60
    async with Store.open(path, SystemClock()) as store:
        for commitment in acknowledged:
            assert await store.stamps.find(commitment) is not None


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "http://a b", "http://x:port", "http://u:p@x", "x:1"]
)
async def test_what_is_no_address_is_not_dialled(url):
    with pytest.raises(Usage, match="is no calendar"):
        async with CalendarClient.open(url):
            pass


async def test_a_calendar_that_is_not_there_or_answers_nonsense():
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    answers = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n" + bytes(20_000),
        b"HTTP/1.1 503 No\r\ncontent-length: 9\r\n\r\nno\x1b[31m!!",
        b"SSH-2.0-x\r\n",
    ]
    said = []

    async def answer(stream):
        async with stream:
            await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", 4_096)
            await stream.send(answers[len(said)])

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        for _ in answers:
            async with CalendarClient.open(f"http://127.0.0.1:{port}") as client:
                with pytest.raises(ChainUnreachable) as caught:
                    await client.find(DIGEST)
                said.append(str(caught.value))
        tasks.cancel_scope.cancel()
    assert "more than any timestamp" in said[0]
    assert "(503): no [31m!!" in said[1]
    assert "\x1b" not in "".join(said)
    async with CalendarClient.open(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(ChainUnreachable, match="does not answer"):
            await client.find(DIGEST)


@pytest.mark.parametrize(
    "text", ["", "14788", "0.0.0.0:1", "localhost:1", "127.0.0.1:99999", "::1:5"]
)
def test_addresses_that_lead_nowhere_are_refused(text):
    with pytest.raises(SettingsInvalid, match="no address of the calendar"):
        address_of(text, "the calendar", "set another")


async def test_an_address_in_use_is_said(store):
    async with opened(store) as calendar:
        address = calendar.uri.removeprefix("http://")
        with pytest.raises(NotAvailable, match="cannot listen"):
            async with open_calendar(store.stamps, address, Nowhere(), print):
                pass
