import anyio
import msgspec
import pytest

from hermes.errors import Usage
from hermes.scheduler.runner import MOST_JOBS

MINUTE = 60
HOUR = 3600


async def states(world, job="1", limit=500):
    return [(run.scheduled_for, run.state) for run in await world.store.jobs.runs(job, limit)]


async def settled(world, scheduler):
    """A later job's run shows that every earlier look at the ledger is over."""
    await scheduler.add(world.order("in 1 minute", "probe"))
    world.timer.advance(MINUTE)
    await world.reported(1)


async def test_a_job_runs_once_at_its_time_and_is_done(world):
    start = world.timer.now
    async with world.scheduler() as scheduler:
        job = await scheduler.add(world.order("in 10 minutes"))
        assert job.id == "1"
        world.timer.advance(10 * MINUTE)
        assert await world.reported(1) == [("1", start + 600_000, "done", "did tidy")]
    assert world.executed == [("tidy", start + 600_000)]
    assert (await world.store.jobs.get("1")).state == "done"
    run = (await world.store.jobs.runs("1"))[0]
    assert (run.state, run.result, run.finished) == ("done", "did tidy", start + 600_000)


async def test_nothing_runs_early(world):
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("in 10 minutes", "late"))
        await scheduler.add(world.order("in 5 minutes", "early"))
        world.timer.advance(10 * MINUTE - 0.001)
        await world.reported(1)
        world.timer.advance(0.001)
        await world.reported(1)
    assert [task for task, _ in world.executed] == ["early", "late"]


async def test_an_interval_goes_on(world):
    start = world.timer.now
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("every 10 minutes"))
        for _ in range(3):
            world.timer.advance(10 * MINUTE)
            await world.reported(1)
    assert [at - start for _, at in world.executed] == [600_000, 1_200_000, 1_800_000]
    assert (await world.store.jobs.get("1")).next_due == start + 2_400_000


async def test_slots_that_passed_without_an_owner_are_missed_and_the_newest_runs(world):
    start = world.timer.now
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("every 30 minutes"))
    world.timer.advance(2 * HOUR + 10 * MINUTE)
    async with world.scheduler():
        reports = await world.reported(4)
    assert [(slot - start, state) for _, slot, state, _ in reports] == [
        (1_800_000, "missed"),
        (3_600_000, "missed"),
        (5_400_000, "missed"),
        (7_200_000, "done"),
    ]
    assert len(await states(world)) == 4


async def test_beyond_the_grace_everything_is_missed_and_nothing_runs(world):
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("at 11"))
    world.timer.advance(2 * HOUR + 1)
    async with world.scheduler() as scheduler:
        reports = await world.reported(1)
        await settled(world, scheduler)
    assert [state for _, _, state, _ in reports] == ["missed"]
    assert [task for task, _ in world.executed] == ["probe"]
    assert (await world.store.jobs.get("1")).state == "done"


async def test_many_missed_slots_share_a_record(world):
    start = world.timer.now
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("every 10 minutes"))
    world.timer.advance(100 * HOUR)
    async with world.scheduler():
        reports = await world.reported(101)
    first = reports[0]
    assert first[1:3] == (start + 600_000, "missed")
    assert "the 499 due times after it" in first[3]
    assert reports[-1][2] == "done"
    assert sorted(await states(world)) == sorted((slot, state) for _, slot, state, _ in reports)


async def test_a_run_that_was_interrupted_is_failed_and_not_repeated(world):
    start = world.timer.now
    world.gates["tidy"] = anyio.Event()
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("every 10 minutes"))
        world.timer.advance(10 * MINUTE)
        await world.started()
    assert [state for _, _, state, _ in await world.reported(1)] == ["failed"]
    assert await states(world) == [(start + 600_000, "failed")]
    async with world.scheduler():
        pass
    assert len(world.executed) == 1


async def test_claims_of_a_killed_owner_are_failed_at_the_next_start(world):
    async with world.scheduler() as scheduler:
        job = await scheduler.add(world.order("every 10 minutes"))
    # What a kill between claim and outcome leaves: a claim, and the job still due.
    await world.store.jobs.claim(job.id, job.next_due)
    world.timer.advance(11 * MINUTE)
    async with world.scheduler():
        assert [r[2] for r in await world.reported(1)] == ["failed"]
        world.timer.advance(10 * MINUTE)
        assert [r[2] for r in await world.reported(1)] == ["done"]
    assert len(world.executed) == 1
    assert [state for _, state in await states(world)] == ["done", "failed"]


async def test_a_clock_set_back_does_not_run_again(world):
    start = world.timer.now
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("every 10 minutes"))
        world.timer.advance(10 * MINUTE)
        await world.reported(1)
    world.timer.set(start)
    # A ledger that lost the new due time meets the same slot again.
    await world.store.jobs.set_next("1", start + 600_000)
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("in 10 minutes", "other"))
        world.timer.advance(10 * MINUTE)
        await world.reported(1)
    assert [task for task, _ in world.executed] == ["tidy", "other"]


async def test_a_clock_that_jumps_ahead_is_noticed(world):
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("tomorrow at 9"))
        world.timer.advance(23 * HOUR)
        assert [r[2] for r in await world.reported(1)] == ["done"]


async def test_a_run_past_its_limit_is_failed(world):
    world.gates["tidy"] = anyio.Event()
    async with world.scheduler(run_s=60) as scheduler:
        await scheduler.add(world.order("in 1 minute"))
        world.timer.advance(MINUTE)
        await world.started()
        world.timer.advance(MINUTE)
        ((_, _, state, text),) = await world.reported(1)
    assert (state, text) == ("failed", "not done within 60 s")
    assert world.active == 0


async def test_a_slot_that_meets_the_run_before_it_is_skipped(world):
    world.gates["tidy"] = anyio.Event()
    async with world.scheduler(run_s=HOUR) as scheduler:
        await scheduler.add(world.order("every 10 minutes"))
        world.timer.advance(10 * MINUTE)
        await world.started()
        world.timer.advance(10 * MINUTE)
        assert [r[2] for r in await world.reported(1)] == ["skipped"]
        world.gates["tidy"].set()
        assert [r[2] for r in await world.reported(1)] == ["done"]


async def test_no_more_run_together_than_allowed(world):
    world.gates = {"a": anyio.Event(), "b": anyio.Event()}
    async with world.scheduler(parallel=1, run_s=10 * HOUR) as scheduler:
        await scheduler.add(world.order("every 10 minutes", "a"))
        await scheduler.add(world.order("every 10 minutes", "b"))
        world.timer.advance(10 * MINUTE)
        first = await world.started()
        world.timer.advance(10 * MINUTE)
        # Both are taken: their next slots are skipped, while one of them waits for its place.
        assert [r[2] for r in await world.reported(2)] == ["skipped", "skipped"]
        assert world.executed == [(first, world.timer.now - 600_000)]
        second = "b" if first == "a" else "a"
        world.gates[first].set()
        assert await world.started() == second
        world.gates[second].set()
        assert [r[2] for r in await world.reported(2)] == ["done", "done"]


async def test_a_bug_in_one_run_is_recorded_and_stops_nothing(world):
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("in 1 minute", "explode"))
        await scheduler.add(world.order("in 1 minute", "fine"))
        world.timer.advance(MINUTE)
        reports = await world.reported(2)
    assert {(job, state) for job, _, state, _ in reports} == {("1", "failed"), ("2", "done")}
    assert "ZeroDivisionError: boom" in {r[0]: r[3] for r in reports}["1"]
    assert [type(error) for error in world.errors] == [ZeroDivisionError]
    world.errors.clear()


async def test_cancelling_ends_the_run_and_the_job(world):
    world.gates["tidy"] = anyio.Event()
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("every 10 minutes"))
        world.timer.advance(10 * MINUTE)
        await world.started()
        await scheduler.cancel("1")
        ((_, _, state, text),) = await world.reported(1)
        assert (state, text) == ("failed", "the job was cancelled")
        assert await scheduler.lines(10) == (0, ())
        with pytest.raises(Usage):
            await scheduler.cancel("99")


async def test_a_long_result_is_cut_visibly(world):
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("in 1 minute", "x" * 3000))
        world.timer.advance(MINUTE)
        ((_, _, state, text),) = await world.reported(1)
    assert state == "done"
    assert text.endswith("\n[cut]")
    assert len(text) < 2100


async def test_a_job_that_cannot_be_read_is_failed_once_and_rests(world):
    async with world.scheduler() as scheduler:
        job = await scheduler.add(world.order("in 1 minute"))
    broken = msgspec.structs.replace(job, id="2", spec='{"trigger": 1}')
    await world.store.jobs.add(broken)
    world.timer.advance(MINUTE)
    async with world.scheduler() as scheduler:
        reports = await world.reported(2)
        await settled(world, scheduler)
    assert {(r[0], r[2]) for r in reports} == {("1", "done"), ("2", "failed")}
    assert (await world.store.jobs.get("2")).state == "done"


async def test_jobs_are_bounded_and_numbers_are_not_used_again(world):
    async with world.scheduler() as scheduler:
        for _ in range(MOST_JOBS):
            job = await scheduler.add(world.order("every 10 minutes"))
        with pytest.raises(Usage, match="jobs already"):
            await scheduler.add(world.order("every 10 minutes"))
        await scheduler.cancel(job.id)
        assert (await scheduler.add(world.order("every hour"))).id == str(MOST_JOBS + 1)


async def test_jobs_added_together_get_numbers_of_their_own(world):
    ids = []

    async def add():
        ids.append((await scheduler.add(world.order("every hour"))).id)

    async with world.scheduler() as scheduler, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(add)
    assert sorted(ids, key=int) == [str(n) for n in range(1, 11)]
