"""A change of this very runtime, tried in real boxes from end to end."""

import difflib
import os
from pathlib import Path

import anyio
import pytest

from hermes.core.verdict import Evidence
from hermes.errors import Halted, PatchInvalid, Refused, Usage
from hermes.sandbox.limits import Limits
from hermes.store.blobs import digest_of
from hermes.successor.fork import fork_successor
from hermes.successor.judge.starts import Starts
from hermes.successor.judge.task import Task
from hermes.successor.trial import Terms
from hermes.successor.workbench import STATE, View

MAIN = "hermes/cli/main.py"


def patch_of(checkout: Path, path: str, old: str, new: str) -> str:
    before = (checkout / path).read_text()
    assert old in before
    after = before.replace(old, new, 1)
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(lines)


@pytest.fixture
def good(checkout):
    old, new = "From what the stages found to one word", "From what all stages found to one word"
    diff = patch_of(checkout, "hermes/successor/weighing.py", old, new)
    return f"# A better docstring\n\nSay it clearly.\n\n```diff\n{diff}```\n\nThat is all.\n"


@pytest.fixture
def bad(checkout):
    return patch_of(checkout, MAIN, 'print(f"hermes {__version__}")', "raise SystemExit(7)")


@pytest.mark.timeout(180)
async def test_a_good_patch_is_approved_and_a_broken_one_rejected(workshop_with, book, good, bad):
    workshop = workshop_with(Starts())
    successor = fork_successor(
        current_state=b"{}",
        architecture_patch=good,
        evaluation_task="it still starts",
        workshop=workshop,
        terms=Terms(effort="micro", seed="ab"),
    )
    verdict = await successor.complete()
    assert verdict.word == "approve", verdict.reasons
    assert [one.stage for one in verdict.evidence] == ["build", "starts"]
    assert verdict.seed == "ab"
    assert verdict.spent.cpu_ms > 0
    assert verdict.ward.tier in {"A", "A-"}
    again = await fork_successor(
        current_state=b"{}",
        architecture_patch=good,
        evaluation_task="it still starts",
        workshop=workshop,
        terms=Terms(effort="micro"),
    ).complete()
    assert again == verdict
    broken = await fork_successor(
        current_state=b"{}",
        architecture_patch=bad,
        evaluation_task="it still starts",
        workshop=workshop,
        terms=Terms(effort="micro"),
    ).complete()
    assert broken.word == "reject"
    assert "hermes --version ends by exit code 7" in broken.reasons[0]
    assert book.told == ["intent", "approve", "intent", "reject"]
    assert (Path(__file__).parents[2] / MAIN).read_text().count("raise SystemExit(7)") == 0


async def test_a_verdict_that_nobody_can_keep_ends_its_trial(workshop_with, book, good):
    async def refuse(*_):
        raise Refused("the verdict is too large to be signed")

    book.verdict = refuse
    successor = fork_successor(
        current_state=b"{}",
        architecture_patch=good,
        evaluation_task="it still starts",
        workshop=workshop_with(),
        terms=Terms(effort="micro"),
    )
    with pytest.raises(Refused, match="too large"):
        await successor.complete()
    assert book.told == ["intent", "failed: the verdict is too large to be signed"]


class Says:
    """A stage that says what a test wants."""

    decides = True

    def __init__(self, outcome, name="says", act=None) -> None:
        self.name = name
        self._outcome = outcome
        self._act = act

    async def judge(self, bench) -> Evidence:
        if self._act is not None:
            await self._act(bench)
        return Evidence(self.name, self._outcome, f"it is {self._outcome}")


def successor_of(patch, workshop, task="", **terms):
    return fork_successor(
        current_state=b'{"conversation": "c"}',
        architecture_patch=patch,
        evaluation_task=task,
        workshop=workshop,
        terms=Terms(effort="micro", **terms),
    )


@pytest.mark.timeout(180)
def test_a_program_without_a_loop_waits_for_it(workshop_with, good):
    assert successor_of(good, workshop_with(Says("pass"))).run_until_complete().word == "approve"


async def test_inside_a_loop_the_other_form_is_named(workshop_with, good):
    with pytest.raises(Usage) as caught:
        successor_of(good, workshop_with(Says("pass"))).run_until_complete()
    assert "complete()" in caught.value.remedy


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ((), "inconclusive"),
        (("pass", "pass"), "approve"),
        (("pass", "skipped"), "inconclusive"),
        (("skipped",), "inconclusive"),
        (("pass", "inconclusive"), "inconclusive"),
        (("fail", "pass"), "reject"),
    ],
)
async def test_the_stages_word_is_the_verdicts(workshop_with, good, outcomes, word, book):
    stages = [Says(one, f"stage {at}") for at, one in enumerate(outcomes)]
    verdict = await successor_of(good, workshop_with(*stages)).complete()
    assert verdict.word == word
    assert book.told == ["intent", word]
    if word == "reject":
        assert [one.stage for one in verdict.evidence] == ["build", "stage 0"]
        assert verdict.reasons == ("stage 0: it is fail",)


async def test_a_stage_that_does_not_decide_is_only_heard(workshop_with, good):
    advisor = Says("fail", "advisor")
    advisor.decides = False
    verdict = await successor_of(good, workshop_with(advisor, Says("pass"))).complete()
    assert verdict.word == "approve"
    assert verdict.evidence[1].outcome == "advisory"


class Begins(Says):
    """Opens something ahead, and has its first answer after a while."""

    decides = False

    def __init__(self, seen: list[str]) -> None:
        super().__init__("pass", "early")
        self.seen = seen

    async def ahead(self, bench):
        await anyio.wait_all_tasks_blocked()
        self.seen.append("opened" if not any(bench.candidate.glob("hermes")) else "too late")
        bench.held.set()

    async def judge(self, bench):
        await anyio.wait_all_tasks_blocked()
        self.seen.append("answered")
        bench.under_way.set()
        return await super().judge(bench)


async def test_what_takes_long_to_begin_has_the_machine_first(workshop_with, good):
    seen = []

    async def look(_):
        seen.append("decides")

    workshop = workshop_with(Says("pass", act=look), Begins(seen))
    assert (await successor_of(good, workshop).complete()).word == "approve"
    assert seen == ["opened", "answered", "decides"]


async def test_a_stage_works_on_both_versions_in_boxes_of_their_own(workshop_with, good):
    seen = {}
    script = (
        "import os, sys, hermes.successor.weighing as w; "
        "print(w.__doc__.split()[2], os.nice(0), open(sys.argv[1]).read()); "
        "open('/box/mine', 'w'); "
        "print(os.access('/box/repo/hermes', os.W_OK))"
    )

    async def look(bench):
        for side in ("parent", "candidate"):
            ended = await bench.run(side, bench.python("-c", script, STATE), View(state=True))
            seen[side] = ended.stdout.decode()
        assert await bench.keep(b"everything") == digest_of(b"everything")
        bench.marks.append("it touches the judge")

    workshop = workshop_with(Says("pass", act=look))
    verdict = await successor_of(good, workshop).complete()
    assert seen["parent"] == f'the {min(19, os.nice(0) + 15)} {{"conversation": "c"}}\nFalse\n'
    assert seen["candidate"].startswith("all ")
    assert verdict.person_only == ("it touches the judge",)


async def test_the_same_seed_draws_the_same_for_one_purpose(workshop_with, good):
    drawn = []

    async def draw(bench):
        drawn.append((bench.chance("a").random(), bench.chance("b").random()))

    workshop = workshop_with(Says("inconclusive", act=draw))
    await successor_of(good, workshop, task="1", seed="aa").complete()
    await successor_of(good, workshop, task="2", seed="aa").complete()
    await successor_of(good, workshop, task="3").complete()
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0][0] != drawn[0][1]


async def test_the_emergency_stop_ends_what_runs(workshop_with, good, lever, book):
    async def hang(bench):
        lever.reason = "enough"
        await bench.run("candidate", ["sleep", "600"])

    workshop = workshop_with(Says("pass", act=hang))
    with anyio.fail_after(30), pytest.raises(Halted):
        await successor_of(good, workshop).complete()
    assert book.told[0] == "intent"
    assert book.told[1].startswith("failed: ")
    with pytest.raises(Halted, match="enough"):
        await successor_of(good, workshop).complete()
    assert len(book.told) == 2


async def test_a_box_that_hangs_is_the_candidates_fault_not_ours(workshop_with, good):
    why = []

    async def hang(bench):
        ended = await bench.run("candidate", ["sleep", "600"], View(limits=Limits(wall_s=0.3)))
        why.append(ended.why)

    verdict = await successor_of(good, workshop_with(Says("fail", act=hang))).complete()
    assert why == ["wall clock"]
    assert verdict.limits == ("wall clock",)


async def test_a_spent_budget_decides_nothing(workshop_with, good):
    async def waste(bench):
        bench.spend.take_tokens(bench.budget.tokens)
        bench.spend.fits_tokens(1)

    verdict = await successor_of(good, workshop_with(Says("pass", act=waste))).complete()
    assert verdict.word == "inconclusive"
    assert verdict.limits == ("tokens",)
    assert "tokens" in verdict.reasons[0]


async def test_what_does_not_compile_is_rejected_before_it_runs(workshop_with, checkout, book):
    path = "hermes/successor/weighing.py"
    patch = patch_of(checkout, path, "def word_of(", "def word_of((")
    verdict = await successor_of(patch, workshop_with(Says("pass"))).complete()
    assert verdict.word == "reject"
    assert path in verdict.reasons[0]
    assert [one.stage for one in verdict.evidence] == ["build"]


@pytest.mark.parametrize("patch", ["", "words", "--- a/no\n+++ b/no\n@@ -1 +1 @@\n-x\n+y\n"])
async def test_where_there_is_nothing_to_try_nothing_is_written_down(workshop_with, patch, book):
    with pytest.raises(PatchInvalid):
        await successor_of(patch, workshop_with(Says("pass"))).complete()
    assert book.told == []


async def test_the_task_is_run_on_the_candidate(workshop_with, good):
    workshop = workshop_with(Task())
    command = "$ grep -q 'all stages' hermes/successor/weighing.py"
    verdict = await successor_of(good, workshop, task=f"Look:\n  {command}\n$ true").complete()
    assert verdict.word == "approve"
    verdict = await successor_of(good, workshop, task="$ true\n$ exit 3").complete()
    assert verdict.word == "reject"
    assert "command 2 of 2 ends by exit code 3" in verdict.reasons[0]


async def test_two_trials_run_one_after_the_other(workshop_with, good):
    told = []

    def stage(name):
        async def act(bench):
            told.append(f"{name} begins")
            await bench.run("candidate", ["true"])
            told.append(f"{name} ends")

        return Says("inconclusive", act=act)

    async with anyio.create_task_group() as tasks:
        for name in "ab":
            tasks.start_soon(successor_of(good, workshop_with(stage(name)), task=name).complete)
    assert sorted(told) == ["a begins", "a ends", "b begins", "b ends"]
    assert [one[0] for one in told] in (list("aabb"), list("bbaa"))
