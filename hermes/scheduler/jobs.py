"""What a job is beyond its row in the ledger: the order, its details, and its line in a list.

A job is a task for an agent, or a command. Only a person orders a command (`hermes jobs add
--command`): the `Schedule` tool has no way to say one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from hermes.core.ids import ConversationId
from hermes.errors import Usage
from hermes.scheduler.phrases import parse_when
from hermes.scheduler.trigger import Trigger, next_after
from hermes.store.jobs import Job, JobId, Run

TASK_CHARS = 4_000
LINE_CHARS = 80

_UNWELL = ("failed", "missed", "skipped")


class Details(msgspec.Struct, frozen=True):
    """What the ledger keeps as the job's `spec`, as JSON.

    `command`: a shell command instead of a task for the agent. `private`: ordered in a
    private conversation, so that its turns are private as well.
    """

    trigger: Trigger
    zone: str
    command: str = ""
    private: bool = False


@dataclass(frozen=True)
class Order:
    """A job as it is asked for; `task` is empty for a command. Directories are absolute."""

    when: str
    task: str
    cwd: Path
    root: Path
    zone: ZoneInfo
    command: str = ""
    conversation: ConversationId | None = None
    private: bool = False


def make_job(order: Order, job_id: JobId, now_ms: int) -> Job:
    """Make the job to be kept; raises Usage. Reads a zone's file: call it from a thread."""
    task = order.command or order.task
    if bool(order.command) == bool(order.task) or not task.strip():
        raise Usage("a job has either a task or a command")
    if len(task) > TASK_CHARS:
        raise Usage(f"a task has at most {TASK_CHARS} characters", "put the text into a file")
    trigger = parse_when(order.when, now_ms, order.zone)
    details = Details(trigger, order.zone.key, order.command, order.private)
    return Job(
        id=job_id,
        when_text=one_line(order.when, LINE_CHARS),
        spec=msgspec.json.encode(details).decode(),
        task=task,
        cwd=str(order.cwd),
        root=str(order.root),
        conversation=order.conversation or ConversationId(""),
        next_due=next_after(trigger, now_ms),
    )


def details_of(job: Job) -> Details:
    """Read a job's details; raises Usage when the stored text is none."""
    try:
        details = msgspec.json.decode(job.spec, type=Details)
        ZoneInfo(details.zone)
    except (msgspec.DecodeError, ZoneInfoNotFoundError, ValueError) as error:
        raise Usage(
            f"job {job.id} cannot be read: {error}", f"hermes jobs cancel {job.id}"
        ) from error
    return details


def describe(job: Job, *runs: Run) -> str:
    """Show a job as one line; the newest run is named when it did not end well."""
    zone = ZoneInfo(details_of(job).zone)
    due = f"next {wall(job.next_due, zone)}" if job.next_due is not None else job.state
    line = f"{job.id} {job.when_text} | {due} | {one_line(job.task, LINE_CHARS)}"
    if job.state == "paused":
        line += " | paused"
    for last in (run for run in runs[:1] if run.state in _UNWELL):
        line += f" | last {last.state} {wall(last.scheduled_for, zone)}"
    return line


def wall(ms: int, zone: ZoneInfo) -> str:
    """Show an instant on a zone's wall clock, to the minute."""
    return f"{datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(zone):%Y-%m-%d %H:%M}"


def one_line(text: str, limit: int) -> str:
    """Show text in one printable line, cut visibly."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
