"""A person decides on a difference that was shown whole in this very talk, and on no other."""

import pytest

from hermes.gateway.gate_talk import GateTalk, GateWord
from hermes.testing.door import ScriptedDoor

CID = "bafyreib" + "q" * 43 + "abcd2345"
SHOWN = {
    "candidate": {"cid": CID, "parent": "1" * 40, "source": "agent", "task": "faster"},
    "verdict": None,
    "diff": "--- a/x\n+++ b/x\n+evil\u202e\x1b[2J\n",
    "diff_sha256": "d" * 64,
    "words": [],
    "adoptions": [],
}
DONE = {"candidate": CID, "answer": "approve", "cid": "c", "tag": "v0.2.0", "version": "a" * 40,
        "live": True}  # fmt: skip
STATUS = {
    "current": "", "runs": "", "stage": "", "tag": "", "previous": "", "says": "", "flag": "",
    "stops": {"flag": False, "begun_today": 0, "most_a_day": 4, "failures": 0, "halt_after": 8,
              "reason": "", "remedy": ""},
}  # fmt: skip
TRIAL = {"candidate": CID, "tag": "", "word": "approve", "state": "judged", "task": "faster"}


@pytest.fixture
def door():
    return ScriptedDoor(
        answers={
            "successor.show": SHOWN,
            "successor.answer": DONE,
            "successor.status": STATUS,
            "successor.list": [TRIAL],
        }
    )


@pytest.fixture
def talk(door):
    return GateTalk(door, "npub1x", "dm", 20_000)


async def test_what_there_is(talk):
    assert "abcd2345  approve: faster" in await talk.look("")


async def test_shown_then_approved(talk, door):
    assert talk.word_in("yes abcd2345") is None
    lines = await talk.look("abcd2345")
    assert lines[-1].startswith("Answer: yes abcd2345, or no abcd2345")
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    word = talk.word_in("Yes abcd2345.")
    assert word == GateWord("approve", "abcd2345")
    assert "v0.2.0" in "\n".join(await talk.say(word))
    (asked,) = door.asked("successor.answer")
    assert asked["name"] == CID
    assert asked["word"] == {
        "answer": "approve", "diff": "d" * 64, "who": "npub1x", "door": "dm", "reason": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no abcd2345 too clever", GateWord("reject", "abcd2345", "too clever")),
        (f"yes {CID}", GateWord("approve", "abcd2345")),
        ("yes", None),
        ("yes 1", None),
        ("yes zzzz2345", None),
        ("yes please", None),
        ("say yes abcd2345", None),
    ],
)
async def test_what_is_a_word(talk, text, word):
    await talk.look("abcd2345")
    assert talk.word_in(text) == word


async def test_what_was_not_shown_whole_is_not_decided_here(door):
    talk = GateTalk(door, "npub1x", "dm", 50)
    assert "too long" in (await talk.look("abcd2345"))[-1]
    assert talk.word_in("yes abcd2345") is None
