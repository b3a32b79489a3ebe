"""An Electrum server that lies, a certificate that is pinned, a connection that breaks."""

import hashlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.abc
import msgspec
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSStream
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Ping, Pong, Request, TextMessage

from hermes.chain.connect import open_backend
from hermes.chain.http import Limits
from hermes.errors import ChainLied, ChainUnreachable, WrongNetwork
from hermes.testing.regtest import Regtest
from hermes.testing.regtest.anyone import anyone, spend
from hermes.testing.regtest.electrum import ElectrumFront, electrum

SIZE = 1_000_000
QUICK = Limits(answer_s=2.0, pauses_s=())
PATIENT = Limits(answer_s=2.0, pauses_s=(0.01, 0.01))


@pytest.fixture
async def chain():
    async with Regtest() as chain:
        yield chain


def changed(front: ElectrumFront, method: str, lie: Callable[[Any], Any]) -> None:
    honest = front.methods[method]

    async def lying(*params: Any) -> Any:
        return lie(await honest(*params))

    front.methods[method] = lying


def flip(text: str) -> str:
    raw = bytearray.fromhex(text)
    raw[40] ^= 1
    return raw.hex()


HEADERS = "blockchain.block.headers"
MERKLE = "blockchain.transaction.get_merkle"
TIP = "blockchain.headers.subscribe"
LIES = {
    "other bytes": ("blockchain.transaction.get", flip, "transaction"),
    "no hex": ("blockchain.transaction.get", lambda _: "xyz", "transaction"),
    "a header without work": (HEADERS, lambda t: t | {"hex": flip(t["hex"])}, "headers"),
    "a torn header": (HEADERS, lambda t: t | {"hex": t["hex"][2:]}, "headers"),
    "too many headers": (HEADERS, lambda t: t | {"count": 9999}, "headers"),
    "a tip without work": (TIP, lambda t: t | {"hex": "00" * 80}, "tip"),
    "a tip of another form": (TIP, lambda _: "high", "tip"),
    "a tip without end": (TIP, lambda t: t | {"height": 10**30}, "tip"),
    "a tip below all": (TIP, lambda t: t | {"height": -1}, "tip"),
    "another branch": (MERKLE, lambda t: t | {"merkle": ["ab" * 32]}, "place"),
    "a long branch": (MERKLE, lambda t: t | {"merkle": ["ab" * 32] * 90}, "place"),
    "another position": (MERKLE, lambda t: t | {"pos": t["pos"] ^ 1}, "place"),
    "too much money": (
        "blockchain.scripthash.listunspent",
        lambda t: [one | {"value": 10**16} for one in t],
        "coins",
    ),
    "an output beyond all": (
        "blockchain.scripthash.listunspent",
        lambda t: [one | {"tx_pos": 2**32} for one in t],
        "coins",
    ),
    "a history of another form": (
        "blockchain.scripthash.get_history",
        lambda _: {"a": 1},
        "spender",
    ),
    "another id": ("blockchain.transaction.broadcast", lambda _: "ab" * 32, "send"),
    "a rate beyond all": ("blockchain.estimatefee", lambda _: 1e9, "fee_rate"),
}


@pytest.mark.parametrize("case", LIES)
async def test_a_lie_is_noticed(chain, case):
    name, lie, method = LIES[case]
    coin = await chain.fund(anyone(), SIZE)
    raw = spend({coin: 0}, [(anyone(2), SIZE - 500)])
    asked = {
        "transaction": (coin.txid,),
        "headers": (0, 50),
        "tip": (),
        "place": (coin.txid, chain.tip.height),
        "spender": (coin, anyone()),
        "coins": (anyone(),),
        "send": (raw,),
        "fee_rate": (6,),
    }
    front = ElectrumFront(chain)
    changed(front, name, lie)
    async with electrum(front) as url, open_backend(url, "regtest", QUICK) as backend:
        with pytest.raises(ChainLied):
            await getattr(backend, method)(*asked[method])


async def test_another_genesis_block_is_another_network(chain):
    await chain.mine()
    front = ElectrumFront(chain)
    changed(front, "blockchain.block.header", flip)
    async with electrum(front) as url:
        with pytest.raises(WrongNetwork):
            async with open_backend(url, "regtest", QUICK):
                pass


async def test_a_server_without_a_method_says_so(chain):
    front = ElectrumFront(chain)
    del front.methods["blockchain.estimatefee"]
    async with electrum(front) as url, open_backend(url, "regtest", QUICK) as backend:
        with pytest.raises(ChainUnreachable, match="unknown method"):
            await backend.fee_rate(6)


def certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "electrum.test")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return signed.public_bytes(pem) + secret, signed.public_bytes(serialization.Encoding.DER)


def pinned(folder):
    """A server's own certificate, and what it is known by."""
    pem, der = certificate()
    path = folder / "server.pem"
    path.write_bytes(pem)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(path)
    pin = hashlib.sha256(der).hexdigest()
    return tls, pin


async def test_a_servers_own_certificate_is_taken_only_when_it_is_pinned(chain, tmp_path):
    await chain.mine(2)
    tls, pin = pinned(tmp_path)
    async with electrum(chain, tls) as url:
        async with open_backend(f"{url}?sha256={pin}", "regtest", QUICK) as backend:
            assert await backend.tip() == chain.tip
        with anyio.fail_after(5), pytest.raises(ChainLied, match="another certificate"):
            async with open_backend(f"{url}?sha256={'0' * 64}", "regtest", QUICK):
                pass
        with anyio.fail_after(5), pytest.raises(ChainUnreachable):
            async with open_backend(url, "regtest", QUICK):
                pass


class Fragile(ElectrumFront):
    """Cuts every connection after some answers."""

    def __init__(self, chain: Regtest, answers: int) -> None:
        super().__init__(chain)
        self.answers = answers
        self.connections = 0

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        self.connections += 1
        lines = BufferedByteReceiveStream(stream)
        async with stream:
            for _ in range(self.answers):
                call = msgspec.json.decode(await lines.receive_until(b"\n", 1 << 20))
                await stream.send(msgspec.json.encode(await self._answer(call)) + b"\n")


class Restless(ElectrumFront):
    """Tells of news after each answer, and there are none."""

    def __init__(self, chain: Regtest) -> None:
        super().__init__(chain)
        self.asked = 0

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        async with stream:
            while True:
                call = msgspec.json.decode(await lines.receive_until(b"\n", 1 << 20))
                self.asked += call["method"] == TIP
                await stream.send(msgspec.json.encode(await self._answer(call)) + b"\n")
                await stream.send(b'{"method": "blockchain.headers.subscribe", "params": []}\n')


async def test_who_calls_without_news_is_asked_ever_more_slowly(chain):
    await chain.mine(2)
    front = Restless(chain)
    async with electrum(front) as url, open_backend(url, "regtest", PATIENT) as backend:
        assert await backend.next_tip(chain.tip, 0.5) == chain.tip
    assert 2 <= front.asked < 8


class Torn(ElectrumFront):
    """Answers once, and then sends below TLS what is none."""

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        assert isinstance(stream, TLSStream)
        async with stream.transport_stream:
            call = msgspec.json.decode(await stream.receive())
            await stream.send(msgspec.json.encode(await self._answer(call)) + b"\n")
            await stream.receive()
            await stream.transport_stream.send(b"no TLS at all" * 10)
            await anyio.sleep_forever()


async def test_tls_that_breaks_is_a_connection_that_broke(chain, tmp_path):
    tls, pin = pinned(tmp_path)
    async with electrum(Torn(chain), tls) as url:
        with anyio.fail_after(10), pytest.raises(ChainUnreachable, match="hung up"):
            async with open_backend(f"{url}?sha256={pin}", "regtest", QUICK):
                pass


async def test_a_broken_connection_is_dialled_anew(chain):
    await chain.mine(3)
    front = Fragile(chain, 3)  # its version, its genesis block and one answer more
    async with electrum(front) as url, open_backend(url, "regtest", PATIENT) as backend:
        for _ in range(4):
            assert await backend.tip() == chain.tip
    assert front.connections > 1


async def test_many_questions_at_once_share_a_connection(chain):
    await chain.mine(3)
    front = ElectrumFront(chain)
    asked = anyio.Event()
    honest = front.methods["blockchain.estimatefee"]

    async def slow(blocks: int) -> Any:
        asked.set()
        return await honest(blocks)

    front.methods["blockchain.estimatefee"] = slow
    async with electrum(front) as url, open_backend(url, "regtest", QUICK) as backend:
        found = []

        async def rate(blocks: int) -> None:
            found.append(await backend.fee_rate(blocks))

        async with anyio.create_task_group() as tasks:
            for blocks in range(20):
                tasks.start_soon(rate, blocks)
        assert found == [2.0] * 20
    assert asked.is_set()


async def test_a_websocket_in_fragments_with_pings_is_read(chain):
    """Each answer comes as three fragments after a ping, which the client has to answer."""
    await chain.mine(2)
    front = ElectrumFront(chain)
    pongs = 0

    async def serve(stream: anyio.abc.ByteStream) -> None:
        nonlocal pongs
        ws = WSConnection(ConnectionType.SERVER)
        async with stream:
            while True:
                try:
                    ws.receive_data(await stream.receive())
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return
                for event in ws.events():
                    if isinstance(event, Request):
                        await stream.send(ws.send(AcceptConnection()))
                    elif isinstance(event, Pong):
                        pongs += 1
                    elif isinstance(event, TextMessage):
                        told = await front._answer(msgspec.json.decode(event.data))
                        text = msgspec.json.encode(told).decode()
                        await stream.send(ws.send(Ping(b"there?")))
                        for part in (text[:5], text[5:9]):
                            await stream.send(ws.send(TextMessage(part, message_finished=False)))
                        await stream.send(ws.send(TextMessage(text[9:])))

    front.serve = serve
    async with electrum(front) as url:
        address = url.replace("+tcp", "+ws")
        async with open_backend(address, "regtest", QUICK) as backend:
            assert await backend.tip() == chain.tip
            assert len(await backend.headers(0, 10)) == 3
    assert pongs > 1


async def _flood(stream: anyio.abc.ByteStream, ws: WSConnection) -> None:
    while True:
        await stream.send(ws.send(TextMessage("1" * 50_000, message_finished=False)))


async def _close(stream: anyio.abc.ByteStream, ws: WSConnection) -> None:
    await stream.send(ws.send(CloseConnection(1001)))


async def _die(stream: anyio.abc.ByteStream, ws: WSConnection) -> None:
    await stream.send(ws.send(TextMessage('{"id": 0, "re', message_finished=False)))


async def _stammer(stream: anyio.abc.ByteStream, ws: WSConnection) -> None:
    await stream.send(b"\xff" * 100)  # no frame of a WebSocket


ENDS = {_flood: ChainLied, _close: ChainUnreachable, _die: ChainUnreachable, _stammer: ChainLied}


@pytest.mark.parametrize("end", ENDS)
async def test_a_websocket_that_goes_bad_gives_its_error_in_good_time(chain, end):
    front = ElectrumFront(chain)

    async def serve(stream: anyio.abc.ByteStream) -> None:
        ws = WSConnection(ConnectionType.SERVER)
        async with stream:
            try:
                ws.receive_data(await stream.receive())
                assert [type(one) for one in ws.events()] == [Request]
                await stream.send(ws.send(AcceptConnection()))
                await stream.receive()
                await end(stream, ws)
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                return

    front.serve = serve
    bounded = Limits(answer_s=2.0, most=200_000, pauses_s=())
    async with electrum(front) as url:
        with anyio.fail_after(5), pytest.raises(ENDS[end]):
            async with open_backend(url.replace("+tcp", "+ws"), "regtest", bounded):
                pass
