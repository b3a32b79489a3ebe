"""One table of behaviour that Core, Electrum and Esplora share, each over the same chain."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from typing import Any

import anyio
import pytest

from hermes.chain.backend import ChainBackend, Outpoint, Txid
from hermes.chain.connect import open_backend
from hermes.chain.http import Limits
from hermes.chain.networks import NETWORKS
from hermes.chain.server import server_of
from hermes.chain.spv import merkle_root
from hermes.chain.work import sha256d, shown
from hermes.errors import ChainRefused, NotAvailable, SettingsInvalid, WrongNetwork
from hermes.testing.regtest import Regtest
from hermes.testing.regtest.anyone import anyone, spend
from hermes.testing.regtest.electrum import electrum
from hermes.testing.regtest.electrumx import available, electrumx
from hermes.testing.regtest.esplora import esplora

SIZE = 1_000_000
UNKNOWN = Txid("ab" * 32)
BITCOIND = "HERMES_V2_TEST_BITCOIND"


@asynccontextmanager
async def _core(chain: Regtest) -> AsyncGenerator[str]:
    yield chain.url


@asynccontextmanager
async def _electrumx(chain: Regtest) -> AsyncGenerator[str]:
    if not available():
        pytest.skip("e-x has no wheel for this machine")
    await chain.mine()
    async with electrumx(chain) as urls:
        yield urls["ws"]


SERVERS: dict[str, Callable[..., Any]] = {
    "core": _core,
    "core-before-31": _core,
    "esplora": esplora,
    "electrum": electrum,
    "electrumx": _electrumx,
}
KINDS = [
    pytest.param(kind, marks=pytest.mark.slow if kind == "electrumx" else ()) for kind in SERVERS
]


@pytest.fixture(params=KINDS)
async def served(request):
    async with AsyncExitStack() as stack:
        newest = request.param != "core-before-31"
        chain = await stack.enter_async_context(Regtest(spender_index=newest))
        url = await stack.enter_async_context(SERVERS[request.param](chain))
        backend = await stack.enter_async_context(open_backend(url, "regtest"))
        yield chain, backend, url


async def until(ask: Callable[[], Awaitable[object]], wanted: object) -> None:
    """A server of its own process follows its node by polling: no event tells that it has."""
    with anyio.fail_after(15):
        while await ask() != wanted:  # noqa: ASYNC110 - another process has no event for us
            await anyio.sleep(0.02)


async def caught_up(chain: Regtest, backend: ChainBackend) -> None:
    await until(backend.tip, chain.tip)


async def test_it_is_on_the_network_that_its_genesis_block_says(served):
    _, backend, url = served
    assert await backend.genesis() == NETWORKS["regtest"].genesis
    with pytest.raises(WrongNetwork, match="is on regtest, the settings say main"):
        async with open_backend(url, "main"):
            pass


async def test_it_tells_the_tip_and_waits_for_another(served):
    chain, backend, _ = served
    await chain.mine(3)
    await caught_up(chain, backend)
    tip = await backend.tip()
    assert await backend.next_tip(tip, 0.1) == tip
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chain.mine)
            found = await backend.next_tip(tip, 15)
    assert found.height == tip.height + 1
    assert found == chain.tip


async def test_it_hands_out_headers_that_link(served):
    chain, backend, _ = served
    await chain.mine(30)
    await caught_up(chain, backend)
    top = chain.tip.height
    headers = await backend.headers(0, 10_000)
    assert [shown(sha256d(one)) for one in (headers[0], headers[-1])] == [
        NETWORKS["regtest"].genesis,
        chain.tip.hash,
    ]
    assert len(headers) == top + 1
    assert all(b[4:36] == sha256d(a) for a, b in pairwise(headers))
    assert await backend.headers(7, 12) == headers[7:19]
    assert await backend.headers(top + 1, 5) == ()


async def test_it_finds_transactions_mined_waiting_and_not_at_all(served):
    chain, backend, _ = served
    coin = await chain.fund(anyone(), SIZE)
    await caught_up(chain, backend)
    raw = spend({coin: 0}, [(anyone(1), SIZE - 500)])
    sent = await backend.send(raw)
    assert sent in await chain.mempool()
    assert await backend.transaction(coin.txid) == await chain.transaction(coin.txid)
    await until(lambda: backend.height_of(sent, anyone(1)), 0)
    assert await backend.transaction(sent) == raw
    assert await backend.height_of(coin.txid, anyone()) == chain.tip.height
    assert await backend.transaction(UNKNOWN) is None
    assert await backend.height_of(UNKNOWN, anyone()) is None


async def test_its_branch_leads_to_the_blocks_header(served):
    chain, backend, _ = served
    coins = {await chain.fund(anyone(tag), SIZE): tag for tag in range(4)}
    for coin, tag in coins.items():
        await chain.send(spend({coin: tag}, [(anyone(9), SIZE - 500 - tag)]))
    (block,) = await chain.mine()
    await caught_up(chain, backend)
    txids = (await chain.rpc("getblock", block))["tx"]
    (header,) = await backend.headers(chain.tip.height, 1)
    assert len(txids) == 5
    for position, txid in enumerate(txids):
        place = await backend.place(txid, chain.tip.height)
        assert (place.height, place.position) == (chain.tip.height, position)
        root = merkle_root(bytes.fromhex(txid)[::-1], place.position, place.branch)
        assert root == header[36:68]


async def test_it_tells_coins_that_nobody_spends_waiting_ones_too(served):
    chain, backend, _ = served
    coin = await chain.fund(anyone(), SIZE)
    await caught_up(chain, backend)
    (found,) = await backend.coins(anyone())
    assert (found.outpoint, found.value, found.script) == (coin, SIZE, anyone())
    assert found.height == chain.tip.height
    sent = await backend.send(spend({coin: 0}, [(anyone(), SIZE - 500)]))

    async def told() -> list[tuple[Outpoint, int, int | None]]:
        return [(one.outpoint, one.value, one.height) for one in await backend.coins(anyone())]

    await until(told, [(Outpoint(sent, 0), SIZE - 500, None)])
    assert await backend.coins(anyone(99)) == ()


async def test_it_names_who_spends_a_coin(served):
    chain, backend, _ = served
    coin = await chain.fund(anyone(), SIZE)
    await caught_up(chain, backend)
    assert await backend.spender(coin, anyone()) is None
    sent = await backend.send(spend({coin: 0}, [(anyone(1), SIZE - 500)]))
    await until(lambda: backend.spender(coin, anyone()), sent)
    await chain.mine()
    await caught_up(chain, backend)
    assert await backend.spender(coin, anyone()) == sent
    assert await backend.spender(Outpoint(sent, 0), anyone(1)) is None
    assert await backend.spender(Outpoint(UNKNOWN, 0), anyone()) is None


async def test_it_sends_once_and_passes_a_refusal_on(served):
    chain, backend, _ = served
    coin = await chain.fund(anyone(), SIZE)
    raw = spend({coin: 0}, [(anyone(1), SIZE - 500)])
    sent = await backend.send(raw)
    assert await backend.send(raw) == sent
    with pytest.raises(ChainRefused, match="insufficient fee"):
        await backend.send(spend({coin: 0}, [(anyone(2), SIZE - 500)]))
    await chain.mine()
    assert await backend.send(raw) == sent
    with pytest.raises(ChainRefused, match="missingorspent"):
        await backend.send(spend({coin: 0}, [(anyone(2), SIZE - 9000)]))


async def test_its_fee_rate_is_in_satoshi_a_byte_and_at_least_one(served):
    chain, backend, _ = served
    chain.rates.estimate = 7.5
    assert await backend.fee_rate(6) == pytest.approx(7.5)
    chain.rates.estimate = 0.2
    assert await backend.fee_rate(3) == 1.0


@pytest.mark.parametrize("depth", [3, 10])
async def test_after_a_reorg_it_tells_the_new_branch(served, depth):
    chain, backend, _ = served
    coin = await chain.fund(anyone(), SIZE)
    sent = await chain.send(spend({coin: 0}, [(anyone(1), SIZE - 500)]))
    await chain.mine(depth)
    await caught_up(chain, backend)
    assert await backend.height_of(sent, anyone(1)) == chain.tip.height - depth + 1
    await chain.reorg(depth)
    await caught_up(chain, backend)
    await until(lambda: backend.height_of(sent, anyone(1)), 0)
    headers = await backend.headers(chain.tip.height - depth, depth + 5)
    assert shown(sha256d(headers[-1])) == chain.tip.hash


async def test_nothing_is_dialled_without_an_address():
    with pytest.raises(NotAvailable, match="no chain server"):
        async with open_backend("", "regtest"):
            pass


BAD = ["http://a", "core+ws://a", "core+http://", "electrum+tcp://a:99999", "esplora+https", "x y"]


CUT = ["core+http://me:1/secret@a", "core+http://me:1#secret@a", "core+http://me:1?secret@a"]
BAD += [*CUT, "core+http://me:secret@[::", "electrum+tls://a?sha256=xx", "esplora+http://a..b"]


@pytest.mark.parametrize("url", BAD)
async def test_an_address_that_is_none_is_refused_without_repeating_a_password(url):
    with pytest.raises(SettingsInvalid) as caught:
        async with open_backend(url, "regtest"):
            pass
    assert "secret" not in str(caught.value)


def test_an_address_shows_no_credentials():
    server = server_of("core+http://me:s%40cret@[::1]/wallet/?cookie=x")
    assert (server.user, server.password, server.port) == ("me", "s@cret", 8332)
    assert repr(server) == "Server(core+http://[::1]:8332)"
    assert f"{server}" == repr(server)


async def test_a_real_core_agrees():
    """Opt-in: a regtest node of Bitcoin Core at HERMES_V2_TEST_BITCOIND (core+http://…)."""
    url = os.environ.get(BITCOIND)
    if not url:
        pytest.skip("no Bitcoin Core to check against")
    async with open_backend(url, "regtest", Limits(answer_s=10)) as backend, Regtest() as ours:
        tip = await backend.tip()
        assert len(await backend.headers(0, tip.height + 1)) == tip.height + 1
        for height in range(1, tip.height + 1):  # our kernel takes every block of theirs
            block = await backend._rpc.ask("getblockhash", height)
            raw = await backend._rpc.ask("getblock", block, 0)
            assert await ours.rpc("submitblock", raw) is None
        assert ours.tip == tip
        coin = await ours.fund(anyone(), SIZE)
        for height in range(tip.height + 1, ours.tip.height + 1):  # and they every one of ours
            raw = await ours.rpc("getblock", await ours.rpc("getblockhash", height), 0)
            assert await backend._rpc.ask("submitblock", raw) is None
        assert [one.outpoint for one in await backend.coins(anyone())][-1] == coin
