import json

from hermes.testing.door import ScriptedDoor

EXPORTED = {"file": "/x", "letters": 1_200, "receipts": 3, "to": ["aa"], "bytes": 5_000}
TAKEN = {
    "creator": "npub1x",
    "made": "2026-11-21T00:00:00.000Z",
    "letters": 4,
    "odd": 1,
    "refused": {"replayed": 2, "malformed": 1},
}


def test_export_names_the_file_where_the_person_stands(shell):
    shell.door = ScriptedDoor(answers={"bundle.export": EXPORTED})
    assert shell.run("bundle", "export", "s.hbundle", "--to", "npub1a", "--to", "npub1b") == 0
    asked = {"path": str(shell.home / "s.hbundle"), "to": ["npub1a", "npub1b"]}
    assert shell.door.queries == [("bundle.export", asked)]
    assert shell.out == "1,200 letters, 3 receipts for 1 node, 5,000 bytes\n"


def test_import_says_what_was_known_and_what_was_refused(shell):
    shell.door = ScriptedDoor(answers={"bundle.import": TAKEN})
    assert shell.run("bundle", "import", "s.hbundle") == 0
    assert shell.out.splitlines() == [
        "4 letters from npub1x, 2026-11-21T00:00:00.000Z",
        "2 were here before",
        "2 refused: malformed",
    ]


def test_as_json(shell):
    shell.door = ScriptedDoor(answers={"bundle.import": TAKEN, "bundle.export": EXPORTED})
    assert shell.run("bundle", "import", "s.hbundle", "--json") == 0
    assert json.loads(shell.out) == TAKEN
    assert shell.run("bundle", "export", "s.hbundle", "--json") == 0
    assert json.loads(shell.out) == EXPORTED


INVITED = {"code": "hermes1x", "name": "laptop", "until": "2026-11-22T00:00:00.000Z", "relays": []}
ASKED = EXPORTED | {"node": "ab", "npub": "npub1desk"}
PEER = {
    "npub": "npub1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "state": "unknown",
    "load": None,
    "release": None,
    "models": [],
    "since": None,
    "relays": [],
}


def test_a_code_for_a_node_that_comes_by_hand_needs_no_node_that_runs(shell):
    shell.door = ScriptedDoor(answers={"bundle.invite": INVITED})
    assert shell.run("peers", "invite", "--by-hand", "--name", "laptop") == 0
    assert shell.door.queries == [("bundle.invite", {"name": "laptop", "minutes": 1_440})]
    assert shell.out == "hermes1x\n"
    assert shell.run("peers", "invite") == 4


def test_the_question_goes_into_a_file_where_the_person_stands(shell):
    shell.door = ScriptedDoor(answers={"bundle.join": ASKED})
    assert shell.run("peers", "join", "hermes1x", "--bundle", "ask.hbundle") == 0
    asked = {"code": "hermes1x", "path": str(shell.home / "ask.hbundle")}
    assert shell.door.queries == [("bundle.join", asked)]
    assert shell.out == "a bundle for npub1desk, 5,000 bytes\n"


def test_who_is_a_member_is_told_without_a_mesh(shell):
    shell.door = ScriptedDoor(answers={"bundle.peers": [PEER]})
    assert shell.run("peers", "list") == 0
    assert "unknown" in shell.out
