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
