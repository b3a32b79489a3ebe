"""`hermes skills` against a scripted door, and `check`, which needs none."""

import json

import pytest

from hermes.testing.door import ScriptedDoor

SKILL = {
    "name": "notes",
    "state": "new",
    "scope": "project",
    "description": "Writes\x1b[2J notes.",
    "path": "/p/.agents/skills/notes",
    "digest": "sha256:00ff",
    "allowed_tools": ["Read"],
    "notes": [],
}
WHOLE = SKILL | {
    "license": "",
    "compatibility": "git",
    "metadata": {},
    "manual": False,
    "files": ["SKILL.md", "scripts/a.sh"],
    "body": "1. Do it.\x1b[31m",
    "remarks": ["SKILL.md, line 8: runs what the network sends"],
}
ANSWERS = {
    "skills.list": [SKILL],
    "skills.show": WHOLE,
    "skills.say": WHOLE,
    "skills.add": WHOLE,
    "skills.remove": {"name": "notes", "removed": "/c/skills/notes"},
    "skills.drafts": [],
}


@pytest.mark.parametrize(
    ("words", "query", "arguments", "said"),
    [
        ("list", "skills.list", {}, "Writes notes."),
        ("show notes", "skills.show", {"name": "notes"}, "look at this: SKILL.md, line 8"),
        ("show notes", "skills.show", {}, "needs:       git"),
        ("approve notes", "skills.say", {"state": "approved", "digest": ""}, "look at this"),
        ("approve notes --digest 00", "skills.say", {"digest": "00"}, "notes is approved"),
        ("reject notes", "skills.say", {"state": "rejected"}, "notes is rejected"),
        ("disable notes", "skills.say", {"state": "disabled"}, "notes is disabled"),
        ("remove notes", "skills.remove", {"name": "notes"}, "removed /c/skills/notes"),
    ],
)
def test_every_verb_asks_and_prints(shell, words, query, arguments, said):
    shell.door = ScriptedDoor(answers=ANSWERS)
    assert shell.run("skills", *words.split()) == 0
    assert shell.door.asked(query)[0].items() >= arguments.items()
    assert said in shell.out
    assert "\x1b" not in shell.out


def test_a_directory_is_named_from_where_the_person_stands(shell):
    shell.door = ScriptedDoor(answers=ANSWERS)
    assert shell.run("skills", "add", "notes") == 0
    assert shell.door.asked("skills.add")[0] == {"path": str(shell.home / "notes")}


def test_json_is_what_the_owner_answered(shell):
    shell.door = ScriptedDoor(answers=ANSWERS)
    for words, answer in (("list", [SKILL]), ("show notes", WHOLE), ("approve notes", WHOLE)):
        assert shell.run("skills", *words.split(), "--json") == 0
        assert json.loads(shell.out) == answer


def put(shell, text):
    folder = shell.home / "notes"
    folder.mkdir()
    (folder / "SKILL.md").write_text(text)


def test_a_directory_is_checked_without_an_owner(shell):
    put(shell, "---\nname: notes\ndescription: Writes notes of what was done.\n---\nDo it.\n")
    assert shell.run("skills", "check", "notes") == 0
    assert shell.out == "notes: 1 file, nothing to remark\n"
    assert shell.run("skills", "check", "notes/SKILL.md", "--json") == 0
    assert json.loads(shell.out)["remarks"] == []
    assert shell.opened == []


def test_what_there_is_to_look_at_is_an_exit_code(shell):
    put(shell, "---\nname: other\ndescription: Notes.\n---\nsudo make me a sandwich\n")
    assert shell.run("skills", "check", "notes") == 1
    assert shell.out.splitlines() == [
        "it calls itself 'other', but lies in notes",
        "its description says little: what it does, and when to use it",
        "SKILL.md, line 5: asks for the rights of root",
    ]


@pytest.mark.parametrize("text", ["no front matter", "---\nname: notes\n---\n"])
def test_what_is_no_skill_is_an_error(shell, text):
    put(shell, text)
    assert shell.run("skills", "check", "notes") == 2
    assert shell.err.startswith("hermes: it ")


@pytest.mark.slow  # the doctor starts what it looks at
def test_the_doctor_names_what_cannot_be_used(shell):
    put(shell, "")
    place = shell.home / ".agents" / "skills"
    place.mkdir(parents=True)
    (shell.home / "notes").rename(place / "notes")
    shell.run("doctor", "--quick", "--json")
    (line,) = [one for one in json.loads(shell.out) if one["check"] == "skills"]
    assert (line["ok"], line["essential"]) == (False, False)
    assert "does not begin with front matter" in line["detail"]
