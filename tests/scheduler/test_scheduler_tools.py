from zoneinfo import ZoneInfo

import msgspec
import pytest

from hermes.core.ids import CallId, ConversationId, SessionId, TurnId
from hermes.core.tool import FileStates, Place, ToolContext
from hermes.errors import ToolFailure, Usage
from hermes.scheduler.jobs import details_of
from hermes.scheduler.tools import JobsArguments, ScheduleArguments, scheduler_tools
from hermes.scheduler.zones import local_zone, zone_named

BERLIN = ZoneInfo("Europe/Berlin")


def context(world, *, private=False) -> ToolContext:
    return ToolContext(
        ConversationId("c1"),
        SessionId("s"),
        TurnId("t"),
        CallId("k"),
        Place(world.root, world.root),
        FileStates(),
        private,
    )


async def test_scheduling_and_listing(world):
    async with world.scheduler() as scheduler:
        schedule, jobs = scheduler_tools(scheduler, BERLIN)
        assert schedule.run
        assert jobs.run
        assert (schedule.effect, jobs.effect) == ("write", "read")
        assert (await jobs.run(context(world), JobsArguments())).text == "no jobs"
        arguments = ScheduleArguments("every day at 9:00", "tidy the\ndesk")
        assert schedule.subject(arguments).value == "every day at 9:00: tidy the\ndesk"
        assert (await schedule.run(context(world, private=True), arguments)).text == "job 1"
        listed = await jobs.run(context(world), JobsArguments())
        assert listed.text == "1 every day at 9:00 | next 2026-11-22 09:00 | tidy the desk"
        job = await world.store.jobs.get("1")
        assert job.conversation == "c1"
        assert details_of(job).private
        assert details_of(job).command == ""


async def test_a_phrase_that_is_none_is_an_answer_to_the_model(world):
    async with world.scheduler() as scheduler:
        schedule, _ = scheduler_tools(scheduler, BERLIN)
        assert schedule.run
        for when, task in (("whenever", "x"), ("tomorrow", " "), ("tomorrow", "x" * 5000)):
            with pytest.raises(ToolFailure):
                await schedule.run(context(world), ScheduleArguments(when, task))
        assert await scheduler.lines(5) == (0, ())


async def test_a_job_that_did_not_run_well_says_so(world):
    async with world.scheduler() as scheduler:
        await scheduler.add(world.order("every 10 minutes", "explode"))
        world.timer.advance(600)
        await world.reported(1)
        _, lines = await scheduler.lines(5)
    world.errors.clear()  # the bug that the task asked for
    assert lines == (
        "1 every 10 minutes | next 2026-11-21 10:20 | explode | last failed 2026-11-21 10:10",
    )


async def test_a_long_list_says_how_long_it_is(world):
    async with world.scheduler() as scheduler:
        for number in range(52):
            await scheduler.add(world.order("every hour", f"task {number}"))
        _, jobs = scheduler_tools(scheduler, BERLIN)
        assert jobs.run
        listed = await jobs.run(context(world), JobsArguments())
    assert listed.text.startswith("[52 jobs]\n1 every hour | ")
    assert listed.truncated
    assert len(listed.text.splitlines()) == 51


async def test_a_command_is_a_person_s_order(world):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"when": "daily", "task": "x", "command": "ls"}, ScheduleArguments)
    async with world.scheduler() as scheduler:
        job = await scheduler.add(world.order("daily", "", command="ls"))
        assert (details_of(job).command, job.task) == ("ls", "ls")
        with pytest.raises(Usage):
            await scheduler.add(world.order("daily", "both", command="ls"))


def test_the_zone_comes_from_the_variable_then_the_machine_then_utc(tmp_path):
    assert local_zone("Asia/Tokyo", tmp_path).key == "Asia/Tokyo"
    assert local_zone(":Asia/Tokyo", tmp_path).key == "Asia/Tokyo"
    assert local_zone("", tmp_path).key == "UTC"
    (tmp_path / "timezone").write_text("Europe/Paris\n")
    assert local_zone("", tmp_path).key == "Europe/Paris"
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert local_zone("CET-1CEST", tmp_path).key == "Europe/Berlin"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "/etc/passwd", "Mars/Olympus", "a\0b"])
def test_no_zone_of_that_name(name):
    with pytest.raises(Usage):
        zone_named(name)
