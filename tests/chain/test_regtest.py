import base64
import os
import signal
import sys
import tomllib

import anyio
import httpcore2
import msgspec
import pytest

from hermes.chain.addresses import address_of, script_of
from hermes.chain.backend import Outpoint
from hermes.chain.networks import NETWORKS
from hermes.chain.work import sha256d, shown
from hermes.testing.regtest import Regtest
from hermes.testing.regtest.anyone import anyone, spend
from hermes.testing.regtest.kernel import BlockInvalid
from hermes.testing.regtest.policy import Rejected
from hermes.testing.regtest.rpc import RpcError

SIZE = 1_000_000


@pytest.fixture
async def chain():
    async with Regtest() as chain:
        yield chain


async def test_begins_at_the_genesis_block_and_mines(chain):
    assert chain.tip.hash == NETWORKS["regtest"].genesis
    blocks = await chain.mine(101)
    assert (chain.tip.height, chain.tip.hash) == (101, blocks[-1])
    header = bytes.fromhex(await chain.rpc("getblockheader", blocks[-1], 0))
    assert shown(sha256d(header)) == blocks[-1]
    assert header[4:36] == bytes.fromhex(blocks[-2])[::-1]


async def test_a_funded_script_holds_what_was_paid(chain):
    coin = await chain.fund(anyone(), SIZE)
    (found,) = await chain.coins(anyone())
    assert (found.outpoint, found.value, found.height) == (coin, SIZE, chain.tip.height)


async def test_what_is_spent_in_the_mempool_is_gone_and_comes_back_when_it_cannot_be_mined(chain):
    coin = await chain.fund(anyone(), SIZE)
    first = await chain.send(spend({coin: 0}, [(anyone(1), SIZE - 500)]))
    assert await chain.coins(anyone()) == ()
    rival = spend({coin: 0}, [(anyone(2), SIZE - 700)])
    await chain.reorg(0, length=1, transactions=[rival])
    assert first not in await chain.mempool()
    assert await chain.transaction(first) is None
    assert [one.value for one in await chain.coins(anyone(2))] == [SIZE - 700]


async def test_gettxout_shows_what_waits_and_hides_what_waiting_spends(chain):
    coin = await chain.fund(anyone(), SIZE)
    txid = await chain.send(spend({coin: 0}, [(anyone(1), SIZE - 500)]))
    waits = await chain.rpc("gettxout", txid, 0)
    assert (waits["confirmations"], waits["value"]) == (0, (SIZE - 500) / 10**8)
    assert waits["scriptPubKey"]["hex"] == anyone(1).hex()
    assert await chain.rpc("gettxout", txid, 1) is None
    mined_only = (txid, 0, False), (coin.txid, coin.index, False)
    assert await chain.rpc("gettxout", *mined_only[0]) is None
    assert await chain.rpc("gettxout", coin.txid, coin.index) is None
    assert (await chain.rpc("gettxout", *mined_only[1]))["confirmations"] == 1
    await chain.mine()
    assert (await chain.rpc("gettxout", txid, 0))["confirmations"] == 1


@pytest.mark.parametrize("depth", [1, 3, 10])
async def test_a_reorg_returns_transactions_to_the_mempool(chain, depth):
    coin = await chain.fund(anyone(), SIZE)
    sent = await chain.send(spend({coin: 0}, [(anyone(1), SIZE - 500)]))
    await chain.mine(depth)
    old = chain.tip
    await chain.reorg(depth)
    assert chain.tip.height == old.height + 1
    assert await chain.mempool() == (sent,)
    assert old.hash != await chain.rpc("getblockhash", old.height)
    await chain.mine()
    assert await chain.mempool() == ()
    assert (await chain.rpc("getrawtransaction", sent, 1))["confirmations"] == 1


async def test_chains_of_transactions_survive_a_reorg_in_order(chain):
    coin = await chain.fund(anyone(), SIZE)
    parent = await chain.send(spend({coin: 0}, [(anyone(1), SIZE - 500)]))
    await chain.mine()
    child = await chain.send(spend({Outpoint(parent, 0): 1}, [(anyone(2), SIZE - 1000)]))
    await chain.reorg(1)
    assert await chain.mempool() == (parent, child)


async def test_an_invalidated_block_makes_the_chain_shorter_until_it_is_taken_back(chain):
    coin = await chain.fund(anyone(), SIZE)
    blocks = await chain.mine(3)
    height = chain.tip.height
    await chain.invalidate(blocks[0])
    assert chain.tip.height == height - 3
    assert [one.outpoint for one in await chain.coins(anyone())] == [coin]
    await chain.mine(2)
    await chain.rpc("reconsiderblock", blocks[0])
    assert chain.tip.hash == blocks[2]


REFUSED = {
    "less than the relay fee": ([(anyone(1), SIZE - 50)], {}, "min relay fee not met"),
    "more than it has": ([(anyone(1), SIZE + 1)], {}, "bad-txns-in-belowout"),
    "dust": ([(anyone(1), 329)], {}, "dust"),
    "not final": ([(anyone(1), SIZE - 500)], {"locktime": 10_000}, "non-final"),
    "too young": ([(anyone(1), SIZE - 500)], {"sequence": 10}, "non-BIP68-final"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_the_mempool_refuses_in_cores_words(chain, case):
    outputs, options, words = REFUSED[case]
    coin = await chain.fund(anyone(), SIZE)
    raw = spend({coin: 0}, outputs, **options)
    with pytest.raises(Rejected, match=words):
        await chain.send(raw)
    (told,) = await chain.rpc("testmempoolaccept", [raw.hex()])
    assert not told["allowed"]
    assert words in told["reject-reason"]


async def test_the_mempool_refuses_a_wrong_script_a_missing_coin_and_a_young_coinbase(chain):
    coin = await chain.fund(anyone(), SIZE)
    with pytest.raises(Rejected, match="mandatory-script-verify-flag-failed"):
        await chain.send(spend({coin: 7}, [(anyone(1), SIZE - 500)]))
    with pytest.raises(Rejected, match="missingorspent"):
        await chain.send(spend({Outpoint(coin.txid, 9): 0}, [(anyone(1), 500)]))
    (block,) = await chain.mine(1, anyone(3))
    (coinbase,) = (await chain.rpc("getblock", block))["tx"]
    raw = spend({Outpoint(coinbase, 0): 3}, [(anyone(1), SIZE)])
    with pytest.raises(Rejected, match="premature-spend-of-coinbase"):
        await chain.send(raw)
    await chain.mine(99)
    with pytest.raises(RpcError, match="maxfeerate"):
        await chain.rpc("sendrawtransaction", raw.hex())
    assert await chain.rpc("sendrawtransaction", raw.hex(), 0) in await chain.mempool()


async def test_a_relative_lock_opens_with_its_last_block(chain):
    coin = await chain.fund(anyone(), SIZE)
    raw = spend({coin: 0}, [(anyone(1), SIZE - 500)], sequence=3)
    await chain.mine(1)
    with pytest.raises(Rejected, match="non-BIP68-final"):
        await chain.send(raw)
    await chain.mine(1)
    sent = await chain.send(raw)
    await chain.mine()
    assert (await chain.rpc("getrawtransaction", sent, 1))["confirmations"] == 1


async def test_replacing_costs_a_higher_rate_and_the_relay_of_the_new_one(chain):
    coin = await chain.fund(anyone(), SIZE)
    old = await chain.send(spend({coin: 0}, [(anyone(1), SIZE - 500)]))
    child = await chain.send(spend({Outpoint(old, 0): 1}, [(anyone(2), SIZE - 1000)]))
    with pytest.raises(Rejected, match="insufficient fee"):
        await chain.send(spend({coin: 0}, [(anyone(3), SIZE - 500)]))
    with pytest.raises(Rejected, match="not enough additional fees"):
        await chain.send(spend({coin: 0}, [(anyone(3), SIZE - 1050)]))  # pays for one of two
    new = await chain.send(spend({coin: 0}, [(anyone(3), SIZE - 1200)]))
    assert await chain.mempool() == (new,)
    assert child not in await chain.mempool()


async def test_a_child_pays_for_its_parent(chain):
    coin = await chain.fund(anyone(), SIZE)
    other = await chain.fund(anyone(5), SIZE)
    chain.rates.block = 3.0
    poor = await chain.send(spend({coin: 0}, [(anyone(1), SIZE - 150)]))
    waits = await chain.send(spend({other: 5}, [(anyone(6), SIZE - 150)]))
    child = await chain.send(spend({Outpoint(poor, 0): 1}, [(anyone(2), SIZE - 2000)]))
    (block,) = await chain.mine()
    assert (await chain.rpc("getblock", block))["tx"][1:] == [poor, child]
    assert await chain.mempool() == (waits,)


async def test_the_kernel_decides_what_a_block_may_hold(chain):
    coin = await chain.fund(anyone(), SIZE)
    with pytest.raises(BlockInvalid, match="consensus"):
        await chain.reorg(0, length=1, transactions=[spend({coin: 9}, [(anyone(), SIZE)])])
    twice = [spend({coin: 0}, [(anyone(tag), SIZE)]) for tag in (1, 2)]
    tip = chain.tip
    with pytest.raises(BlockInvalid, match="consensus"):
        await chain.reorg(0, length=1, transactions=twice)
    assert chain.tip == tip
    await chain.mine()
    assert chain.tip.height == tip.height + 1


async def _post(url: str, body: bytes, secret: str) -> tuple[int, bytes]:
    token = base64.b64encode(secret.encode())
    async with httpcore2.AsyncConnectionPool() as pool:
        headers = [(b"authorization", b"Basic " + token)]
        answer = await pool.request("POST", url, headers=headers, content=body)
        return answer.status, answer.content


async def test_the_rpc_answers_batches_errors_and_nobody_without_the_password(chain):
    secret, _, where = chain.http_url.removeprefix("http://").rpartition("@")
    url = f"http://{where}"
    call = b'{"method": "getblockcount", "id": 7}'
    assert (await _post(url, call, "hermes:wrong"))[0] == 401
    status, body = await _post(url, call, secret)
    assert (status, msgspec.json.decode(body)) == (200, {"result": 0, "error": None, "id": 7})
    status, body = await _post(url, b'{"method": "getblockhash", "params": [5], "id": 1}', secret)
    assert (status, msgspec.json.decode(body)["error"]["code"]) == (500, -8)
    batch = b'[{"method": "getblockhash", "params": {"height": 0}, "id": 1}, {"method": "x"}]'
    status, body = await _post(url, batch, secret)
    first, second = msgspec.json.decode(body)
    assert (status, first["result"]) == (200, NETWORKS["regtest"].genesis)
    assert second["error"]["code"] == -32601
    assert (await _post(url, b"{", secret))[0] == 500


async def test_people_can_pay_an_address_by_rpc(chain):
    address = address_of(anyone(), "regtest")
    assert script_of(address, "regtest") == anyone()
    with pytest.raises(RpcError, match="Insufficient funds"):
        await chain.rpc("sendtoaddress", address, 0.5)
    await chain.rpc("generatetoaddress", 101, await chain.rpc("getnewaddress"))
    txid = await chain.rpc("sendtoaddress", address, 0.5)
    await chain.rpc("generatetoaddress", 1, address)
    assert Outpoint(txid, 0) in [one.outpoint for one in await chain.coins(anyone())]
    with pytest.raises(RpcError, match="Invalid address"):
        await chain.rpc("sendtoaddress", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 0.5)


@pytest.mark.slow
async def test_it_runs_for_people():
    address = address_of(anyone(), "regtest")
    command = [sys.executable, "-m", "hermes.testing.regtest", "--mine-every", "0.05"]
    command += ["--pay", address]
    with anyio.fail_after(30):
        async with await anyio.open_process(command, stderr=None, env=os.environ) as process:
            assert process.stdout is not None
            said = ""
            while "core+http://" not in said or "generatetoaddress" not in said:
                said += (await process.stdout.receive()).decode()
            url = tomllib.loads(said)["chain"]["backend"].removeprefix("core+")
            secret, _, where = url.removeprefix("http://").rpartition("@")
            height = 0
            while height < 104:
                _, body = await _post(
                    f"http://{where}", b'{"method":"getblockcount","id":1}', secret
                )
                height = msgspec.json.decode(body)["result"]
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
