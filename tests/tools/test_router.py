import contextlib

import anyio
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.core.tool import Outcome, Subject, Tool
from hermes.errors import StoreFull, ToolFailure
from hermes.tools.edits import FILE_EDIT, FILE_WRITE
from hermes.tools.files import FILE_READ
from hermes.tools.hooks import Admission


class Work(msgspec.Struct, frozen=True):
    laps: int = 0
    name: str = ""
    kind: str = "read"
    numbers: list[int] = []


class Floor:
    """Counts who is at work; a lap is one turn of the event loop."""

    def __init__(self):
        self.now = {"read": 0, "write": 0}
        self.most = 0
        self.clashes = 0
        self.order = []

    async def run(self, context, args):
        kind = args.kind
        self.now[kind] += 1
        self.most = max(self.most, self.now["read"])
        self.clashes += self.now["write"] > 0 and sum(self.now.values()) > 1
        for _ in range(args.laps):
            await anyio.lowlevel.checkpoint()
            self.clashes += self.now["write"] > 0 and sum(self.now.values()) > 1
        self.now[kind] -= 1
        self.order.append(args.name)
        return Outcome(args.name)

    def tool(self):
        return Tool(
            name="Work",
            description="",
            arguments=Work,
            effect=lambda args, place: args.kind,
            subject=lambda args: Subject("text", args.name),
            run=self.run,
        )


def simple(name, run, effect="read"):
    return Tool(
        name=name,
        description="",
        arguments=Work,
        effect=effect,
        subject=lambda args: Subject("text", ""),
        run=run,
    )


@given(
    works=st.lists(st.tuples(st.sampled_from(["read", "write", "bad"]), st.integers(0, 6))),
    limit=st.integers(1, 5),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
async def test_no_read_overlaps_a_write_and_results_keep_the_order(bench, works, limit):
    floor = Floor()
    for name in bench.registry.names():
        bench.registry.remove(name)
    bench.use(floor.tool())
    bench.journal.said.clear()
    calls = [
        ("Work", {"laps": laps, "name": str(n), "kind": kind})
        if kind != "bad"
        else ("Nothing", {"name": n})
        for n, (kind, laps) in enumerate(works)
    ]
    results = await bench.step(*calls, limit=limit)
    assert floor.clashes == 0
    assert floor.most <= limit
    assert len(results) == len(works)
    expected = [str(n) if kind != "bad" else "error" for n, (kind, _) in enumerate(works)]
    assert [result.text if result.ok else "error" for result in results] == expected
    ids = [result.call_id for result in results]
    said = bench.journal.said
    assert [entry[1] for entry in said[: len(works)]] == ids
    assert {entry[0] for entry in said[: len(works)]} <= {"called"}
    assert sorted(entry[1] for entry in said if entry[0] == "finished") == sorted(ids)
    started = [n for n, (kind, _) in enumerate(works) if kind == "write"]
    writes = [entry[1] for entry in said if entry[0] == "intent"]
    assert writes == [ids[n] for n in started]


async def test_ten_reads_run_at_once_and_the_eleventh_waits(bench):
    inside, most, ten = 0, 0, anyio.Event()

    async def meet(context, args):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside == 10:
            ten.set()
        await ten.wait()
        inside -= 1
        return Outcome("met")

    bench.use(simple("Meet", meet))
    with anyio.fail_after(5):
        results = await bench.step(*[("Meet", {})] * 25)
    assert [result.text for result in results] == ["met"] * 25
    assert most == 10


async def test_approvals_of_reads_wait_together_and_hold_no_place(bench, journal):
    asked, both = [], anyio.Event()

    async def door(call, changes):
        asked.append(call.id)
        if len(asked) == 2:
            both.set()
        await both.wait()
        return Admission(allowed=call.id == "2", text="error: not approved")

    journal.door = door
    bench.use(Floor().tool())
    with anyio.fail_after(5):
        results = await bench.step(("Work", {"name": "a"}), ("Work", {"name": "b"}), limit=1)
    assert asked == ["1", "2"]
    assert [(r.text, r.ok, r.denied) for r in results] == [
        ("error: not approved", False, True),
        ("b", True, False),
    ]
    assert journal.of("1") == ["called", "admit", "finished"]
    assert journal.of("2") == ["called", "admit", "started", "finished"]


async def test_a_write_is_journaled_around_and_a_denied_one_is_not(bench, journal, root):
    bench.use(FILE_WRITE)
    await bench("FileWrite", path="f", content="x")
    assert [entry[0] for entry in journal.said] == [
        "called",
        "admit",
        "intent",
        "started",
        "outcome",
        "finished",
    ]

    async def door(call, changes):
        assert changes[0].after == b"y"
        return Admission(allowed=False, text="error: denied by policy")

    journal.door = door
    result = await bench("FileWrite", path="g", content="y")
    assert (result.text, result.denied) == ("error: denied by policy", True)
    assert journal.of("2") == ["called", "admit", "finished"]
    assert not (root / "g").exists()


async def test_a_write_is_planned_when_its_time_comes(bench, root):
    bench.use(FILE_READ, FILE_WRITE, FILE_EDIT)
    results = await bench.step(
        ("FileWrite", {"path": "f", "content": "one\n"}),
        ("FileEdit", {"path": "f", "old": "one", "new": "two"}),
        ("FileRead", {"path": "f"}),
        ("FileEdit", {"path": "f", "old": "two", "new": "three"}),
        ("FileRead", {"path": "f"}),
    )
    assert [result.text for result in results] == [
        "wrote 4 bytes",
        "changed 1",
        "two\n",
        "changed 1",
        "three\n",
    ]


BOMB = '{"numbers": ' + "[" * 200_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("{", "arguments are not JSON"),
        ("[1]", "arguments must be a JSON object"),
        ("1", "arguments must be a JSON object"),
        ('"hello"', "arguments are not JSON"),
        ('{"laps": "many"}', "laps: expected"),
        ('{"laps": {}}', "laps: expected `int`"),
        ('{"name": 5}', "name: expected `str`"),
        ('{"name": "\\ud800"}', ""),
        ('{"numbers": [1, "x"]}', "numbers[1]: "),
        (BOMB, "arguments are "),
        (BOMB + "]" * 200_000 + "}", "arguments are nested too deeply"),
        ('{"name": "' + "x" * 10_000_000 + '"}', "arguments are too long"),
        ("\udcff", "arguments are not JSON"),
        ('{"laps": 1e999}', "arguments are not JSON"),
        ('{"laps": ' + "9" * 5_000 + "}", ""),
    ],
)
async def test_hostile_arguments_are_answered(bench, journal, arguments, says):
    bench.use(Floor().tool())
    (result,) = await bench.step(("Work", arguments))
    assert result.text.startswith(f"error: {says}" if says else "")
    assert len(result.text) < 1_000
    assert result.text.encode()
    assert journal.bugs == []
    assert journal.of("1")[-1] == "finished"


@pytest.mark.parametrize(
    "arguments",
    ["", " ", "{}", '{"laps": "2", "else": 1}', '{"laps": null}', '"{\\"laps\\": 2}"'],
)
async def test_what_is_tolerated(bench, arguments):
    bench.use(Floor().tool())
    (result,) = await bench.step(("Work", arguments))
    assert result.ok


async def test_an_unknown_tool_is_told_what_there_is(bench):
    bench.use(FILE_READ, FILE_WRITE)
    (result,) = await bench.step(("Nothing" * 1_000_000, {}))
    assert result.text.endswith("; tools: FileRead, FileWrite")
    assert len(result.text) < 200
    assert len(result.name) <= 64


async def test_a_failure_is_an_answer_and_a_bug_is_reported_too(bench, journal):
    async def fail(context, args):
        raise ToolFailure("no luck")

    async def break_down(context, args):
        raise KeyError("secret detail")

    bench.use(simple("Fail", fail), simple("Break", break_down), simple("Worse", fail, "write"))
    results = await bench.step(("Fail", {}), ("Break", {}), ("Worse", {}))
    assert [result.text for result in results] == [
        "error: no luck",
        "error: internal error in Break (KeyError)",
        "error: no luck",
    ]
    assert [type(bug) for bug in journal.bugs] == [KeyError]
    assert ("outcome", "3", False) in journal.said


async def test_results_are_cut_and_can_be_stored(bench):
    async def talk(context, args):
        return Outcome("\ud800" + "word\n" * 10_000 + "last")

    bench.use(simple("Talk", talk))
    result = await bench("Talk", 500)
    assert result.truncated
    assert len(result.text) <= 500
    assert result.text.startswith("[10001 lines]\n")
    assert result.text.endswith("last")
    result.text.encode()


async def test_cancelling_leaves_a_begun_command_unfinished(bench, journal):
    began = anyio.Event()

    async def hang(context, args):
        began.set()
        await anyio.sleep_forever()

    bench.use(simple("Hang", hang, "write"), Floor().tool())
    async with anyio.create_task_group() as group:
        group.start_soon(bench.step, ("Hang", {}), ("Work", {}))
        await began.wait()
        group.cancel_scope.cancel()
    assert journal.of("1") == ["called", "admit", "intent", "started"]
    assert journal.of("2") == ["called"]


async def test_a_file_change_once_begun_is_finished_and_journaled(bench, journal, root):
    bench.use(FILE_WRITE)
    real, scope = journal.started, anyio.CancelScope()

    async def started(call):
        await real(call)
        scope.cancel()

    journal.started = started
    with scope:
        await bench.step(("FileWrite", {"path": "f", "content": "x"}))
    assert scope.cancelled_caught
    done = (root / "f").exists()
    assert done == ("outcome" in journal.of("1"))


async def test_what_hooks_raise_comes_out_plainly(bench, journal):
    async def door(call, changes):
        raise StoreFull("disk full")

    journal.door = door
    bench.use(Floor().tool())
    with pytest.raises(StoreFull):
        await bench.step(("Work", {}), ("Work", {}))
    journal.door = None
    with contextlib.suppress(StoreFull):
        assert (await bench("Work", name="a")).text == "a"
