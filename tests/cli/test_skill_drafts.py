"""`hermes skills drafts`, and approve and reject where they mean one."""

import json

import pytest

from hermes.testing.door import ScriptedDoor

DRAFT = {
    "id": 3,
    "name": "edit-test-commit",
    "state": "open",
    "description": "Edit,\x1b[31m then make test.",
    "sessions": 4,
    "days": 3,
    "at": "2026-11-21T03:51:00.000Z",
}
WHOLE = DRAFT | {
    "text": "---\nname: edit-test-commit\n---\n\n2. Run `make test`.\x1b[2J\n",
    "evidence": {
        "kind": "work", "steps": ["edit <path>", "make test"], "count": 7,
        "sessions": ["s1", "s2", "s3"], "held_out": "s4", "turns": ["t1"], "days": 3,
        "first": "2026-11-18T03:51:00.000Z", "last": "2026-11-21T03:51:00.000Z",
    },
}  # fmt: skip
TAKEN = WHOLE | {"state": "approved", "skill": "ship", "path": "/x/skills/ship"}
ANSWERS = {
    "skills.drafts": [DRAFT],
    "skills.draft": WHOLE,
    "skills.approve_draft": TAKEN,
    "skills.reject_draft": DRAFT | {"state": "rejected"},
    "skills.list": [],
    "skills.say": {"name": "other", "digest": "sha256:0", "remarks": []},
}


@pytest.fixture
def drafts(shell):
    shell.door = ScriptedDoor(answers=dict(ANSWERS))
    return shell


@pytest.mark.parametrize(
    ("words", "query", "arguments", "said"),
    [
        ("drafts", "skills.drafts", {}, "edit-test-commit"),
        ("drafts --all", "skills.drafts", {"state": None}, "edit-test-commit"),
        ("show-draft 3", "skills.draft", {"id": 3}, "again, as a test, in s4"),
        ("show-draft edit-test-commit", "skills.draft", {"id": 3}, "7 times in 4 sessions"),
        ("approve 3", "skills.approve_draft", {"id": 3}, "ship is approved: /x/skills/ship"),
        ("approve 3 --name ship", "skills.approve_draft", {"id": 3, "name": "ship"}, "ship"),
        ("approve edit-test-commit", "skills.approve_draft", {"id": 3}, "approved"),
        ("reject edit-test-commit", "skills.reject_draft", {"id": 3}, "not drafted again"),
    ],
)
def test_each_verb_asks_and_prints(drafts, words, query, arguments, said):
    assert drafts.run("skills", *words.split()) == 0
    assert drafts.door.asked(query)[0] == arguments
    assert said in drafts.out
    assert "\x1b" not in drafts.out
    assert not drafts.door.asked("skills.say")


@pytest.mark.parametrize("words", ["drafts", "show-draft 3", "approve 3", "reject 3"])
def test_json_is_json(drafts, words):
    assert drafts.run("skills", *words.split(), "--json") == 0
    assert json.loads(drafts.out)


def test_no_drafts(shell):
    shell.door = ScriptedDoor(answers={"skills.drafts": []})
    assert shell.run("skills", "drafts") == 0
    assert "no drafts wait" in shell.out


@pytest.mark.parametrize("word", ["approve", "reject", "disable"])
def test_a_name_that_no_draft_has_means_a_skill(drafts, word):
    assert drafts.run("skills", word, "other") == 0
    assert drafts.door.asked("skills.say")


@pytest.mark.parametrize("word", ["approve", "reject"])
def test_a_skill_of_the_same_name_goes_first(shell, word):
    there = {"skills.list": [{"name": "edit-test-commit"}]}
    shell.door = ScriptedDoor(answers=ANSWERS | there)
    assert shell.run("skills", word, "edit-test-commit") == 0
    assert shell.door.asked("skills.say")
    assert not shell.door.asked(f"skills.{word}_draft")


def test_another_name_is_for_drafts(drafts):
    assert drafts.run("skills", "approve", "other", "--name", "ship") == 2
    assert "no draft is called 'other'" in drafts.err
