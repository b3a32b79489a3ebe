"""Rounds of real workers in one process: they agree to the byte, whoever lags, returns or lies."""

import anyio
import pytest

from hermes.errors import SyncRefused, SyncStalled

pytest.importorskip("numpy")
from tests.training.sync_worker import LIMIT, SIZE, Line, rounds_of
from training.sync.directory import Directory
from training.sync.hub import Hub
from training.sync.outer import Outer
from training.sync.round import Worker
from training.sync.sockets import Sockets
from training.sync.state import pack_state

NAMES = ("w0", "w1", "w2")


def worker(name, transport, dials, **how):
    return Worker(name, Line(int(name[1:]), **how), transport, dials)


async def together(workers):
    """Run them all; the reports by name."""
    reports = {}

    async def one(it):
        reports[it.name] = await it.run()

    with anyio.fail_after(40):
        async with anyio.create_task_group() as tasks:
            for it in workers:
                tasks.start_soon(one, it)
    return reports


def digests(reports):
    return {report.digest for report in reports.values()}


async def test_workers_agree_and_learn(tmp_path):
    made = {name: Line(int(name[1:])) for name in NAMES}
    dials = rounds_of(5, 3, 20)
    ways = [Worker(name, made[name], Directory(tmp_path, LIMIT), dials) for name in NAMES]
    reports = await together(ways)
    assert len(digests(reports)) == 1
    assert {report.contributed for report in reports.values()} == {5}
    assert len({line.weights.tobytes() for line in made.values()}) == 1
    assert made["w0"].error < 0.3


async def test_the_transport_makes_no_difference(tmp_path):
    found = set()
    tokens = {name: f"token-{name}" for name in NAMES}
    for kind in ("directory", "tcp", "unix"):
        rounds = Directory(tmp_path / kind, LIMIT)
        address = tmp_path / "hub.sock" if kind == "unix" else ("127.0.0.1", 0)
        async with Hub(rounds, tokens, address) as hub:
            ways = {name: Sockets(hub.address, name, tokens[name]) for name in NAMES}
            if kind == "directory":
                ways = dict.fromkeys(NAMES, rounds)
            first = worker("w0", ways["w0"], rounds_of(2, 3, 20))
            # The first state is whose came first: here always the same worker's.
            await ways["w0"].publish(0, "state", _state_of(first))
            others = [worker(name, ways[name], rounds_of(2, 3, 20)) for name in NAMES[1:]]
            found |= digests(await together([first, *others]))
    assert len(found) == 1


def _state_of(it):
    return pack_state(it._first)


async def test_garbage_is_refused_and_named(tmp_path):
    for attempt in range(5):  # a liar whose round was over before it spoke is heard by nobody
        reports = await _beside_a_liar(tmp_path / str(attempt))
        if all(report.refused for report in reports.values()):
            break
    assert len(digests(reports)) == 1
    for report in reports.values():
        assert report.contributed == 3
        assert list(report.refused) == ["liar"]
        assert "no contribution" in report.refused["liar"][0]


async def _beside_a_liar(folder):
    folder.mkdir()
    rounds = Directory(folder, LIMIT)

    async def lie():
        for number in range(3):
            look = await rounds.look(number)
            while not look.here:
                look = await rounds.look(number, look, 10)
            await rounds.publish(number, "delta.liar", b"\x80\x04garbage" * 12)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lie)
        return await together([worker(n, rounds, rounds_of(3, 3, 20)) for n in NAMES])


async def test_rounds_go_on_without_one_that_lags(tmp_path):
    rounds = Directory(tmp_path, LIMIT)
    slow = worker("w2", rounds, rounds_of(4, 3, 0.3), slow=0.5)
    quick = [worker(name, rounds, rounds_of(4, 3, 0.3)) for name in NAMES[:2]]
    reports = await together([slow, *quick])
    assert len(digests(reports)) == 1
    assert reports["w0"].contributed == reports["w1"].contributed == 4
    assert reports["w2"].contributed < 4


async def test_a_slow_one_sends_what_it_has(tmp_path):
    rounds = Directory(tmp_path, LIMIT)
    slow = worker("w1", rounds, rounds_of(3, 2, 20), slow=0.02, steps=1000, seconds=0.1)
    reports = await together([slow, worker("w0", rounds, rounds_of(3, 2, 20))])
    assert reports["w1"].contributed == 3


@pytest.mark.parametrize("count", [3, 8])
async def test_who_comes_later_has_the_same_weights(tmp_path, count):
    rounds = Directory(tmp_path, LIMIT)
    # 3 rounds: all states are there. 8: the first are forgotten.
    dials = rounds_of(count, 2, 20, state_every=2)
    first = await together([worker(name, rounds, dials) for name in NAMES[:2]])
    later = await together([worker("w2", rounds, dials)])
    assert digests(first) == digests(later)
    assert later["w2"].contributed == 0


async def test_who_comes_later_replays_what_no_state_holds(tmp_path):
    rounds = Directory(tmp_path, LIMIT)
    dials = rounds_of(3, 2, 20, state_every=100)
    first = await together([worker(name, rounds, dials) for name in NAMES[:2]])
    (tmp_path / "00000003" / "state").unlink()
    later = await together([worker("w2", rounds, dials)])
    assert digests(first) == digests(later)
    assert later["w2"].replayed == 3


class Forged(Directory):
    """Gives its worker another's message in one round."""

    async def fetch(self, round_number, name, limit):
        if (round_number, name) == (1, "delta.w1") and not self.told:
            self.told, name = True, "delta.w0"
        return await super().fetch(round_number, name, limit)

    told = False


@pytest.mark.parametrize("state_every", [2, 100])
async def test_who_has_other_weights_than_most_begins_again(tmp_path, state_every):
    dials = rounds_of(4, 3, 20, state_every=state_every)
    forged = Forged(tmp_path, LIMIT)
    ways = dict.fromkeys(NAMES, Directory(tmp_path, LIMIT)) | {"w2": forged}
    reports = await together([worker(name, ways[name], dials) for name in NAMES])
    assert forged.told
    assert len(digests(reports)) == 1
    assert "other weights" in reports["w0"].refused["w2"][0]
    # From a state that the others have left by then, or from the newest, with a round missed.
    again = reports["w2"]
    assert again.replayed or again.contributed < reports["w0"].contributed


async def test_another_runs_place_is_refused(tmp_path):
    rounds = Directory(tmp_path, LIMIT)
    await together([worker("w0", rounds, rounds_of(1, 1, 5))])
    others = (
        worker("w1", rounds, rounds_of(3, 1, 5), size=SIZE - 1),
        worker("w2", rounds, rounds_of(3, 1, 5, outer=Outer())),
    )
    for other in others:
        with pytest.raises(SyncRefused, match=r"other terms|does not fit this model"):
            await other.run()


async def test_too_few_for_too_long(tmp_path):
    dials = rounds_of(1, 3, 0.1, give_up_s=0.3)
    with pytest.raises(SyncStalled, match="1 of 2 delivered"):
        await worker("w0", Directory(tmp_path, LIMIT), dials).run()


async def test_a_run_can_be_stopped_in_mid_round(tmp_path):
    it = worker("w0", Directory(tmp_path, LIMIT), rounds_of(1, 1, 5), slow=0.05, steps=10_000)
    with anyio.fail_after(10), anyio.move_on_after(0.3) as scope:
        await it.run()
    assert scope.cancelled_caught
