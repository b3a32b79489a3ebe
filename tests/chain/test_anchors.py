"""The anchor's states, fees and layout: pure, so they are tried with whatever may come."""

import msgspec
import pytest
from bitcoin.core import CoreMainParams
from hypothesis import given
from hypothesis import strategies as st

from hermes.chain.anchors import Do, Mined, Seen, step
from hermes.chain.backend import Coin, Outpoint, Tip, Txid
from hermes.chain.coin import DUST, Funds, largest, lay_out
from hermes.chain.fees import Budget, TooDear, budget, fee_for, raised, rate_for
from hermes.chain.scripts import CoinScripts, coin_script, p2wpkh, witness_script
from hermes.chain.watch import Watch
from hermes.config import Chain
from hermes.core.anchor import AnchorKind, Payload
from hermes.errors import ChainLied, NotAvailable
from hermes.store.anchors import Anchor, AnchorId, Attempt

COIN = "aa" * 32 + ":1"
OTHER = "bb" * 32 + ":1"
PAYLOAD = Payload(AnchorKind.CHECKPOINT, bytes(32))
KEY, SPARE = b"\x02" + b"\x01" * 32, b"\x03" + b"\x02" * 32
CAPS = Budget(rate_most=50.0, fee_most=20_000, month_left=100_000)


def tip(height: int) -> Tip:
    return Tip(height, "00" * 32)


def attempt(name: str, coin: str = COIN, height: int = 100, *, dead: bool = False) -> Attempt:
    return Attempt(name, coin, b"", 159, 159, 1, height, dead)


def anchor(*attempts: Attempt, **fields) -> Anchor:
    return Anchor(id=AnchorId("a"), kind=1, payload=PAYLOAD.encode(), attempts=attempts, **fields)


def mined(txid: str, depth: int, block: str = "b1") -> Mined:
    return Mined(txid, 101, block, b"h" * 80, 0, (b"s" * 32,), depth)


def test_the_whole_way():
    one = anchor()
    one, todo = step(one, Seen(lineage=COIN), tip(100))
    assert (one.state, todo) == ("draft", (Do.BUILD,))
    one = msgspec.structs.replace(one, attempts=(attempt("t1"),))
    one, todo = step(one, Seen(lineage=COIN), tip(100))
    assert (one.state, todo) == ("sent", (Do.SEND,))
    one, todo = step(one, Seen(waiting="t1", lineage=COIN), tip(100))
    assert (one.state, todo) == ("seen", ())
    for depth, state in ((1, "mined"), (5, "mined"), (6, "settled"), (143, "settled")):
        one, todo = step(one, Seen(mined=mined("t1", depth), lineage=COIN), tip(100 + depth))
        assert (one.state, todo) == (state, ())
    assert (one.txid, one.height, one.block, one.branch) == ("t1", 101, "b1", b"s" * 32)
    one, _ = step(one, Seen(mined=mined("t1", 144), lineage=COIN), tip(244))
    assert one.state == "final"
    assert step(one, Seen(thief="x", lineage=COIN), tip(300)) == (one, ())


def test_out_of_its_block_it_is_sent_again():
    one = anchor(attempt("t1"))
    one, _ = step(one, Seen(mined=mined("t1", 3)), tip(103))
    back, todo = step(one, Seen(lineage=COIN), tip(103))
    assert (back.state, todo) == ("sent", (Do.SEND,))
    assert (back.txid, back.height, back.block, back.header) == ("", 0, "", b"")
    again, todo = step(back, Seen(mined=mined("t1", 1, "b2")), tip(104))
    assert (again.state, again.block, todo) == ("mined", "b2", ())


def test_of_two_attempts_the_mined_one_is_sent_again():
    one = anchor(attempt("t1"), attempt("t2", height=106))
    one, _ = step(one, Seen(mined=mined("t1", 2), lineage=COIN), tip(107))
    back, todo = step(one, Seen(lineage=COIN), tip(107))
    assert todo[0] is Do.SEND
    assert back.alive[-1].txid == "t1"  # whatever came after spends its output


def test_a_server_that_lags_does_not_unsettle_the_same_block():
    one, _ = step(anchor(attempt("t1")), Seen(mined=mined("t1", 6)), tip(106))
    assert step(one, Seen(mined=mined("t1", 4)), tip(104))[0].state == "settled"
    assert step(one, Seen(mined=mined("t1", 4, "b2")), tip(104))[0].state == "mined"


def test_after_six_blocks_without_one_it_is_raised():
    one = anchor(attempt("t1", height=100))
    assert step(one, Seen(waiting="t1", lineage=COIN), tip(105))[1] == ()
    assert step(one, Seen(waiting="t1", lineage=COIN), tip(106))[1] == (Do.RAISE,)
    assert step(one, Seen(lineage=COIN), tip(106))[1] == (Do.SEND, Do.RAISE)


def test_a_strangers_spend_is_an_alarm_only_when_it_takes_the_coin():
    lost, todo = step(anchor(attempt("t1")), Seen(thief="x", lineage=COIN), tip(100))
    assert (lost.state, todo) == ("lost", (Do.ALARM,))
    assert step(anchor(), Seen(thief="x", lineage=COIN), tip(100)) == (anchor(), (Do.ALARM,))
    first, todo = step(anchor(attempt("t1")), Seen(thief="x"), tip(100))
    assert (first.state, todo) == ("draft", (Do.BUILD,))  # it was only a deposit
    assert first.alive == ()


def test_when_the_lineage_moves_the_attempt_is_dead_and_when_it_moves_back_alive():
    one = anchor(attempt("t1"))
    moved, todo = step(one, Seen(lineage=OTHER), tip(100))
    assert (moved.state, moved.alive, todo) == ("draft", (), (Do.BUILD,))
    back, todo = step(moved, Seen(lineage=COIN), tip(100))
    assert (back.state, todo) == ("sent", (Do.SEND,))


def seen(draw) -> Seen:
    what = draw(st.sampled_from(("nothing", "waiting", "mined", "thief")))
    lineage = draw(st.sampled_from((COIN, OTHER)))
    match what:
        case "mined":
            depth = draw(st.integers(1, 144))
            txid = draw(st.sampled_from(("t1", "t2")))
            return Seen(mined=mined(txid, depth, draw(st.sampled_from("xy"))), lineage=lineage)
        case "waiting":
            return Seen(waiting="t1", lineage=lineage)
        case "thief":
            return Seen(thief="x", lineage=lineage)
        case _:
            return Seen(lineage=lineage)


@given(st.data())
def test_whatever_is_seen_no_attempt_is_forgotten_and_never_two_coins_are_sent(data):
    one = anchor(attempt("t1"), attempt("t2", OTHER))
    for _ in range(data.draw(st.integers(1, 12))):
        look = seen(data.draw)
        was = one.state
        one, todo = step(one, look, tip(data.draw(st.integers(90, 400))))
        assert sorted(a.txid for a in one.attempts) == ["t1", "t2"]
        if was in {"final", "lost"}:
            assert (one.state, todo) == (was, ())
        if Do.SEND in todo or Do.RAISE in todo:
            assert {a.coin for a in one.alive} == {look.lineage}
        assert (one.state in {"mined", "settled", "final"}) == bool(one.txid)
        assert not {Do.BUILD, Do.SEND} <= set(todo)


def test_a_rate_above_the_cap_waits_with_the_reason():
    assert rate_for(0.1, CAPS) == 1.0
    assert rate_for(50.0, CAPS) == 50.0
    with pytest.raises(TooDear, match=r"fees are at 80\.0 sat/vB"):
        rate_for(80.0, CAPS)
    for odd in (float("nan"), float("inf")):
        with pytest.raises(TooDear):
            rate_for(odd, CAPS)


def test_each_cap_says_its_name():
    small = msgspec.structs.replace(CAPS, fee_most=100)
    with pytest.raises(TooDear, match="at most 100 are paid for one"):
        fee_for(1.0, 159, small)
    with pytest.raises(TooDear, match="this month has 100 left"):
        fee_for(1.0, 159, msgspec.structs.replace(CAPS, month_left=100))


@given(st.floats(1.0, 50.0), st.integers(100, 2000))
def test_a_fee_never_breaks_the_cap_of_the_rate(rate, size):
    wide = msgspec.structs.replace(CAPS, fee_most=10**9, month_left=10**9)
    assert size <= fee_for(rate, size, wide) <= 50.0 * size


def test_the_month_counts_each_coin_once_and_not_the_one_that_is_replaced():
    caps = Chain(month_most=1_000)
    assert budget(caps, {"a": 300, "b": 200}, "b").month_left == 700
    assert budget(caps, {"a": 300, "b": 900}, "c").month_left == 0


def test_a_replacement_pays_half_as_much_again_or_the_cap_or_waits():
    assert raised(159, 159, 1.0, CAPS) == 2.0  # half as much again would not be relayed
    assert raised(318, 159, 1.0, CAPS) == 3.0
    assert raised(318, 159, 30.0, CAPS) == 30.0
    tight = msgspec.structs.replace(CAPS, rate_most=3.2)
    assert raised(3 * 100, 100, 1.0, msgspec.structs.replace(tight, rate_most=4.0)) == 4.0
    with pytest.raises(TooDear, match="more is not allowed"):
        raised(3 * 100, 100, 1.0, tight)


def _scripts(*, recovery: bool) -> CoinScripts:
    if not recovery:
        return CoinScripts(KEY, p2wpkh(KEY), p2wpkh(KEY))
    witness = witness_script(KEY, SPARE, 144)
    return CoinScripts(KEY, p2wpkh(KEY), coin_script(KEY, SPARE, 144), witness)


def _funds(value: int, script: bytes, number: int = 0) -> Funds:
    return Funds(Outpoint(Txid(f"{number:064x}"), 0), value, script, b"")


@given(
    coin=st.one_of(st.none(), st.integers(330, 5_000)),
    deposits=st.lists(st.integers(0, 5_000), max_size=30),
    rate=st.floats(1.0, 20.0),
    recovery=st.booleans(),
)
def test_a_layout_is_whole_or_says_what_lacks(coin, deposits, rate, recovery):
    scripts = _scripts(recovery=recovery)
    own = None if coin is None else _funds(coin, scripts.coin, 999)
    money = [_funds(value, scripts.deposit, n) for n, value in enumerate(deposits)]
    try:
        made = lay_out(own, money, PAYLOAD, scripts, rate, CAPS)
    except NotAvailable:
        return
    assert len(made.inputs) == len({one.outpoint for one in made.inputs}) <= 16
    assert own is None or made.inputs[0] == own
    payload, coin_out = made.outputs
    assert payload.value == 0
    assert (coin_out.script, coin_out.value >= DUST) == (scripts.coin, True)
    assert sum(one.value for one in made.inputs) == made.fee + coin_out.value
    assert made.fee >= made.size * min(rate, CAPS.rate_most) - 1


def test_dust_and_nothing_are_told_apart():
    scripts = _scripts(recovery=False)
    with pytest.raises(NotAvailable, match="no confirmed deposit"):
        lay_out(None, [], PAYLOAD, scripts, 5.0, CAPS)
    with pytest.raises(NotAvailable, match=r"\(294 sat in all\) are dust"):
        lay_out(None, [_funds(294, scripts.deposit)], PAYLOAD, scripts, 5.0, CAPS)
    with pytest.raises(NotAvailable, match="hold 1000 sat: too little") as raised_now:
        lay_out(None, [_funds(1_000, scripts.deposit)], PAYLOAD, scripts, 5.0, CAPS)
    assert "pay at least" in raised_now.value.remedy


def test_of_dust_by_the_thousand_only_the_largest_is_looked_at():
    told = [Coin(Outpoint(Txid(f"{n:064x}"), 0), n, b"", 5) for n in range(1, 1_000)]
    waits = Coin(Outpoint(Txid("ff" * 32), 0), 10**8, b"", None)
    found = largest([*told, waits, *told])
    assert found[:2] == [told[-1].outpoint, told[-2].outpoint]
    assert len(set(found)) == len(found) == 64


async def test_blocks_of_the_main_network_that_took_no_work_bury_nothing():
    class Easy:
        name = "easy"

        async def headers(self, start, count):
            return (CoreMainParams.GENESIS_BLOCK.get_header().serialize(),)

    at_start = msgspec.structs.replace(anchor(state="mined"), txid="aa", height=0)
    with pytest.raises(ChainLied, match="no work"):
        await Watch(Easy(), "main").prepare((at_start,), tip(0))
