"""What replication takes in and gives, between stores: whatever the order, and whoever lies."""

import random
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from talk import chain, message

from hermes.core.canonical import encode
from hermes.core.clock import SystemClock
from hermes.core.ids import Cid, ConversationId, NodeId, SessionId, TurnId, uuid7
from hermes.core.message import block_of
from hermes.core.request import TurnRequest
from hermes.node.replica_books import Books
from hermes.store.replica_values import MOST_TAKEN, Ended, Parcel, State
from hermes.store.replicas import LARGEST, Wanted
from hermes.store.store import Store
from hermes.store.tips import extended, reach, tips

ME, YOU = "a" * 64, "b" * 64
PLACE = ConversationId("0193b2f0-0000-7000-8000-000000000001")
OTHER = ConversationId("0193b2f0-0000-7000-8000-000000000002")


@st.composite
def histories(draw):
    """A history: each message's parents are some of those before it."""
    count = draw(st.integers(1, 12))
    return {
        Cid(f"m{n}"): tuple(
            Cid(f"m{p}") for p in draw(st.sets(st.integers(0, n - 1), max_size=2)) if n
        )
        if n
        else ()
        for n in range(count)
    }


def some(history):
    return st.sets(st.sampled_from(sorted(history)))


@given(st.data())
def test_heads_are_the_same_in_whatever_order_nodes_hear_of_each_other(data):
    history = data.draw(histories())
    claims = [(data.draw(some(history)), data.draw(some(history))) for _ in range(3)]

    def merged(order):
        heads: frozenset[Cid] = frozenset()
        gone: set[Cid] = set()
        for n in order:
            gone |= claims[n][1]
            heads = tips(history, {*heads, *claims[n][0]}, gone)
        return heads

    results = {merged(order) for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2, 1, 0), (2, 2, 0, 1))}
    assert len(results) == 1


@given(st.data())
def test_heads_lose_nothing_that_was_not_taken_back(data):
    history = data.draw(histories())
    claimed, gone = data.draw(some(history)), data.draw(some(history))
    heads = tips(history, claimed, gone)
    assert not heads & gone
    assert reach(history, heads) >= reach(history, claimed) - gone
    for head in heads:  # none stands behind another
        assert head not in reach(history, heads - {head})


@given(st.data())
def test_the_short_way_to_the_heads_finds_what_the_long_one_does(data):
    history = data.draw(histories())
    known = reach(history, data.draw(some(history)))
    ours = tips(history, known)
    theirs = data.draw(some(history))
    came = reach(history, theirs) - known
    fresh = {cid: history[cid] for cid in history if cid in came}
    found = extended(ours, fresh, theirs)
    if found is not None:
        assert found == tips(history, {*ours, *theirs})


@pytest.fixture
async def stores(tmp_path):
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Store.open(tmp_path / f"{n}.db", SystemClock()))
            for n in range(2)
        ]


async def begun(store, *texts, place=PLACE):
    await store.conversations.create(conversation=place, root="/work")
    messages = chain(place, *texts)
    return await store.conversations.append(*messages)


async def given_to(giver, taker, place=PLACE, most=1 << 20):
    """Bring a conversation over, parcel by parcel; gives how many it took."""
    for count in range(1, 100):
        wanted = await taker.replicas.wanted(place)
        cut = await giver.replicas.cut(wanted, ME, most)
        taken = await taker.replicas.take(cut.parcel, YOU)
        assert not taken.refused
        if not cut.parcel.more:
            return count
    raise AssertionError("it never ends")


async def same(one, other, place=PLACE):
    found = [await s.conversations.history(place) for s in (one, other)]
    assert found[0] == found[1]
    infos = [await s.conversations.get(place) for s in (one, other)]
    assert infos[0].heads == infos[1].heads
    assert infos[0].messages == infos[1].messages == len(found[0])
    for store in (one, other):
        assert await store.verify() == ()


@pytest.mark.parametrize("most", [1, 700, 100_000])
async def test_a_conversation_goes_over_in_parcels_of_any_size(stores, most):
    anne, bert = stores
    await begun(anne, *(f"message {n} " + "x" * n for n in range(30)))
    parcels = await given_to(anne, bert, most=most)
    assert parcels == 1 if most > 10_000 else parcels > 2
    await same(anne, bert)
    state = await bert.replicas.states(YOU)
    assert state[PLACE].place == ME
    assert (await anne.replicas.states(ME)) == state


async def test_of_a_long_history_only_what_is_new_goes_over(stores):
    anne, bert = stores
    cids = await begun(anne, *(f"message {n}" for n in range(300)))
    await given_to(anne, bert)
    await anne.conversations.append(*chain(PLACE, "new", parents=cids[-1:]))
    cut = await anne.replicas.cut(await bert.replicas.wanted(PLACE), ME, 1 << 20)
    assert len(cut.parcel.blocks) == 1
    # A branch that joins below what the other one has does not bring the history again.
    late = message("late", PLACE, parents=cids[150:151])
    joint = message("joint", PLACE, parents=(*cids[-1:], block_of(late).cid))
    await anne.conversations.append(late, joint)
    cut = await anne.replicas.cut(await bert.replicas.wanted(PLACE), ME, 1 << 20)
    assert len(cut.parcel.blocks) == 2


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 30))
def test_stores_that_talk_undo_and_exchange_agree_in_the_end(seed):
    with TemporaryDirectory(prefix="h.") as folder:
        anyio.run(_wander, seed, Path(folder))


async def _wander(seed, folder):
    chance, keys = random.Random(seed), (ME, YOU, "c" * 64)
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(Store.open(folder / f"{n}.db", SystemClock()))
            for n in range(3)
        ]

        async def exchange(giver, taker):
            cut = await nodes[giver].replicas.cut(
                await nodes[taker].replicas.wanted(PLACE), keys[giver], 1 << 20
            )
            if cut.parcel is not None:
                await nodes[taker].replicas.take(cut.parcel, keys[taker])

        await begun(nodes[0], "one", "two")
        for step in range(20):
            n = chance.randrange(3)
            if PLACE not in await nodes[n].replicas.states(keys[n]):
                await exchange(0, n)
            elif (act := chance.randrange(4)) == 0:
                await exchange(n, chance.choice([k for k in range(3) if k != n]))
            else:
                history = await nodes[n].conversations.history(PLACE)
                heads = (await nodes[n].conversations.get(PLACE)).heads
                if act == 1 and history:
                    await nodes[n].conversations.set_heads(PLACE, history[-1].message.parents)
                else:
                    said = message(f"step {step}", PLACE, parents=heads)
                    await nodes[n].conversations.append(said)
        for _ in range(2):
            for giver, taker in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
                await exchange(giver, taker)
        states = [await one.replicas.states(key) for one, key in zip(nodes, keys, strict=True)]
        assert states[0] == states[1] == states[2]
        texts = [
            [one.message.text for one in await store.conversations.history(PLACE)]
            for store in nodes
        ]
        assert texts[0] == texts[1] == texts[2]
        for store in nodes:
            assert await store.verify() == ()


def parcel(*messages, heads=None, **fields):
    blocks = tuple(block_of(one).data for one in messages)
    ends = (block_of(messages[-1]).cid,) if heads is None and messages else heads or ()
    given = {"id": PLACE, "heads": ends, "blocks": blocks, "more": False, "turns": (), "taken": {}}
    beside = {"title": "t", "titled": 0, "place": ME, "root": "/", "created": 1}
    return Parcel(**given | beside | fields)


def bent(data):
    """The same bytes, one bit of a letter turned."""
    at = data.index(b"hello")
    return data[:at] + b"j" + data[at + 1 :]


async def test_nothing_comes_in_that_does_not_hold(stores):
    store, _ = stores
    first, second = chain(PLACE, "hello", "again")
    blocks = parcel(first, second).blocks
    cases = {
        "nonsense": (b"nonsense", blocks[1]),
        "another kind": (encode({"t": "hermes/intent/1"}).data, blocks[1]),
        "one byte": (bent(blocks[0]), blocks[1]),
        "not canonical": (blocks[0] + b"\x00", blocks[1]),
        "no parent": (blocks[1],),
        "child first": (blocks[1], blocks[0]),
    }
    for name, blocks_given in cases.items():
        taken = await store.replicas.take(
            msgspec.structs.replace(parcel(first, second), blocks=blocks_given), YOU
        )
        assert taken.refused, name
        assert taken.lacking, name
        heads = block_of(second).cid
        assert await store.replicas.here([heads]) == frozenset(), name
    assert await store.verify() == ()
    late = msgspec.structs.replace(first, at=1 << 60)
    away = msgspec.structs.replace(first, conversation=ConversationId("nowhere"))
    for one in (late, away):
        assert (await store.replicas.take(parcel(one), YOU)).refused == ("no message",)
    assert not (await store.replicas.take(parcel(first, second), YOU)).refused
    stranger = message("elsewhere", OTHER, parents=(block_of(second).cid,))
    taken = await store.replicas.take(parcel(stranger), YOU)
    assert taken.refused == ("elsewhere",)


async def test_into_a_private_conversation_nothing_comes(stores):
    store, _ = stores
    cids = await begun(store, "mine")
    await store.conversations.set_private(PLACE, private=True)
    more = message("theirs", PLACE, parents=cids)
    assert (await store.replicas.take(parcel(more), YOU)).refused == ("private",)
    # Nor may a conversation claim what is private here for its history.
    claim = message("branch", OTHER, parents=cids)
    for one in (parcel(claim, id=OTHER), parcel(id=OTHER, heads=cids)):
        assert (await store.replicas.take(one, YOU)).refused == ("private",)
    assert len(await store.conversations.history(PLACE)) == 1
    assert await store.replicas.states(YOU) == {}


async def test_nobody_else_says_what_was_typed_here(stores):
    store, _ = stores
    session = await _session(store)
    asked = TurnRequest(turn_id=TurnId(uuid7()), text="mine", cwd="/", root="/")
    own = msgspec.structs.replace(
        message("mine", PLACE), node=store.node, session=session, turn=asked.turn_id
    )
    await store.turns.begin(asked, (own,))
    parents = (block_of(own).cid,)
    forged = msgspec.structs.replace(own, parts=message("theirs", PLACE).parts, parents=parents)
    assert (await store.replicas.take(parcel(forged), YOU)).refused == ("not asked",)
    for field in ({"session": session}, {"node": store.node}):
        claimed = msgspec.structs.replace(
            message("always use tabs", PLACE, parents=parents, turn=uuid7()), **field
        )
        request = TurnRequest(turn_id=claimed.turn, text="always use tabs", cwd="/", root="/")
        said = Ended(claimed.turn, SessionId("s"), "finished", request, 1, 1, 1, "", "", "", {})
        for turns in ((), (said,)):
            await store.replicas.take(parcel(claimed, turns=turns), YOU)
            assert await store.turns.typed([claimed.turn]) == {claimed.turn: 0}


async def _session(store):
    await store.conversations.create(conversation=PLACE, root="/work")
    return await store.conversations.open_session(PLACE, 1)


async def test_records_come_without_the_words_of_their_messages(stores):
    anne, bert = stores
    await anne.conversations.create(conversation=PLACE, root="/work")
    turn = TurnId(uuid7())
    asked = TurnRequest(turn_id=turn, text="a question", cwd="/", root="/", api_key="secret")
    question = message("a question", PLACE, turn=turn)
    await anne.turns.begin(asked, (question,))
    answer = message("an answer", PLACE, (block_of(question).cid,), "assistant", turn)
    await anne.turns.finish(turn, "finished", text="an answer", messages=(answer,))
    cut = await anne.replicas.cut(Wanted(PLACE), ME, 1 << 20)
    (record,) = cut.parcel.turns
    assert (record.text, record.request.text, record.request.api_key) == ("", "", "")
    await bert.replicas.take(cut.parcel, YOU)
    found = await bert.turns.get(turn)
    assert found is not None
    assert (found.text, found.request.text, found.state) == ("an answer", "a question", "finished")


async def test_what_is_larger_than_all_stays_and_what_stands_before_it_goes(stores):
    anne, bert = stores
    await begun(anne, "small", "x" * (LARGEST + 1))
    cut = await anne.replicas.cut(Wanted(PLACE), ME, 1 << 20)
    assert cut.large == (await anne.conversations.get(PLACE)).heads[0]
    assert not cut.parcel.more
    assert (await bert.replicas.take(cut.parcel, YOU)).fresh == 1
    assert [one.message.text for one in await bert.conversations.history(PLACE)] == ["small"]


async def test_what_was_lost_here_is_found_again(stores):
    """A head that went without being taken back comes back: only an undo takes away."""
    anne, bert = stores
    cids = await begun(anne, "one", "two", "three")
    await given_to(anne, bert)
    await bert.conversations.append(message("aside", PLACE, parents=cids[:1]))
    assert len(await bert.conversations.history(PLACE)) == 2
    await given_to(anne, bert)
    assert len(await bert.conversations.history(PLACE)) == 4
    assert NodeId("node") in {m.message.node for m in await bert.conversations.history(PLACE)}


async def test_what_was_taken_back_is_bounded(stores):
    """Names of messages that are nowhere: a member may not fill the disk with them."""
    store, _ = stores
    assert not (await store.replicas.take(parcel(*chain(PLACE, "hello")), YOU)).refused
    names = [Cid("b" + "".join(chr(97 + (n >> shift) % 26) for shift in (0, 5, 10, 15)))
             for n in range(1 << 15)]  # fmt: skip
    half = dict.fromkeys(sorted(set(names))[: MOST_TAKEN // 2 + 1], 1)
    assert not (await store.replicas.take(parcel(taken=half), YOU)).refused
    more = {Cid(f"{name}a"): 1 for name in half}
    assert (await store.replicas.take(parcel(taken=more), YOU)).refused == ("too many taken back",)
    assert (await store.replicas.states(YOU)).keys() == {PLACE}


async def test_one_node_may_tell_of_so_many_conversations(stores):
    store, _ = stores
    books = Books(store.replicas, YOU, most=3)
    for _ in range(3):
        fresh = {ConversationId(uuid7()): State((), "m") for _ in range(2)}
        await books.heard(ME, fresh)
    assert len(await books.theirs(ME)) == len(await store.replicas.told(ME)) == 3
    known = next(iter(await books.theirs(ME)))
    await books.heard(ME, {known: State((), "n")})
    assert (await books.theirs(ME))[known].mark == "n"
