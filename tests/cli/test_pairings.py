"""`hermes peers pair`, `pairings` and `unpair`."""

import json

import pytest

from hermes.testing.door import ScriptedDoor

NPUB = "npub1" + "q" * 58
MADE = {
    "code": "7KQ2M-X4D9P",
    "name": "phone",
    "until": "2026-11-21T03:51:00.000Z",
    "root": "/home/ann/\x1b[31mproject",
}
PHONE = {
    "state": "paired", "name": "phone", "npub": NPUB, "key": "ab" * 32,
    "since": "2026-11-21T03:51:00.000Z", "until": None, "root": "/home/ann/project",
    "conversation": "",
}  # fmt: skip
CODE = PHONE | {"state": "code", "name": "", "npub": "", "key": "", "until": MADE["until"]}


@pytest.fixture
def paired(shell):
    shell.door = ScriptedDoor(
        answers={
            "identity.show": {"npub": NPUB},
            "pairings.offer": MADE,
            "pairings.list": [PHONE, CODE],
            "pairings.revoke": lambda key: {"key": key, "unpaired": key in {NPUB, "ab" * 32}},
        }
    )
    return shell


def test_a_code_is_printed_alone(paired):
    assert paired.run("peers", "pair", "--name", "phone", "--minutes", "5") == 0
    assert paired.out == "7KQ2M-X4D9P\n"
    (asked,) = paired.door.asked("pairings.offer")
    assert asked["name"] == "phone"
    assert asked["minutes"] == 5
    assert asked["root"] == asked["cwd"] == str(paired.home)


def test_a_person_is_told_what_to_do_with_it(paired):
    assert paired.run("peers", "pair", tty=True) == 0
    assert NPUB in paired.err
    assert "acted on in /home/ann/project" in paired.err


def test_pairs_as_json(paired):
    assert paired.run("peers", "pair", "--json") == 0
    assert json.loads(paired.out) == MADE | {"npub": NPUB}


def test_who_is_paired(paired):
    assert paired.run("peers", "pairings") == 0
    assert paired.out.splitlines()[1].split()[:3] == ["phone", "paired", NPUB]
    assert paired.run("peers", "pairings", "--json") == 0
    assert json.loads(paired.out) == [PHONE, CODE]


@pytest.mark.parametrize(("named", "key"), [("phone", "ab" * 32), (NPUB, NPUB)])
def test_unpairing_by_name_or_key(paired, named, key):
    assert paired.run("peers", "unpair", named) == 0
    assert paired.door.asked("pairings.revoke") == [{"key": key}]
    assert paired.out == "unpaired\n"


def test_unpairing_nobody(paired):
    assert paired.run("peers", "unpair", "npub1x") == 2
    assert "not paired" in paired.err


def test_unpairing_one_of_two(paired):
    paired.door = ScriptedDoor(answers={"pairings.list": [PHONE, PHONE | {"key": "cd" * 32}]})
    assert paired.run("peers", "unpair", "phone") == 2
    assert "2 keys are called 'phone'" in paired.err
