import json

import pytest

from hermes.testing.door import ScriptedDoor

ROOT = {"size": 7, "root": "ab" * 32, "signed_size": None, "note": None}
PROOF = {"index": 2, "size": 7, "root": "ab" * 32, "path": ["00" * 32], "note": None}
GROWN = {"old_size": 3, "size": 7, "root": "ab" * 32, "path": []}
GOOD = {"ok": True, "problems": [], "unchecked": [], "size": 7, "checkpoints": [5]}
BAD = GOOD | {"ok": False, "problems": ["message x\x1b[31m: text differs"]}
EXPORTED = {
    "blocks": 4, "blobs": 1, "bytes": 9_000, "private": 2, "erased": ["bafyA"], "missing": [],
    "left_out": [],
}  # fmt: skip
IMPORTED = {
    "blocks": 4, "blobs": 0, "known": 2, "erased": 0, "conversations": ["0199a"], "kept": ["0199b"],
    "refused": [],
}  # fmt: skip
SWEPT = {"digests": ["ab"], "bytes": 12, "kept": 3, "dry": True}


@pytest.mark.parametrize(
    ("words", "query", "answer", "arguments", "said"),
    [
        ("log root", "log.root", ROOT, {}, "signed  never"),
        ("log root --size 3", "log.root", ROOT | {"signed_size": 5}, {"size": 3}, "5 entries"),
        ("log prove bafyx", "log.prove", PROOF, {"name": "bafyx"}, "entry 2 of 7"),
        ("log prove bafyx --size 9", "log.prove", PROOF, {"size": 9}, "1 hashes"),
        ("log prove --from 3", "log.grown", GROWN, {"since": 3}, "7 entries grew out of 3"),
        ("log verify", "log.verify", GOOD, {"note": ""}, "7 entries, all as they were written"),
        ("log checkpoint", "log.checkpoint", {"note": "a\n7\nx\n\n— s\n"}, {}, "a\n7\nx\n\n— s\n"),
        ("log checkpoint", "log.checkpoint", {"note": ""}, {}, "the log is empty"),
        ("log import /x.car", "log.import", IMPORTED, {"path": "/x.car"}, "0199b was here"),
        ("log sweep", "log.sweep", SWEPT, {"apply": False}, "found 1"),
        ("log sweep --apply", "log.sweep", SWEPT | {"dry": False}, {"apply": True}, "removed 1"),
        ("log export /x.car", "log.export", EXPORTED, {"conversations": [], "names": []}, "erased"),
        (
            "log export /x.car --conversation a --conversation b --block c",
            "log.export", EXPORTED, {"conversations": ["a", "b"], "names": ["c"]}, "4 blocks",
        ),
    ],
)  # fmt: skip
def test_every_verb_asks_and_prints(shell, words, query, answer, arguments, said):
    shell.door = ScriptedDoor(answers={query: answer})
    assert shell.run(*words.split()) == 0
    assert shell.door.asked(query)[0].items() >= arguments.items()
    assert said in shell.out
    shell.door = ScriptedDoor(answers={query: answer})
    assert shell.run(*words.split(), "--json") == 0
    assert json.loads(shell.out) == answer


def test_an_archive_with_private_conversations_says_so(shell):
    for private in (2, 0):
        shell.door = ScriptedDoor(answers={"log.export": EXPORTED | {"private": private}})
        assert shell.run("log", "export", "/x.car") == 0
        assert ("private conversations in it: 2" in shell.err) == bool(private)


def test_each_bad_row_is_named_and_the_exit_code_says_so(shell):
    shell.door = ScriptedDoor(answers={"log.verify": BAD | {"unchecked": ["a note: nobody"]}})
    assert shell.run("log", "verify") == 1
    assert "text differs" in shell.out
    assert "not checked: a note" in shell.out
    assert "1 bad" in shell.out
    assert "\x1b" not in shell.out
    assert shell.run("log", "verify", "--json") == 1


def test_a_checkpoint_is_read_from_a_file(shell):
    shell.door = ScriptedDoor(answers={"log.verify": GOOD})
    (shell.home / "old.note").write_text("a note")
    assert shell.run("log", "verify", "--checkpoint", "old.note") == 0
    assert shell.door.asked("log.verify") == [{"note": "a note"}]
    assert shell.run("log", "verify", "--checkpoint", "gone.note") == 2


def test_paths_are_the_callers(shell):
    shell.door = ScriptedDoor(answers={"log.export": EXPORTED, "log.import": IMPORTED})
    shell.run("log", "export", "x.car")
    shell.run("log", "import", "x.car")
    asked = shell.door.asked("log.export") + shell.door.asked("log.import")
    assert [one["path"] for one in asked] == [str(shell.home / "x.car")] * 2


def test_a_proof_goes_to_a_new_file_only(shell):
    shell.door = ScriptedDoor(answers={"log.prove": PROOF, "log.checkpoint": {"note": "n\n"}})
    assert shell.run("log", "prove", "x", "--out", "p.json") == 0
    assert json.loads((shell.home / "p.json").read_text()) == PROOF
    assert shell.run("log", "prove", "x", "--out", "p.json") == 2
    assert shell.run("log", "checkpoint", "--out", "c.note") == 0
    assert (shell.home / "c.note").read_text() == "n\n"


def test_one_thing_is_proven_at_a_time(shell):
    assert shell.run("log", "prove") == 2
    assert shell.run("log", "prove", "x", "--from", "3") == 2
    assert shell.run("log", "prove", "--from", "-3") == 2
    assert shell.run("log") == 2


def test_a_terminal_sees_how_far_it_is(shell):
    """The verification goes on until its progress was drawn."""
    far = {"running": True, "seen": 500, "total": 1_000}
    shell.door = Slow(answers={"log.verify": GOOD, "log.progress": far})
    assert shell.run("log", "verify", tty=True) == 0
    assert "50% 500 of 1,000" in shell.err
    assert shell.err.endswith("\r")
    assert shell.out.startswith("7 entries")


class Slow(ScriptedDoor):
    async def query(self, name, /, **arguments):
        if name == "log.verify":
            await self.drawn.wait()
        answer = await super().query(name, **arguments)
        if len(self.asked("log.progress")) > 1:
            self.drawn.set()
        return answer

    @property
    def drawn(self):
        return self.stopped
