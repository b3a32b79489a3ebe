"""The ledger of jobs: what is to be done when, and what became of each time it was due."""

from typing import Literal, NewType

import msgspec

from hermes.core.clock import Clock
from hermes.core.ids import ConversationId, uuid7
from hermes.errors import Usage
from hermes.store.database import Database
from hermes.store.statement import SqlValue, Statement, Unmet

JobId = NewType("JobId", str)
RunId = NewType("RunId", str)
JobState = Literal["active", "paused", "cancelled", "done"]
RunState = Literal["claimed", "running", "done", "failed", "missed", "skipped"]

_UNFINISHED = ("claimed", "running")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do at times.

    `when_text` is what the person wrote, `spec` the same as JSON; `next_due` in ms.
    """

    id: JobId
    when_text: str
    spec: str
    task: str
    cwd: str
    root: str
    conversation: ConversationId = ConversationId("")
    created: int = 0
    next_due: int | None = None
    state: JobState = "active"


class Run(msgspec.Struct, frozen=True):
    """One time that a job was due."""

    id: RunId
    job: JobId
    scheduled_for: int
    state: RunState
    started: int | None
    finished: int | None
    result: str


_JOB_COLUMNS = ", ".join(Job.__struct_fields__)
_RUN_COLUMNS = ", ".join(Run.__struct_fields__)
_ADD = f"INSERT INTO jobs ({_JOB_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_CLAIM = (
    "INSERT INTO runs (id, job, scheduled_for, state, started) VALUES (?, ?, ?, 'claimed', ?)"
    " ON CONFLICT (job, scheduled_for) DO NOTHING"
)


class JobLedger:
    """Jobs and their runs on this node."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, job: Job) -> Job:
        """Keep a job; fills `created`. Returns it as stored."""
        kept = msgspec.structs.replace(job, created=self._clock.now_ms())
        await self._database.write(Statement(_ADD, msgspec.structs.astuple(kept)))
        return kept

    async def get(self, job: JobId) -> Job:
        """One job; raises Usage when there is none."""
        found = await self._jobs("WHERE id = ?", (job,))
        if not found:
            raise _unknown(job)
        return found[0]

    async def list(self, *, ended: bool = False) -> tuple[Job, ...]:
        """Active and paused jobs, or all, oldest first."""
        rest = "" if ended else "WHERE state IN ('active', 'paused')"
        return await self._jobs(f"{rest} ORDER BY created, rowid")

    async def cancel(self, job: JobId) -> None:
        """End a job for good; its runs stay. Raises Usage when there is none."""
        await self.set_state(job, "cancelled")

    async def pause(self, job: JobId, *, paused: bool = True) -> None:
        """Hold a job back, or let it go on. Raises Usage when there is none."""
        await self.set_state(job, "paused" if paused else "active")

    async def set_state(self, job: JobId, state: JobState) -> None:
        """Change a job's state. Raises Usage when there is none."""
        await self._change("UPDATE jobs SET state = ? WHERE id = ?", (state, job))

    async def set_next(self, job: JobId, next_due: int | None) -> None:
        """Say when a job is due next; None: never again, it is done. Raises Usage."""
        sql = """UPDATE jobs SET next_due = ?1,
            state = CASE WHEN ?1 IS NULL AND state = 'active' THEN 'done' ELSE state END
            WHERE id = ?2"""
        await self._change(sql, (next_due, job))

    async def due(self, now: int) -> tuple[Job, ...]:
        """Active jobs whose time has come, the longest overdue first."""
        return await self._jobs(
            "WHERE state = 'active' AND next_due <= ? ORDER BY next_due, rowid", (now,)
        )

    async def claim(self, job: JobId, scheduled_for: int) -> RunId | None:
        """Take one due time for oneself; None when it was taken before."""
        run = RunId(uuid7())
        values = (run, job, scheduled_for, self._clock.now_ms())
        try:
            await self._database.write(Statement(_CLAIM, values, expect=1))
        except Unmet:
            return None
        return run

    async def run_state(self, run: RunId, state: RunState, result: str = "") -> None:
        """Record how a run goes. Raises Usage when there is none."""
        finished = None if state in _UNFINISHED else self._clock.now_ms()
        sql = "UPDATE runs SET state = ?, result = ?, finished = ? WHERE id = ?"
        await self._change(sql, (state, result, finished, run))

    async def runs(self, job: JobId, limit: int = 20) -> tuple[Run, ...]:
        """A job's runs, newest first."""
        return await self._runs("WHERE job = ? ORDER BY scheduled_for DESC LIMIT ?", (job, limit))

    async def unfinished_runs(self) -> tuple[Run, ...]:
        """Runs that were claimed or running when the store was last written."""
        return await self._runs("WHERE state IN (?, ?) ORDER BY scheduled_for", _UNFINISHED)

    async def _jobs(self, rest: str, parameters: tuple[SqlValue, ...] = ()) -> tuple[Job, ...]:
        sql = f"SELECT {_JOB_COLUMNS} FROM jobs {rest}"  # noqa: S608 - constants
        rows = await self._database.read(sql, parameters)
        names = Job.__struct_fields__
        return tuple(Job(**dict(zip(names, row, strict=True))) for row in rows)

    async def _runs(self, rest: str, parameters: tuple[SqlValue, ...]) -> tuple[Run, ...]:
        sql = f"SELECT {_RUN_COLUMNS} FROM runs {rest}"  # noqa: S608 - constants
        return tuple(Run(*row) for row in await self._database.read(sql, parameters))

    async def _change(self, sql: str, parameters: tuple[SqlValue, ...]) -> None:
        try:
            await self._database.write(Statement(sql, parameters, expect=1))
        except Unmet as error:
            raise _unknown(str(parameters[-1])) from error


def _unknown(identity: str) -> Usage:
    return Usage(f"no job or run {identity}", "see `hermes jobs list`")
