"""An Esplora server that lies: whatever it says that can be checked alone is checked."""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from hermes.chain.connect import open_backend
from hermes.chain.http import Limits
from hermes.errors import ChainLied, ChainUnreachable, WrongNetwork
from hermes.testing.regtest import Regtest
from hermes.testing.regtest.anyone import anyone, spend
from hermes.testing.regtest.esplora import Esplora
from hermes.testing.regtest.loopback import Asked, Reply, serve

SIZE = 1_000_000
QUICK = Limits(answer_s=2.0, pauses_s=())


@asynccontextmanager
async def liar(
    chain: Regtest, page: str, lie: Callable[[Any], Any], status: int = 200
) -> AsyncGenerator[str]:
    """The chain's Esplora, with one page changed."""
    honest = Esplora(chain)

    async def answer(asked: Asked) -> Reply:
        reply = await honest.answer(asked)
        if not re.search(page, asked.target):
            return reply
        if reply.kind != "application/json":
            return Reply(lie(reply.body.decode()).encode(), status, reply.kind)
        return Reply(msgspec.json.encode(lie(msgspec.json.decode(reply.body))), status)

    async with serve(answer) as port:
        yield f"esplora+http://127.0.0.1:{port}"


@pytest.fixture
async def chain():
    async with Regtest() as chain:
        yield chain


async def test_another_genesis_block_is_another_network(chain):
    async with liar(chain, "/block-height/0", lambda _: "cd" * 32) as url:
        with pytest.raises(WrongNetwork):
            async with open_backend(url, "regtest", QUICK):
                pass


LIES = {
    "other bytes": ("/hex", lambda text: text[:-2] + "01", "transaction"),
    "no transaction": ("/hex", lambda _: "no transaction", "transaction"),
    "a block's other nonce": (
        r"/blocks/\d",
        lambda t: [one | {"nonce": 5} for one in t],
        "headers",
    ),
    "a block too large": (
        r"/blocks/\d",
        lambda t: [one | {"bits": 1 << 40} for one in t],
        "headers",
    ),
    "a gap": (r"/blocks/\d", lambda t: [t[0], t[-1] | {"height": 0}], "headers"),
    "a block below all": (r"/blocks/\d", lambda t: [*t, t[0] | {"height": -9}], "headers"),
    "a block beyond all": ("/block/", lambda t: t | {"height": 10**30}, "tip"),
    "missing blocks": (r"/blocks/\d", lambda told: told[1:], "headers"),
    "no blocks": (r"/blocks/\d", lambda _: [], "headers"),
    "blocks of another form": (r"/blocks/\d", lambda _: [{"id": 1}], "headers"),
    "another tip": ("/block/", lambda told: told | {"timestamp": 1}, "tip"),
    "another branch": ("/merkle", lambda t: t | {"merkle": ["ab" * 32]}, "place"),
    "another position": ("/merkle", lambda told: told | {"pos": told["pos"] ^ 1}, "place"),
    "a position too far": ("/merkle", lambda told: told | {"pos": 1 << 20}, "place"),
    "another block": ("/merkle", lambda t: t | {"block_height": t["block_height"] - 1}, "place"),
    "a spender that is none": ("/outspend", lambda t: t | {"txid": "ab" * 32}, "spender"),
    "too much money": ("/utxo", lambda t: [one | {"value": 10**16} for one in t], "coins"),
    "another id": ("/tx$", lambda _: "ab" * 32, "send"),
    "a rate beyond all": ("/fee", lambda _: {"1": 1e12}, "fee_rate"),
}


@pytest.mark.parametrize("case", LIES)
async def test_a_lie_is_noticed(chain, case):
    page, lie, method = LIES[case]
    coin = await chain.fund(anyone(), SIZE)
    spent = await chain.fund(anyone(1), SIZE)
    await chain.send(spend({spent: 1}, [(anyone(2), SIZE - 500)]))
    height = int(await chain.rpc("getblockcount"))
    asked = {
        "transaction": (coin.txid,),
        "headers": (0, 50),
        "tip": (),
        "place": (spent.txid, height),
        "spender": (spent, anyone(1)),
        "coins": (anyone(),),
        "send": (spend({coin: 0}, [(anyone(2), SIZE - 500)]),),
        "fee_rate": (6,),
    }
    async with liar(chain, page, lie) as url, open_backend(url, "regtest", QUICK) as backend:
        with pytest.raises(ChainLied):
            await getattr(backend, method)(*asked[method])


async def test_an_error_is_passed_on_in_one_printable_line(chain):
    words = "\x1b[31mdatabase\ngone " + "x" * 1000
    async with (
        liar(chain, "/blocks/tip", lambda _: words, 500) as url,
        open_backend(url, "regtest", QUICK) as backend,
    ):
        with pytest.raises(ChainUnreachable, match="status 500") as caught:
            await backend.tip()
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


async def test_a_script_without_an_address_cannot_be_looked_for(chain):
    async with (
        liar(chain, "never", lambda same: same) as url,
        open_backend(url, "regtest", QUICK) as backend,
    ):
        with pytest.raises(ChainUnreachable, match="has none"):
            await backend.coins(b"\x51")
