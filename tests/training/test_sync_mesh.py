"""Workers that meet nowhere: real endpoints, messages that get lost, workers that go and return."""

import itertools

import anyio
import pytest

pytest.importorskip("numpy")
from mesh_hall import Roster
from sync_worker import Line, rounds_of

from hermes.errors import SyncRefused, SyncUnreachable
from training.sync.round import Worker
from training.sync.transport import Look


@pytest.fixture
def roster(tmp_path):
    return Roster(tmp_path)


async def until(transport, number, wanted):
    """Wait until a look shows what is wanted."""
    look = await transport.look(number)
    with anyio.fail_after(20):
        while not wanted(look):
            look = await transport.look(number, look, 20)
    return look


async def test_what_one_delivers_the_others_hold(roster):
    async with roster.all() as (one, two, three):
        assert await one.publish(0, "here.w0", b"")
        assert await one.publish(0, "delta.w0", b"first")
        assert not await one.publish(0, "delta.w0", b"second")
        for other in (two, three):
            assert await until(other, 0, lambda it: it.delivered) == Look(("w0",), ("w0",))
            assert await other.fetch(0, "delta.w0", 1_000) == b"first"
        assert await two.settle(0, ("w0",)) == ("w0",)
        for each in (one, two, three):
            assert (await until(each, 0, lambda it: it.settled is not None)).settled == ("w0",)
        assert not await three.publish(0, "delta.w2", b"late")


async def test_all_propose_and_one_proposal_counts(roster):
    found = []

    async def propose(transport, names):
        found.append(await transport.settle(0, names))

    async with roster.all() as workers:
        for at, worker in enumerate(workers):
            await worker.publish(0, f"delta.w{at}", b"%d" % at)
        for worker in workers:
            await until(worker, 0, lambda it: len(it.delivered) == 3)
        names = [("w0",), ("w0", "w1"), ("w1", "w2")]
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for worker, one in zip(workers, names, strict=True):
                    tasks.start_soon(propose, worker, one)
    assert len(found) == 3
    assert len(set(found)) == 1
    assert found[0] in names


async def test_one_first_state_is_everybodys(roster):
    async with roster.all() as workers:
        won = []

        async def begin(at, worker):
            won.append(await worker.publish(0, "state", b"state of %d" % at))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for at, worker in enumerate(workers):
                    tasks.start_soon(begin, at, worker)
        assert sorted(won) == [False, False, True]
        found = {await worker.fetch(0, "state", 1_000) for worker in workers}
        assert len(found) == 1
        assert [await worker.states() for worker in workers] == [(0,)] * 3


async def test_without_most_of_the_roster_nothing_is_decided(roster):
    async with roster.worker("w0", patience_s=1) as alone:
        await alone.publish(0, "delta.w0", b"x")
        with pytest.raises(SyncUnreachable, match="most of the roster"):
            await alone.settle(0, ("w0",))
        async with roster.worker("w1"), roster.worker("w2"):
            assert await alone.settle(0, ("w0",)) == ("w0",)


async def test_what_was_decided_outlives_its_proposer(roster):
    async with roster.worker("w1") as two, roster.worker("w2") as three:
        async with roster.worker("w0") as one:
            await one.publish(0, "delta.w0", b"work")
            assert await one.settle(0, ("w0",)) == ("w0",)
        for worker in (two, three):  # w0 and its endpoint are gone
            await until(worker, 0, lambda it: it.settled is not None)
            assert await worker.fetch(0, "delta.w0", 1_000) == b"work"


async def test_a_voter_that_comes_back_remembers(roster):
    async with roster.worker("w0") as one, roster.worker("w1"):
        await one.publish(0, "delta.w0", b"work")
        assert await one.settle(0, ("w0",)) == ("w0",)
    async with roster.worker("w1"), roster.worker("w2") as three:
        await three.publish(0, "delta.w2", b"other")
        await until(three, 0, lambda it: "w2" in it.delivered)
        assert await three.settle(0, ("w2",)) == ("w0",)  # though w1 may know its vote only
        assert await three.fetch(0, "delta.w0", 1_000) == b"work"


@pytest.mark.parametrize(
    ("number", "name", "size"),
    [
        (0, "../evil", 1),
        (0, "delta.W!", 1),
        (0, "delta.w1", 1),
        (0, "settled", 1),
        (0, "delta.w0", 1_001),
        (9, "delta.w0", 1),
        (-1, "delta.w0", 1),
        (10**9, "state", 1),
    ],
)
async def test_what_cannot_be_published(roster, number, name, size):
    async with roster.worker("w0") as one:
        with pytest.raises(SyncRefused):
            await one.publish(number, name, bytes(size))


async def test_nobody_counts_who_delivered_nothing(roster):
    async with roster.worker("w0") as one:
        for names in ((), ("w2",), ("../x",)):
            with pytest.raises(SyncRefused):
                await one.settle(0, names)
        with pytest.raises(SyncRefused, match="there is no"):
            await one.fetch(0, "delta.w2", 100)


async def test_more_than_asked_for_is_not_fetched(roster):
    async with roster.all() as (one, two, _):
        await one.publish(0, "delta.w0", bytes(900))
        await until(two, 0, lambda it: it.delivered)
        with pytest.raises(SyncRefused, match="at most 100"):
            await two.fetch(0, "delta.w0", 100)


async def test_garbage_from_the_roster_changes_nothing(roster):
    async with roster.all() as (one, two, _):
        for data in (b"", b"\xff", b'{"type":"tell","here":[[0,"nobody"],[99,"w1"]]}'):
            roster.hall.pass_on("w2", "w1", data)
        await one.publish(0, "here.w0", b"")
        assert (await until(two, 0, lambda it: it.here)).here == ("w0",)
        assert (await two.look(99)) == Look()


async def test_old_rounds_are_forgotten_with_their_blobs(roster, tmp_path):
    async with roster.all() as workers:
        one = workers[0]
        for number in range(6):
            await one.publish(number, "state", b"s%d" % number)
            await one.publish(number, "delta.w0", b"d")
            await one.settle(number, ("w0",))
        for worker in workers:
            await until(worker, 2, lambda it: it.settled == ())
            assert await worker.states() == (3, 4, 5)
            assert await worker.look(2) == Look(settled=())
            assert not await worker.publish(2, "state", b"late")
            assert await worker.settle(2, ("w0",)) == ()
            with pytest.raises(SyncRefused):
                await worker.fetch(2, "delta.w0", 100)
    kept = [len(list((tmp_path / name / "blobs" / "own").iterdir())) for name in roster.names]
    assert max(kept) <= 2 * 2 * 3  # manifest and chunk, of a delta and a state, of three rounds


def lossy():
    """Every third message gets lost."""
    count = itertools.count()
    return lambda _sender, _to: next(count) % 3 == 0


@pytest.mark.slow
@pytest.mark.parametrize("lost", [lambda: lambda _s, _t: False, lossy])
async def test_a_run_ends_with_the_same_weights(roster, lost):
    roster.hall.lost = lost()
    reports = {}

    async def work(name, transport):
        line = Line(int(name[1:]), slow=0.002)
        reports[name] = await Worker(name, line, transport, rounds_of(6, 3, 15)).run()

    async def one(name):
        async with roster.worker(name, limit=1 << 20, silence_s=5) as transport:
            await work(name, transport)

    with anyio.fail_after(50):
        async with anyio.create_task_group() as tasks:
            for name in roster.names:
                tasks.start_soon(one, name)
    assert len({report.digest for report in reports.values()}) == 1
    assert {report.contributed for report in reports.values()} == {6}
