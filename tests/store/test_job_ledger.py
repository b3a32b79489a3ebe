import anyio
import pytest

from hermes.core.ids import uuid7
from hermes.errors import Usage
from hermes.store.jobs import Job, JobId


def job(next_due: int | None = 100) -> Job:
    return Job(
        id=JobId(uuid7()), when_text="every hour", spec="{}", task="look", cwd="/", root="/",
        next_due=next_due,
    )  # fmt: skip


async def test_a_job_comes_back_as_it_was_kept(store):
    kept = await store.jobs.add(job())

    assert kept.created > 0
    assert await store.jobs.get(kept.id) == kept
    assert await store.jobs.list() == (kept,)
    with pytest.raises(Usage):
        await store.jobs.get(JobId("none"))
    with pytest.raises(Usage):
        await store.jobs.cancel(JobId("none"))


async def test_only_active_jobs_are_due_the_longest_overdue_first(store):
    late, later, future = [await store.jobs.add(job(due)) for due in (50, 20, 200)]
    paused = await store.jobs.add(job(10))
    await store.jobs.pause(paused.id)

    assert [j.id for j in await store.jobs.due(100)] == [later.id, late.id]
    await store.jobs.pause(paused.id, paused=False)
    await store.jobs.cancel(late.id)
    assert [j.id for j in await store.jobs.due(100)] == [paused.id, later.id]
    assert late.id not in [j.id for j in await store.jobs.list()]
    assert len(await store.jobs.list(ended=True)) == 4
    assert [j.id for j in await store.jobs.due(200)][-1] == future.id


async def test_a_job_without_a_next_time_is_done(store):
    kept = await store.jobs.add(job())
    await store.jobs.set_next(kept.id, 500)
    assert (await store.jobs.get(kept.id)).next_due == 500
    await store.jobs.set_next(kept.id, None)
    assert (await store.jobs.get(kept.id)).state == "done"


async def test_one_due_time_is_claimed_once(store):
    kept = await store.jobs.add(job())
    claims = []

    async def claim() -> None:
        claims.append(await store.jobs.claim(kept.id, 100))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(claim)

    (run,) = [claim for claim in claims if claim is not None]
    assert await store.jobs.claim(kept.id, 200) is not None
    newest, oldest = await store.jobs.runs(kept.id)
    assert (newest.scheduled_for, oldest.scheduled_for, oldest.id) == (200, 100, run)


async def test_runs_go_through_their_states(store):
    kept = await store.jobs.add(job())
    run = await store.jobs.claim(kept.id, 100)
    assert run is not None
    await store.jobs.run_state(run, "running")
    (running,) = await store.jobs.unfinished_runs()
    assert (running.state, running.finished) == ("running", None)

    await store.jobs.run_state(run, "done", "all well")

    (done,) = await store.jobs.runs(kept.id)
    assert (done.state, done.result) == ("done", "all well")
    assert done.finished is not None
    assert await store.jobs.unfinished_runs() == ()
