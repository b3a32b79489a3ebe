"""`hermes successor`: what each verb asks, and what a person reads."""

import json

import pytest

from hermes.errors import Halted, PatchInvalid, Refused
from hermes.testing.door import ScriptedDoor

CID = "bafyreib" + "q" * 51
DIFF = "d" * 64
VERDICT = {
    "candidate": CID,
    "word": "approve",
    "reasons": ["search is 30 % faster"],
    "evidence": [
        {"stage": "acceptance", "outcome": "pass", "says": "as before", "ids": list("abcdefg"),
         "ratios": [], "record": ""},
        {"stage": "benchmarks", "outcome": "pass", "says": "faster", "ids": [], "record": "",
         "ratios": [{"name": "search", "word": "faster", "middle": 700, "low": 650, "high": 755,
                     "pairs": 20}]},
    ],
    "spent": {"wall_ms": 12_300, "cpu_ms": 9_000, "peak_kib": 204_800,
              "processes": 4, "tokens": 0},
    "limits": ["wall"],
    "ward": {"tier": "A", "kernel": "6", "landlock": 7, "bubblewrap": "0.8", "self_test": "x"},
    "person_only": ["it changes the tests"],
    "judge": "0" * 40, "seed": "ab", "at": 1,
}  # fmt: skip
SHOWN = {
    "candidate": {
        "cid": CID,
        "parent": "1" * 40,
        "source": "agent",
        "task": "search\x1b[31m faster",
    },
    "trials": [],
    "verdict": VERDICT,
    "diff": "--- a/x\n+++ b/x\n+\\x1b[2J\n",
    "diff_sha256": DIFF,
    "words": [],
    "adoptions": [],
}
TRIAL = {
    "id": "01a", "candidate": CID, "name": CID[-8:], "state": "judged", "word": "approve",
    "tier": "fast", "tag": "", "task": "search faster", "began": 1, "stage": "", "why": "",
}  # fmt: skip
STATUS = {
    "current": "v0.2.0", "runs": "v0.2.0", "stage": "probation", "tag": "v0.2.0", "previous": "",
    "says": "3 of 20 turns", "flag": "/x/emergency_stop.flag",
    "stops": {"flag": False, "begun_today": 2, "most_a_day": 48, "failures": 1, "halt_after": 8,
              "reason": "", "remedy": ""},
}  # fmt: skip
ADOPTED = {
    "candidate": CID, "answer": "approve", "cid": "c", "tag": "v0.2.0", "version": "a" * 40,
    "live": False,
}  # fmt: skip
VERSION = {
    "tag": "v0.2.0", "version": "a" * 40, "tree": "b" * 64, "previous": "", "candidate": CID,
    "verdict": CID, "outcome": "kept", "ended": 2,
    "named": {"cid": CID, "at": 1_700_000_000_000, "stands": "signed"},
    "taken": {"cid": CID, "at": 1_700_000_001_000, "stands": "wrong"},
}  # fmt: skip
ANSWERS = {
    "successor.versions": [VERSION],
    "successor.list": [TRIAL],
    "successor.show": SHOWN,
    "successor.run": SHOWN,
    "successor.answer": ADOPTED,
    "successor.rollback": {"left": "v0.2.0", "version": "", "live": False},
    "successor.status": STATUS,
    "successor.stop": STATUS,
    "successor.resume": STATUS,
}


@pytest.fixture
def here(shell):
    shell.door = ScriptedDoor(answers=dict(ANSWERS))
    return shell


def test_a_list(here):
    assert here.run("successor", "list") == 0
    assert "search faster" in here.out
    assert "approve" in here.out


def test_what_runs_and_what_died_is_told_in_the_list(here):
    rows = [
        TRIAL | {"state": "intent", "word": "", "stage": "acceptance"},
        TRIAL | {"state": "failed", "word": "", "why": "its process died"},
    ]
    here.door = ScriptedDoor(answers={"successor.list": rows})
    assert here.run("successor", "list") == 0
    _, runs, died = here.out.splitlines()
    assert runs.split()[1:3] == ["acceptance", "fast"]
    assert "failed      its process died" in died


def test_plain_words_first_then_figures_then_the_difference(here):
    assert here.run("successor", "show", CID[:12]) == 0
    lines = here.out.splitlines()
    assert lines[:2] == ["The judge approves it.", "  search is 30 % faster"]
    assert "    search: faster, -30.0 % (-35.0 % to -24.5 %), 20 pairs" in lines
    assert "    a, b, c, d, e and 2 more" in lines
    assert "only a person may adopt it: it changes the tests" in lines
    assert "ran into a limit: wall" in lines
    assert "\x1b" not in here.out
    assert lines.index("--- a/x") > lines.index("+ benchmarks: pass: faster")
    assert here.door.asked("successor.show") == [{"name": CID[:12]}]


def test_without_a_name_the_versions_are_shown(here):
    assert here.run("successor", "show") == 0
    assert "v0.2.0  commit aaaaaaaaaaaa, tree bbbbbbbbbbbb, kept" in here.out
    assert f"  named by the installed code: signed 2023-11-14T22:13:20.000Z, {CID}" in here.out
    assert "  taken by v0.2.0: it does NOT hold 2023-11-14T22:13:21.000Z" in here.out
    here.door = ScriptedDoor(answers={"successor.versions": []})
    assert here.run("successor", "show") == 0
    assert "no version was adopted here" in here.out


def test_what_both_sides_said_stands_with_the_candidate(here):
    shown = SHOWN | {"versions": [VERSION | {"taken": {"cid": "", "at": 0, "stands": "missing"}}]}
    here.door = ScriptedDoor(answers={"successor.show": shown})
    assert here.run("successor", "show", CID) == 0
    assert "  named by the installed code: signed" in here.out
    assert "  taken by v0.2.0: nothing yet\n" in here.out


def test_json_is_what_the_owner_said(here):
    assert here.run("successor", "show", CID, "--json") == 0
    assert json.loads(here.out)["verdict"]["word"] == "approve"


@pytest.mark.parametrize(("word", "code"), [("approve", 0), ("reject", 3), ("inconclusive", 1)])
def test_a_trial_tells_its_word_by_the_exit_code(here, word, code):
    (here.home / "faster.patch").write_text("--- a/x\n")
    here.door = ScriptedDoor(
        answers={"successor.run": SHOWN | {"verdict": VERDICT | {"word": word}}}
    )
    assert (
        here.run("successor", "run", "faster.patch", "--task", "faster", "--effort", "micro")
        == code
    )
    (asked,) = here.door.asked("successor.run")
    assert asked["wish"]["task"] == "faster"
    assert asked["wish"]["effort"] == "micro"
    assert asked["wish"]["patch"] == "LS0tIGEveAo="


def test_what_was_tried_before_is_said_to_be(here):
    here.door = ScriptedDoor(answers={"successor.run": SHOWN | {"again": True}})
    assert here.run("successor", "run", "branch:faster") == 0
    assert here.out.startswith("It was tried before")
    here.door = ScriptedDoor(answers={"successor.run": PatchInvalid("there is no diff in it")})
    assert here.run("successor", "run", "branch:faster") == 2


def test_a_branch_is_no_file(here):
    assert here.run("successor", "run", "branch:faster") == 0
    assert here.door.asked("successor.run")[0]["wish"]["branch"] == "faster"


def test_approving_shows_the_difference_and_asks(here):
    assert here.run("successor", "approve", CID[:12], typed=f"{CID[-6:]}\n") == 0
    assert here.out.index("+++ b/x") < here.out.index(f"Type {CID[-6:]} to say yes")
    assert "v0.2.0" in here.out
    (asked,) = here.door.asked("successor.answer")
    assert asked["name"] == CID
    assert (asked["word"]["answer"], asked["word"]["diff"]) == ("approve", DIFF)


@pytest.mark.parametrize("said", ["\n", "yes\n", "y\n", ""])
def test_anything_else_is_a_no(here, said):
    assert here.run("successor", "approve", CID, typed=said) == 3
    assert not here.door.asked("successor.answer")


def test_a_script_has_to_name_the_difference_it_saw(here):
    assert here.run("successor", "approve", CID, stdin="") == 2
    assert here.run("successor", "approve", CID, "--diff", "e" * 64) == 3
    assert not here.door.asked("successor.answer")
    assert here.run("successor", "approve", CID, "--diff", DIFF, "--step", "patch") == 0
    assert here.door.asked("successor.answer")[0]["step"] == "patch"


def test_the_gates_no_is_exit_code_three(here):
    here.door = ScriptedDoor(
        answers=ANSWERS | {"successor.answer": Refused("the judge said no", "x")}
    )
    assert here.run("successor", "approve", CID, "--diff", DIFF) == 3
    here.door = ScriptedDoor(answers={"successor.run": Halted("the emergency stop is on", "x")})
    assert here.run("successor", "run", "branch:x") == 3


def test_rejecting_needs_no_terminal(here):
    here.door = ScriptedDoor(
        answers=ANSWERS | {"successor.answer": {"candidate": CID, "answer": "reject", "cid": "c"}}
    )
    assert here.run("successor", "reject", CID, "--reason", "too clever") == 0
    (asked,) = here.door.asked("successor.answer")
    assert asked["word"]["reason"] == "too clever"


def test_back_and_how_it_stands(here):
    assert here.run("successor", "rollback", "--reason", "slow") == 0
    assert "v0.2.0 is left: the installed code runs" in here.out
    assert here.door.asked("successor.rollback") == [{"why": "slow"}]
    assert here.run("successor", "status") == 0
    assert "v0.2.0: is on probation (3 of 20 turns)" in here.out


def test_the_flag_lies_there_before_anybody_is_asked(here):
    here.door = ScriptedDoor(answers={"successor.status": Refused("the owner is broken")})
    here.run("successor", "stop", "--reason", "now")
    (flag,) = here.home.rglob("emergency_stop.flag")
    assert flag.read_text() == "now\n"


@pytest.mark.parametrize(
    "verb", ["run", "list", "show", "approve", "reject", "rollback", "stop", "resume", "status"]
)
def test_every_verb_has_an_example(here, capsys, verb):
    assert here.run("successor", verb, "--help") == 0
    assert f"hermes successor {verb}" in capsys.readouterr().out
