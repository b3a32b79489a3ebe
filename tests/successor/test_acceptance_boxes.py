"""The stage that decides, in boxes: parent and candidate over their public protocol."""

import json
import tempfile
from pathlib import Path

import anyio
import pytest
from benches import bench, tree
from plants import PLANTS

from hermes.successor.judge.acceptance import Acceptance
from hermes.successor.judge.drive import Call, drive, words
from hermes.successor.judge.duel import pair
from hermes.successor.judge.lines import Broken

MEMORY = "every search keeps 40 kB"
ROUNDS = 80  # before the kill that lets growth begin anew


@pytest.fixture(scope="module")
def parent():
    with tempfile.TemporaryDirectory(prefix="hermes-judged-", dir="/tmp") as name:
        Path(name).chmod(0o755)  # as root a sandbox runs as another user
        yield tree(Path(name, "parent"))


def planted(parent, name):
    place = parent.parent / name.replace(" ", "-")
    return place if place.exists() else tree(place, PLANTS[name])


async def test_a_version_is_driven_killed_and_read_back(standing, parent):
    async with drive(made := bench(standing, parent, parent), "candidate") as driven:
        await driven.start(1, words(made))
        asked = [Call("runner.chat", {"text": f"number {one}"}) for one in range(3)]
        answers = await driven.calls(asked)
        assert [one.result["text"] for one in answers] == ["ok"] * 3
        assert answers[0].events[-1]["type"] == "turn_finished"
        await driven.order("kill")
        with pytest.raises(Broken):
            await driven.calls(asked)
        await driven.start(2, words(made))
        (listed,) = await driven.calls([Call("runner.history", {})])
        assert len(listed.result["conversations"]) == 3
        assert (await driven.order("weigh"))["kib"] > 10_000


ENDS = "    if world.stdin.isatty():\n"
DEAD = {
    "exit code 7": "import os; os.write(2, b'no room'); os._exit(7)",
    "signal 9": "import os, signal; os.write(2, b'no room'); os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("how", DEAD)
async def test_a_parent_that_ends_is_nobodys_verdict_and_says_how(standing, parent, how):
    place = parent.parent / how.replace(" ", "-")
    broken = tree(place, (("hermes/cli/serve.py", ENDS, f"    {DEAD[how]}\n{ENDS}"),))
    found = await Acceptance().judge(bench(standing, broken, parent))
    assert found.outcome == "inconclusive"
    assert (
        f'the parent\'s own version, which ended by {how}, and said last: "no room"' in found.says
    )


async def test_a_candidate_that_ends_is_told_with_its_signal(standing, parent):
    broken = parent.parent / "signal-9"
    if not broken.exists():
        tree(broken, (("hermes/cli/serve.py", ENDS, f"    {DEAD['signal 9']}\n{ENDS}"),))
    found = await Acceptance().judge(bench(standing, parent, broken))
    assert found.outcome == "fail"
    assert "died: signal 9" in found.says


async def test_a_box_that_ends_for_the_time_is_nobodys_verdict(standing, parent):
    made = bench(standing, parent, parent, wall_s=8.0)
    async with pair(made, "1", ()) as duel:
        told = await duel.run(60.0)
    assert (told.finding, told.limit) == (None, "wall clock")


async def test_a_round_begins_once_no_turn_runs(standing, parent):
    waited = []

    async def quiet():
        waited.append(len(waited))

    made = bench(standing, parent, parent)
    made.quiet = quiet
    async with pair(made, "1", ()) as duel:
        told = await duel.run(60.0, 2)
    assert (told.rounds, waited, told.finding) == (2, [0, 1], None)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_the_same_code_passes(standing, parent):
    made = bench(standing, parent, parent, seed="7", acceptance_s=10.0, box_cpu_s=300)
    found = await Acceptance().judge(made)
    assert (found.outcome, found.ids) == ("pass", ()), found.says
    told = json.loads(made.records[found.record])["told"]
    assert told["kills"] > 0
    assert json.loads(told["log"])["ok"]
    assert made.spend.spent().cpu_ms > 0


@pytest.mark.slow
async def test_both_sides_are_asked_the_same_so_that_neither_weighs_more(standing, parent):
    async with pair(bench(standing, parent, parent), "1", ()) as duel:
        told = await duel.run(60.0, 5)  # with a kill, what is kept, pages and policy
    assert (told.rounds, told.kills, told.finding) == (5, 1, None)
    assert duel._parent._number == duel._candidate._number


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_finding_is_replayed_and_told_without_its_input(standing, parent):
    candidate = planted(parent, "an error swallowed")
    made = bench(standing, parent, candidate, acceptance_s=20.0, box_cpu_s=300)
    found = await Acceptance().judge(made)
    assert (found.outcome, found.ids[0][:7]) == ("fail", "runner.")
    assert "differs: failed" in found.says
    assert "2 of 2 replays" in found.says


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_what_is_declared_is_let_pass_to_a_person(standing, parent):
    candidate = planted(parent, "a call that is refused is not counted")
    task = "count once\nintended: runner.chat events.*.denied less"
    made = bench(standing, parent, candidate, seed="4", task=task, acceptance_s=5.0)
    found = await Acceptance().judge(made)
    assert "result.denied" in found.says or "not counted" in found.says  # that was not declared
    assert found.outcome == "fail"
    assert made.marks == ["declared: runner.chat events.*.denied less"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PLANTS)
async def test_a_planted_defect_is_found(standing, parent, name):
    made = bench(standing, parent, planted(parent, name), seed="3", box_cpu_s=300)
    for _ in range(2):  # what the machine cut short is tried again, as the stage does
        async with pair(made, "1", ()) as duel:
            told = await duel.run(60.0, ROUNDS)
        if not told.limit:
            break
    assert told.finding, told
    if name == MEMORY:
        assert told.finding.kind == "memory grows"


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_laxer_policy_is_found_though_the_parent_has_it_too(standing, parent):
    both = planted(parent, "policy looks at the first part of a command only")
    async with pair(bench(standing, both, both), "1", ()) as duel:
        told = await duel.run(30.0)
    assert "policy is laxer" in told.finding.kind


SPIES = """
import json, os, sys
tried = {}
for pid in os.listdir('/proc'):
    if pid.isdigit() and pid not in ('1', str(os.getpid())):
        for name in ('mem', 'fd', 'environ'):
            try:
                os.listdir(f'/proc/{pid}/fd') if name == 'fd' else open(f'/proc/{pid}/{name}', 'rb')
                tried[name] = 'open'
            except OSError as error:
                tried[name] = error.strerror
print(json.dumps(tried), file=sys.stderr, flush=True)
print('{"id": 0}', flush=True)
import time; time.sleep(60)
"""


async def test_the_warden_cannot_be_looked_into(standing, parent):
    async with drive(bench(standing, parent, parent), "candidate") as driven:
        await driven.start(1, ["/usr/bin/python3", "-c", SPIES])
        with anyio.fail_after(20):
            while not driven.said.endswith(b"\n"):
                await driven.order("weigh")
    tried = json.loads(driven.said)
    assert set(tried) == {"mem", "fd", "environ"}
    assert "open" not in tried.values()


HOSTILE = {
    "dies": ("import os; os._exit(0)", "died"),
    "floods": ("import os\nwhile True: os.write(1, b'x' * 65536)", "flood"),
    "says no JSON": ("print('hello', flush=True); import time; time.sleep(60)", "garbled"),
    "nests": ("print('[' * 100_000, flush=True); import time; time.sleep(60)", "garbled"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_answer_ends_the_version_not_the_judge(standing, parent, name):
    code, how = HOSTILE[name]
    async with drive(bench(standing, parent, parent), "candidate") as driven:
        with pytest.raises(Broken) as broken:
            await driven.start(1, ["/usr/bin/python3", "-c", code])
    assert broken.value.how == how
