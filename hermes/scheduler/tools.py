"""The tools `Schedule` and `Jobs`: defined here, where the ledger is, and registered by `node`."""

from zoneinfo import ZoneInfo

import msgspec

from hermes.core.tool import Outcome, Subject, Tool, ToolContext
from hermes.errors import ToolFailure, Usage
from hermes.scheduler.jobs import Order
from hermes.scheduler.runner import Scheduler

_SHOWN = 50


class ScheduleArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When, in words or as cron; what, as it would be said to the agent then."""

    when: str
    task: str


class JobsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing."""


def scheduler_tools(scheduler: Scheduler, zone: ZoneInfo) -> tuple[Tool, ...]:
    """Make both tools; wall-clock times in `when` are those of `zone`."""

    async def schedule(context: ToolContext, arguments: ScheduleArguments) -> Outcome:
        order = Order(
            when=arguments.when,
            task=arguments.task,
            cwd=context.place.cwd,
            root=context.place.root,
            zone=zone,
            conversation=context.conversation,
            private=context.private,
        )
        try:
            job = await scheduler.add(order)
        except Usage as error:
            raise ToolFailure(error.message, error.remedy) from error
        return Outcome(f"job {job.id}")

    async def jobs(_context: ToolContext, _arguments: JobsArguments) -> Outcome:
        count, lines = await scheduler.lines(_SHOWN)
        if not count:
            return Outcome("no jobs")
        head = (f"[{count} jobs]",) if count > len(lines) else ()
        return Outcome("\n".join((*head, *lines)), truncated=bool(head))

    return (
        Tool(
            name="Schedule",
            description="Do a task later or repeatedly: `when` such as `every day at 9`.",
            arguments=ScheduleArguments,
            effect="write",
            subject=lambda arguments: Subject("text", f"{arguments.when}: {arguments.task}"),
            run=schedule,
            core=False,
        ),
        Tool(
            name="Jobs",
            description="List the scheduled jobs.",
            arguments=JobsArguments,
            effect="read",
            subject=lambda _arguments: Subject("text", "jobs"),
            run=jobs,
            core=False,
        ),
    )
