"""The blob endpoint against foreign requests: strangers, replays, nonsense, silence."""

import base64
import json
from contextlib import asynccontextmanager

import anyio
import pytest
from nostr_sdk import Event, EventBuilder, Keys, Kind, SecretKey, Tag, Timestamp

from hermes.chain.listening import Door
from hermes.core.clock import SystemClock
from hermes.errors import BlobRefused, BlobUnreachable
from hermes.identity.hot import HotKey
from hermes.mesh.blob_client import BlobClient
from hermes.mesh.blob_exchange import range_of
from hermes.mesh.blob_http import Endpoint, Limits, open_endpoint
from hermes.mesh.blob_seal import MOST_CHUNK, digest_of
from hermes.mesh.blob_warrant import Gate, read_warrant, write_warrant
from hermes.store.blob_chunks import Chunks

ALICE, EVE = HotKey(b"\1" * 32), HotKey(b"\3" * 32)
DATA = bytes(range(200))
NAME = digest_of(DATA)
CLOCK = SystemClock()


def unreported(part, error):
    raise AssertionError(f"{part}: {error!r}") from error


class Served:
    """An endpoint with one chunk in it."""

    def __init__(self, chunks, address, endpoint):
        self.chunks, self.address, self.endpoint = chunks, address, endpoint

    def warrant(self, verb, digest=NAME, key=ALICE, now=None, server=""):
        now = CLOCK.now_ms() if now is None else now
        return write_warrant(key, verb, digest, server or self.address, now)

    async def say(self, *parts):
        """Send bytes, and read until the other side ends."""
        host, _, port = self.address.partition(":")
        with anyio.fail_after(10):
            async with await anyio.connect_tcp(host, int(port)) as stream:
                for part in parts:
                    await stream.send(part)
                await stream.send_eof()
                heard = b""
                try:
                    while True:
                        heard += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return heard

    async def ask(self, method, path, headers=(), body=b""):
        """A request; its status and the rest."""
        lines = [f"{method} {path} HTTP/1.1", "host: x", "connection: close"]
        lines += [f"{name}: {value}" for name, value in dict(headers).items()]
        head = "\r\n".join(lines) + "\r\n\r\n"
        heard = await self.say(head.encode("latin-1") + body)
        return int(heard.split(b" ", 2)[1]), heard

    async def get(self, headers=(), digest=NAME):
        given = {"authorization": self.warrant("get", digest)} | dict(headers)
        return await self.ask("GET", f"/{digest}", given)

    async def put(self, data, digest, headers=()):
        given = {
            "authorization": self.warrant("upload", digest),
            "x-sha-256": digest,
            "content-length": len(data),
        }
        return await self.ask("PUT", "/upload", given | dict(headers), data)


@asynccontextmanager
async def serving(root, limits=None):
    chunks = await Chunks.open(root)
    await chunks.put(NAME, DATA)
    door = Door.bound("127.0.0.1:0", "blobs", "another")
    gate = Gate({ALICE.public}.__contains__, frozenset({door.address}))
    endpoint = Endpoint(chunks, gate, CLOCK, unreported, limits)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.serve, endpoint.serve, unreported)
        yield Served(chunks, door.address, endpoint)
        tasks.cancel_scope.cancel()


@pytest.fixture
async def served(tmp_path):
    async with serving(tmp_path) as one:
        yield one


async def test_whole_parts_and_heads(served):
    status, heard = await served.get()
    assert (status, heard.partition(b"\r\n\r\n")[2]) == (200, DATA)
    status, heard = await served.get({"range": "bytes=5-9"})
    assert (status, heard.partition(b"\r\n\r\n")[2]) == (206, DATA[5:10])
    assert b"content-range: bytes 5-9/200" in heard.lower()
    status, heard = await served.ask(
        "HEAD", f"/{NAME}.bin", {"authorization": served.warrant("get")}
    )
    assert status == 200
    assert heard.endswith(b"\r\n\r\n")
    assert b"content-length: 200" in heard.lower()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bytes=0-", (0, 200)),
        ("bytes=199-", (199, 200)),
        ("bytes=-10", (190, 200)),
        ("bytes=-999", (0, 200)),
        ("bytes=10-999", (10, 200)),
    ],
)
def test_a_range(text, found):
    assert range_of(text, 200) == found


@pytest.mark.parametrize(
    "text",
    [
        "bytes=200-",
        "bytes=5-4",
        "bytes=-0",
        "bytes=-",
        "bytes=",
        "bytes=0-1,4-5",
        "bytes=a-b",
        "bytes=-1-2",
        "lines=0-1",
        "bytes=99999999999999999999-",
        "bytes= 0-1",
        "bytes=\u0661-\u0662",
        "🤖",
    ],
)
def test_a_range_that_is_nonsense(text):
    with pytest.raises(BlobRefused) as raised:
        range_of(text, 200)
    assert raised.value.reason == "bad range"


async def test_nonsense_ranges_are_answered_416(served):
    for text in ("bytes=200-", "bytes=0-1,4-5", "x"):
        assert (await served.get({"range": text}))[0] == 416
    assert served.endpoint.refused["bad range"] == 3


async def test_an_upload_and_what_it_answers(served):
    data = b"new"
    status, heard = await served.put(data, digest_of(data))
    assert status == 200
    told = json.loads(heard.partition(b"\r\n\r\n")[2])
    assert (told["sha256"], told["size"]) == (digest_of(data), 3)
    assert await served.chunks.get(digest_of(data)) == data
    assert (await served.put(data, digest_of(data)))[0] == 200  # twice is once
    assert served.chunks.used(ALICE.public) == 4_096


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"other bytes", {}, 400),
        (b"", {"content-length": 0}, 413),
        (b"new", {"content-length": MOST_CHUNK + 1}, 413),
        (b"new", {"content-length": 10**15}, 413),
        (b"new", {"content-length": "-3"}, 400),
        (b"3\r\nnew\r\n0\r\n\r\n", {"content-length": 3, "transfer-encoding": "chunked"}, 411),
        (b"new", {"x-sha-256": "../../etc/passwd"}, 401),
        (b"new", {"x-sha-256": NAME}, 401),
    ],
)
async def test_uploads_that_are_refused(served, data, headers, status):
    assert (await served.put(data, digest_of(b"new"), headers))[0] == status
    assert served.chunks.used(ALICE.public) == 0
    assert served.chunks.owned(ALICE.public) == ()


async def test_an_upload_that_is_cut_off_leaves_nothing(served, tmp_path):
    found, heard = await served.put(b"half", digest_of(b"half and half"), {"content-length": 13})
    assert (found, b"cut off" in heard) == (400, True)
    assert served.chunks.owned(ALICE.public) == ()
    assert served.chunks.used(ALICE.public) == 0
    assert list((tmp_path / ALICE.public).iterdir()) == []


async def test_strangers_get_nothing(served):
    for method, verb in (("GET", "get"), ("HEAD", "get"), ("DELETE", "delete")):
        for digest in (NAME, digest_of(b"nothing")):
            theirs = {"authorization": served.warrant(verb, digest, EVE)}
            assert (await served.ask(method, f"/{digest}", theirs))[0] == 403
            assert (await served.ask(method, f"/{digest}"))[0] == 401
    theirs = {"authorization": served.warrant("upload", NAME, EVE), "x-sha-256": NAME}
    assert (await served.ask("PUT", "/upload", theirs | {"content-length": 200}, DATA))[0] == 403
    assert served.endpoint.refused == {"stranger": 7, "no authorisation": 6}


async def test_an_authorisation_is_used_once(served):
    once = {"authorization": served.warrant("get")}
    assert (await served.ask("GET", f"/{NAME}", once))[0] == 200
    status, heard = await served.ask("GET", f"/{NAME}", once)
    assert status == 401
    assert b"replayed" in heard


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"verb": "upload"}, "other use"),
        ({"digest": digest_of(b"else")}, "other use"),
        ({"server": "example.org:80"}, "other server"),
        ({"now": CLOCK.now_ms() - 3_600_000}, "expired"),
        ({"now": CLOCK.now_ms() + 3_600_000}, "early"),
    ],
)
async def test_an_authorisation_for_something_else(served, changes, reason):
    wrong = served.warrant(**({"verb": "get"} | changes))
    status, heard = await served.ask("GET", f"/{NAME}", {"authorization": wrong})
    assert (status, reason.encode() in heard) == (401, True)


def altered(header, **changes):
    event = json.loads(base64.b64decode(header.partition(" ")[2])) | changes
    return "Nostr " + base64.b64encode(json.dumps(event).encode()).decode()


async def test_an_altered_authorisation(served):
    good = served.warrant("get")
    theirs = altered(good, pubkey=EVE.public)
    for wrong in (
        altered(good, sig="0" * 128),
        altered(good, content="delete"),
        altered(good, created_at=1),
        theirs,
        altered(good, kind=1),
        altered(good, sig=5),
        altered(good, extra=1),
        altered(good, tags=[["t"] * 99]),
        altered(good, content="\u2028"),
        "Nostr !!!",
        "Nostr " + "A" * 6_000,
        "Nostr",
        "Bearer abc",
        "",
    ):
        assert (await served.ask("GET", f"/{NAME}", {"authorization": wrong}))[0] == 401
    assert (await served.ask("GET", f"/{NAME}", {"authorization": good}))[0] == 200


async def test_the_librarys_events_are_taken_and_ours_hold_for_it(served):
    now = CLOCK.now_ms() // 1000
    tags = [["t", "get"], ["x", NAME], ["server", served.address], ["expiration", str(now + 60)]]
    builder = EventBuilder(Kind(24242), "Get it").custom_created_at(Timestamp.from_secs(now))
    keys = Keys(SecretKey.from_bytes(ALICE.secret))
    event = builder.tags([Tag.parse(tag) for tag in tags]).finalize(keys)
    header = "Nostr " + base64.b64encode(event.as_json().encode()).decode()
    assert (await served.ask("GET", f"/{NAME}", {"authorization": header}))[0] == 200
    ours = served.warrant("get")
    assert Event.from_json(base64.b64decode(ours.partition(" ")[2]).decode()).verify()
    assert read_warrant(ours).said("x") == {NAME}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/../../etc/passwd"),
        ("GET", f"/{NAME}/"),
        ("GET", f"/{NAME.upper()}"),
        ("GET", f"/{NAME}.exe-so-long"),
        ("POST", f"/{NAME}"),
        ("PUT", f"/{NAME}"),
        ("PATCH", "/upload"),
        ("OPTIONS", "*"),
    ],
)
async def test_there_is_nothing_else(served, method, path):
    assert (await served.ask(method, path, {"authorization": served.warrant("get")}))[0] == 404


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0" * 99,
        b"GET\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 9_000,
    ],
)
async def test_what_is_no_request(served, text):
    heard = await served.say(text)
    assert heard == b"" or heard.startswith(b"HTTP/1.1 4")
    assert (await served.get())[0] == 200


async def test_a_head_without_end(served):
    heard = await served.say(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 9_000)
    assert heard.startswith(b"HTTP/1.1 431") or heard == b""


async def test_who_speaks_slowly_is_cut_off(tmp_path):
    async with serving(tmp_path, Limits(head_s=0.2, slowest=1 << 25)) as served:
        host, _, port = served.address.partition(":")
        upload = (
            f"PUT /upload HTTP/1.1\r\nhost: x\r\nx-sha-256: {digest_of(b'slow')}\r\n"
            f"content-length: 4\r\nauthorization: {served.warrant('upload', digest_of(b'slow'))}"
            "\r\n\r\ns"
        )
        for begun in (b"G", b"GET / HT", upload.encode()):
            async with await anyio.connect_tcp(host, int(port)) as stream:
                await stream.send(begun)
                with anyio.fail_after(10):
                    assert [piece async for piece in stream] == []
        assert served.endpoint.refused == {"too slow": 3}
        assert served.chunks.used(ALICE.public) == 0


async def test_one_address_has_only_so_many_connections(tmp_path):
    async with serving(tmp_path, Limits(each=2)) as served:
        host, _, port = served.address.partition(":")
        async with (
            await anyio.connect_tcp(host, int(port)),
            await anyio.connect_tcp(host, int(port)),
        ):
            with anyio.fail_after(10):
                while served.endpoint._open.total() < 2:
                    await anyio.lowlevel.checkpoint()
            async with await anyio.connect_tcp(host, int(port)) as third:
                with anyio.fail_after(10), pytest.raises(anyio.EndOfStream):
                    await third.receive()
        assert served.endpoint.refused == {"busy": 1}


async def test_too_many_requests(tmp_path):
    async with serving(tmp_path, Limits(burst=2, per_second=0.001)) as served:
        assert [(await served.get())[0] for _ in range(3)] == [200, 200, 429]


class Rude:
    """An HTTP server of a test: it answers each connection by a script, then closes it."""

    def __init__(self, *answers):
        self.answers, self.heard = list(answers), []

    async def serve(self, stream):
        async with stream:
            self.heard.append(await stream.receive())
            await stream.send(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@asynccontextmanager
async def rude(*answers):
    one = Rude(*answers)
    door = Door.bound("127.0.0.1:0", "blobs", "another")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.serve, one.serve, unreported)
        async with BlobClient.open(f"http://{door.address}", ALICE, CLOCK, tries=2) as client:
            yield one, client
        tasks.cancel_scope.cancel()


def answer(status, body, *headers, length=None):
    length = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} X", f"content-length: {length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_a_broken_download_goes_on_where_it_was():
    half = answer(200, DATA[:90], length=200)
    rest = answer(206, DATA[90:], "content-range: bytes 90-199/200")
    async with rude(half, rest) as (server, client):
        assert await client.get(NAME) == DATA
    assert b"range: bytes=90-" in server.heard[1].lower()


async def test_a_server_that_knows_no_ranges_begins_anew():
    half = answer(200, DATA[:90], length=200)
    async with rude(half, answer(200, DATA)) as (_, client):
        assert await client.get(NAME) == DATA


@pytest.mark.parametrize(
    ("answers", "match"),
    [
        ([answer(200, b"lies")], "other bytes"),
        ([answer(200, bytes(MOST_CHUNK + 9))], "more than any chunk"),
        (
            [
                answer(200, DATA[:90], length=200),
                answer(206, DATA, "content-range: bytes 0-199/200"),
            ],
            "another range",
        ),
        ([answer(403, b"go \x1b[31maway")], r"refused \(403\): go  \[31maway"),
        ([answer(507, b"full")], r"507"),
    ],
)
async def test_a_server_that_lies(answers, match):
    async with rude(*answers) as (_, client):
        with anyio.fail_after(20), pytest.raises(BlobRefused, match=match):
            await client.get(NAME)


@pytest.mark.parametrize("answers", [[b"HTTP/1.1 2"], [b"garbage\r\n\r\n"], [answer(500, b"")]])
async def test_a_server_that_breaks_off(answers):
    async with rude(*answers) as (_, client):
        with anyio.fail_after(20), pytest.raises(BlobUnreachable):
            await client.get(NAME)


async def test_the_endpoint_opens_under_more_names(tmp_path):
    chunks = await Chunks.open(tmp_path)
    await chunks.put(NAME, DATA)
    door = Door.bound("127.0.0.1:0", "blobs", "another")
    known = {ALICE.public}.__contains__
    async with open_endpoint(chunks, door, known, CLOCK, unreported, names=["Node.Example:80"]):
        served = Served(chunks, door.address, None)
        named = {"authorization": served.warrant("get", server="node.example:80")}
        assert (await served.ask("GET", f"/{NAME}", named))[0] == 200
