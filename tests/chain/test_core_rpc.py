"""A Core that lies: whatever it says that can be checked alone is checked."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from hermes.chain.backend import Outpoint
from hermes.chain.connect import open_backend
from hermes.chain.http import Limits
from hermes.chain.merkle_block import read_proof
from hermes.errors import ChainLied, ChainUnreachable, WrongNetwork
from hermes.testing.regtest import Regtest
from hermes.testing.regtest.anyone import anyone, spend
from hermes.testing.regtest.loopback import Asked, Reply, serve
from hermes.testing.regtest.rpc import RpcError

SIZE = 1_000_000
QUICK = Limits(answer_s=2.0, pauses_s=())
Tamper = Callable[[Any], Any]


@asynccontextmanager
async def liar(chain: Regtest, lies: dict[str, Tamper]) -> AsyncGenerator[str]:
    """The chain's RPC, with some methods' results changed."""

    async def one(call: dict[str, Any]) -> dict[str, Any]:
        try:
            told = await chain.rpc(call["method"], *call["params"])
        except RpcError as error:
            return {"id": call["id"], "error": {"code": error.code, "message": error.message}}
        return {"id": call["id"], "result": lies.get(call["method"], lambda same: same)(told)}

    async def answer(asked: Asked) -> Reply:
        calls = msgspec.json.decode(asked.body)
        if isinstance(calls, dict):
            return Reply(msgspec.json.encode(await one(calls)))
        return Reply(msgspec.json.encode([await one(call) for call in calls]))

    async with serve(answer) as port:
        yield f"core+http://127.0.0.1:{port}"


@pytest.fixture
async def chain():
    async with Regtest() as chain:
        yield chain


def flip(text: str) -> str:
    raw = bytearray.fromhex(text)
    raw[40] ^= 1  # of a header its root, of a transaction the output that it spends
    return raw.hex()


async def test_another_genesis_block_is_another_network(chain):
    async with liar(chain, {"getblockhash": lambda _: "ab" * 32}) as url:
        with pytest.raises(WrongNetwork, match="on a chain that Hermes does not know"):
            async with open_backend(url, "regtest", QUICK):
                pass


async def test_a_transaction_with_other_bytes_is_a_lie(chain):
    coin = await chain.fund(anyone(), SIZE)
    for lie in (flip, lambda _: "00", lambda _: "xyz", lambda text: text + "00", lambda _: 7):
        async with (
            liar(chain, {"getrawtransaction": lie}) as url,
            open_backend(url, "regtest", QUICK) as backend,
        ):
            with pytest.raises(ChainLied):
                await backend.transaction(coin.txid)


def _weak(text: str) -> str:
    raw = bytearray.fromhex(text)
    raw[72:76] = bytes.fromhex("ffff001d")  # claims the main network's least work
    return raw.hex()


@pytest.mark.parametrize("lie", [flip, _weak, lambda text: text[:-2], lambda _: "00" * 80])
async def test_headers_that_do_not_link_or_show_no_work_are_lies(chain, lie):
    await chain.mine(5)
    async with (
        liar(chain, {"getblockheader": lie}) as url,
        open_backend(url, "regtest", QUICK) as backend,
    ):
        with pytest.raises(ChainLied):
            await backend.headers(0, 6)


async def test_a_branch_of_another_transaction_or_block_is_a_lie(chain):
    coin = await chain.fund(anyone(), SIZE)
    height = chain.tip.height
    other = await chain.rpc("getblock", await chain.rpc("getblockhash", height - 1))
    proof = await chain.rpc("gettxoutproof", other["tx"])
    right = await chain.rpc("gettxoutproof", [coin.txid])
    for lie in (proof, right[:-2], right + "00", right[:160] + proof[160:], ""):
        async with (
            liar(chain, {"gettxoutproof": lambda _, lie=lie: lie}) as url,
            open_backend(url, "regtest", QUICK) as backend,
        ):
            with pytest.raises(ChainLied):
                await backend.place(coin.txid, height)


async def test_no_bit_of_a_proof_can_be_changed_unnoticed(chain):
    coins = [await chain.fund(anyone(tag), SIZE) for tag in range(5)]
    for tag, coin in enumerate(coins):
        await chain.send(spend({coin: tag}, [(anyone(9), SIZE - 500)]))
    (block,) = await chain.mine()
    txids = (await chain.rpc("getblock", block))["tx"]
    for txid in txids:
        proof = bytes.fromhex(await chain.rpc("gettxoutproof", [txid]))
        truth = read_proof(proof, bytes.fromhex(txid)[::-1])
        for bit in range(len(proof) * 8):
            changed = bytearray(proof)
            changed[bit // 8] ^= 1 << bit % 8
            try:
                found = read_proof(bytes(changed), bytes.fromhex(txid)[::-1])
            except ChainLied:
                continue
            # The header is compared with its block's hash; the count of leaves proves nothing.
            assert found[0] != truth[0] or (found == truth and bit // 8 in range(80, 84))


async def test_a_spender_that_does_not_spend_is_a_lie(chain):
    coin = await chain.fund(anyone(), SIZE)
    other = await chain.fund(anyone(1), SIZE)
    told = [{"txid": coin.txid, "vout": 0, "spendingtxid": other.txid}]
    for lie in (told, [], told * 2):
        async with (
            liar(chain, {"gettxspendingprevout": lambda _, lie=lie: lie}) as url,
            open_backend(url, "regtest", QUICK) as backend,
        ):
            with pytest.raises(ChainLied):
                await backend.spender(coin, anyone())


@pytest.mark.parametrize("amount", [-1.0, 22_000_000.0, 1e300, 1e305, "much", None])
async def test_impossible_coins_and_rates_are_lies(chain, amount):
    coin = await chain.fund(anyone(), SIZE)
    scan = {"txid": coin.txid, "vout": 0, "amount": amount, "height": 1}
    lies = {
        "scantxoutset": lambda _: {"success": True, "unspents": [scan]},
        "estimatesmartfee": lambda _: {"feerate": amount},
    }
    async with liar(chain, lies) as url, open_backend(url, "regtest", QUICK) as backend:
        with pytest.raises(ChainLied):
            await backend.coins(anyone())
        if amount != -1.0:  # as Core says that it cannot tell
            with pytest.raises(ChainLied):
                await backend.fee_rate(6)


async def test_a_node_that_lags_behind_its_headers_is_no_witness(chain):
    lag = {"getblockchaininfo": lambda told: told | {"headers": told["blocks"] + 500}}
    async with liar(chain, lag) as url, open_backend(url, "regtest", QUICK) as backend:
        with pytest.raises(ChainUnreachable, match="has read 0 of 500 blocks"):
            await backend.tip()


async def test_another_id_for_what_was_sent_is_a_lie(chain):
    coin = await chain.fund(anyone(), SIZE)
    raw = spend({coin: 0}, [(anyone(1), SIZE - 500)])
    async with (
        liar(chain, {"sendrawtransaction": lambda _: "ab" * 32}) as url,
        open_backend(url, "regtest", QUICK) as backend,
    ):
        with pytest.raises(ChainLied):
            await backend.send(raw)


async def test_answers_to_other_questions_are_lies(chain):
    async def answer(asked: Asked) -> Reply:
        return Reply(b'{"id": 999999, "result": "' + b"ab" * 32 + b'"}')

    async with serve(answer) as port:
        with pytest.raises(ChainLied, match="another question"):
            async with open_backend(f"core+http://127.0.0.1:{port}", "regtest", QUICK):
                pass


async def test_a_wrong_password_is_said_without_repeating_it(chain):
    url = chain.url.replace("hermes:", "hermes:wrong")
    with pytest.raises(ChainUnreachable, match="turns us away") as caught:
        async with open_backend(url, "regtest", QUICK):
            pass
    assert "wrong" not in f"{caught.value} {caught.value.remedy} {caught.value.__context__!r}"


async def test_waiting_coins_of_ours_are_followed_in_a_mempool_too_large_to_read(chain):
    coin = await chain.fund(anyone(), SIZE)
    first = await chain.send(spend({coin: 0}, [(anyone(), SIZE - 500)]))
    second = await chain.send(spend({Outpoint(first, 0): 0}, [(anyone(), SIZE - 1000)]))
    crowd = {"getrawmempool": lambda told: told + ["ab" * 32] * 3000}
    async with liar(chain, crowd) as url, open_backend(url, "regtest", QUICK) as backend:
        (found,) = await backend.coins(anyone())
    assert (found.outpoint, found.value, found.height) == (Outpoint(second, 0), SIZE - 1000, None)


async def test_user_and_password_can_stand_in_cores_cookie_file(chain, tmp_path):
    secret, _, where = chain.http_url.removeprefix("http://").rpartition("@")
    url = f"core+http://{where}?cookie={tmp_path / '.cookie'}"
    with pytest.raises(ChainUnreachable, match="cookie"):
        async with open_backend(url, "regtest", QUICK):
            pass
    (tmp_path / ".cookie").write_text(secret)
    async with open_backend(url, "regtest", QUICK) as backend:
        assert await backend.tip() == chain.tip
