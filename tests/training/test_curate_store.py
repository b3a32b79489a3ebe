"""Curating real stores: what comes out, what stays in, and what happens when it goes wrong."""

import hashlib
import json
import resource
import sqlite3
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from hermes.errors import NotAvailable, StoreBusy, StoreCorrupt, StoreFull, StoreNewer, Usage
from hermes.store.transcripts import Transcripts
from tests.node.house import House, call, calls, conversation_of, play
from training.chat import parts
from training.curate.curate import curate
from training.curate.lines import read_lines
from training.curate.near import Near
from training.curate.options import Options

KEY = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    (made.project / "notes.txt").write_text(f"buy milk\ntoken {KEY}\nmail anna@corp.net\n")
    return made


@pytest.fixture
def say(house):
    """Plays one turn; the lines are the model's."""
    number = count()

    async def said(client, text, *lines, **fields):
        model = house.script(*lines, name=f"script-{next(number)}.jsonl")
        fields.setdefault("yes", True)
        return conversation_of(await play(client, house.request(text, model=model, **fields)))

    return said


def store_of(house) -> Path:
    return house.settings.data_dir / "hermes.db"


async def run(house, **options):
    out = house.base / "set"
    async with Transcripts.open(store_of(house)) as transcripts:
        return await curate(transcripts, Options(out=out, **options))


def read(house, name="train.jsonl"):
    return [json.loads(line) for line in (house.base / "set" / name).read_text().splitlines()]


def everything(house) -> str:
    return "".join(path.read_text() for path in (house.base / "set").iterdir())


async def test_a_turn_with_a_call_comes_out_in_chat_form_and_without_the_key(house, say):
    async with house.client() as client:
        await say(
            client,
            "what is in notes.txt?",
            call("FileRead", path="notes.txt"),
            {"text": f"Milk, the token {KEY} and anna@corp.net."},
        )
        summary = await run(house, held_out=0.0)  # the owner is still at work
    (line,) = read(house)
    asked, called, result, answer = line["messages"]
    assert asked == {"role": "user", "content": "what is in notes.txt?"}
    assert called == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "FileRead", "arguments": {"path": "notes.txt"}},
            }
        ],
    }
    assert (result["role"], result["tool_call_id"], result["name"]) == (
        "tool",
        "call_1",
        "FileRead",
    )
    assert answer["content"] == "Milk, the token ghp_example0001 and person1@example.com."
    assert "ghp_example0001" in result["content"]
    assert KEY not in everything(house)
    assert (summary.replaced["key"], summary.replaced["email"]) == (1, 1)
    assert (summary.lines, summary.turns) == ({"train": 1, "heldout": 0}, {"kept": 1})


async def test_only_good_turns_are_kept_and_the_others_are_counted(house, say):
    async with house.client() as client:
        first = await say(client, "say hello", {"text": "Hello there."})
        more = {"conversation_id": first}
        await say(
            client, "read gone.txt", call("FileRead", path="gone.txt"), {"text": "no"}, **more
        )
        await say(
            client,
            "write a.txt",
            call("FileWrite", path="a.txt", content="x"),
            {"text": "I may not."},
            yes=False,
            **more,
        )
        await say(client, "and then?", **more)  # the script is exhausted: the turn fails
        await say(client, "be silent", {"text": "  "}, **more)
        loop = [call("FileRead", path="notes.txt")] * 3
        await say(client, "look three times", *loop, {"text": "looked"}, **more)
        await say(
            client,
            "write b.txt with hi",
            call("FileWrite", path="b.txt", content="hi"),
            {"text": "Wrote b.txt."},
            **more,
        )
    summary = await run(house, held_out=0.0)
    users = [m["content"] for line in read(house) for m in line["messages"] if m["role"] == "user"]
    assert users == ["say hello", "write b.txt with hi"]
    assert summary.turns == {
        "kept": 2,
        "failed call": 1,
        "denied": 1,
        "unfinished": 1,
        "empty": 1,
        "looping": 1,
    }


async def test_a_correction_takes_the_wrong_turn_out_and_stands_by_itself(house, say):
    (house.project / "todo.md").write_text("- sleep\n")
    async with house.client() as client:
        first = await say(
            client, "show my list", call("FileRead", path="notes.txt"), {"text": "buy milk"}
        )
        more = {"conversation_id": first}
        await say(
            client,
            "no, I meant todo.md",
            call("FileRead", path="todo.md"),
            {"text": "- sleep"},
            **more,
        )
        await say(
            client, "and the other?", call("FileRead", path="notes.txt"), {"text": "x"}, **more
        )
    summary = await run(house, held_out=0.0)
    (line,) = read(house)
    assert line["messages"][0]["content"] == "show my list\n\nno, I meant todo.md"
    assert summary.turns == {"kept": 1, "corrected": 1, "leans on one left out": 1}


async def test_undone_turns_are_out(house, say):
    async with house.client() as client:
        talk = await say(client, "say hello", {"text": "Hello there."})
        more = {"conversation_id": talk}
        wish = ("FileWrite", {"path": "b.txt", "content": "hi"})
        await say(client, "write b.txt with hi", calls(wish), {"text": "Wrote it."}, **more)
        await client.query("conversations.undo", id=talk, apply=True)
    await run(house, held_out=0.0)
    assert "b.txt" not in everything(house)


async def test_private_conversations_and_forks_that_share_with_them_are_never_used(house, say):
    async with house.client() as client:
        await say(client, "a public word", {"text": "Said aloud."})
        secret = await say(client, "between us: mauve", {"text": "Mauve it is."}, private=True)
        later = await say(client, "the colour is ochre", {"text": "Ochre it is."})
        fork = (await client.query("conversations.fork", id=later))["id"]
        await say(client, "and more ochre", {"text": "More ochre."}, conversation_id=fork)
        await client.query("conversations.private", id=later)
        summary = await run(house, held_out=0.0)
        assert summary.conversations == {"kept": 1, "private": 3}
        assert "mauve" not in everything(house).lower()
        assert "ochre" not in everything(house).lower()
        await client.query("conversations.private", id=secret, on=False)
    assert (await run(house, held_out=0.0)).conversations == {"kept": 2, "private": 2}


async def test_near_duplicates_and_forks_count_once(house, say):
    text = "Please explain to me in a few words what a conversation is in this house, thank you"
    answer = {"text": "It is an id, a title and the heads that its history hangs from, no more."}
    async with house.client() as client:
        first = await say(client, text, answer)
        await say(client, text.lower() + "!", answer)
        await client.query("conversations.fork", id=first)
        await say(client, "Something else altogether, about boats", {"text": "Boats float."})
    summary = await run(house, held_out=0.0)
    assert summary.turns == {"kept": 2, "near-duplicate": 2}


async def test_an_imported_conversation_is_not_the_owners_work(house, say):
    async with house.client() as client:
        talk = await say(client, "say hello", {"text": "Hello there."})
        exported = await client.query("conversations.export", id=talk)
    other = House(house.base / "other")
    async with other.client() as client:
        await client.query("conversations.import", data=exported)
    with pytest.raises(NotAvailable, match="imported"):
        await run(other)
    assert not (other.base / "set").exists()


async def test_the_split_goes_by_conversation_and_stays_when_the_store_grows(house, say):
    async with house.client() as client:
        talks = [
            await say(client, f"topic {n} is {n}{n}{n}", {"text": f"Yes {n}."}) for n in range(6)
        ]
        await run(house, held_out=0.5)
        before = json.loads((house.base / "set/manifest.json").read_text())
        for talk in talks:
            await say(
                client, f"and what about {talk[-5:]}?", {"text": "New."}, conversation_id=talk
            )
        await run(house, held_out=0.5)
    after = json.loads((house.base / "set/manifest.json").read_text())
    splits = {source["id"]: source["split"] for source in before["sources"]}
    assert splits == {source["id"]: source["split"] for source in after["sources"]}
    assert len(splits) == len(talks)


async def test_the_manifest_tells_digests_counts_and_provenance_and_no_names(house, say):
    async with house.client() as client:
        talk = await say(client, "say hello", {"text": "Hello there."})
    await run(house, root=str(house.project))
    manifest = json.loads((house.base / "set/manifest.json").read_text())
    for name, facts in manifest["files"].items():
        data = (house.base / "set" / name).read_bytes()
        assert facts["sha256"] == hashlib.sha256(data).hexdigest()
        assert (facts["bytes"], facts["lines"]) == (len(data), data.count(b"\n"))
    assert manifest["hermes"]
    assert manifest["made"].endswith("Z")
    assert manifest["settings"]["held_out"] == 0.1
    assert talk not in json.dumps(manifest)
    assert str(house.project) not in json.dumps(manifest)
    assert {path.name for path in (house.base / "set").iterdir()} == {
        "train.jsonl",
        "heldout.jsonl",
        "manifest.json",
    }


async def test_the_trainer_reads_both_ways_of_writing_arguments(house, say):
    async with house.client() as client:
        await say(
            client,
            "read notes.txt, then notes.txt's first line",
            call("FileRead", path="notes.txt"),
            {"text": "buy milk"},
        )
    read_back = []
    for form in ("object", "text"):
        await run(house, held_out=0.0, arguments=form)
        read_back.append(list(read_lines(house.base / "set/train.jsonl")))
    assert read_back[0] == read_back[1]
    text = "".join(part.text for part in parts(read_back[0][0]))
    assert '<tool_call>\n{"name": "FileRead", "arguments": {"path": "notes.txt"}}' in text


def test_foreign_chat_files_are_read_and_bad_ones_named(tmp_path):
    path = tmp_path / "talk.jsonl"
    path.write_text(
        '{"messages": [{"role": "user", "content": "a"},'
        ' {"role": "assistant", "content": null, "weight": 0, "tool_calls":'
        ' [{"type": "function", "function": {"name": "T", "arguments": "{\\"x\\": 1}"}}]}]}\n'
    )
    (talk,) = read_lines(path)
    assert talk[1]["tool_calls"][0]["function"]["arguments"] == {"x": 1}
    assert talk[1]["loss"] is False
    path.write_text('{"messages": [{"role": "owner", "content": "a"}]}\n')
    with pytest.raises(Usage, match=r"talk\.jsonl, line 1"):
        list(read_lines(path))


async def test_a_conversation_in_which_something_stays_suspicious_is_dropped_whole(house, say):
    cut = "".join(f"\\u{ord(c):04x}" for c in KEY)
    async with house.client() as client:
        await say(client, f'what does {{"k": "{cut}"}} mean?', {"text": "It is escaped."})
        await say(client, "say hello", {"text": "Hello there."})
    summary = await run(house, held_out=0.0)
    assert summary.conversations == {"kept": 1, "suspicious": 1}
    assert "escaped" not in everything(house)


async def test_a_store_that_cannot_be_used_is_named(house, say, tmp_path):
    with pytest.raises(NotAvailable, match=r"hermes\.db"):
        await run(house)
    async with house.client():
        pass
    with pytest.raises(NotAvailable, match=r"hermes\.db.*no conversation"):
        await run(house)
    path = store_of(house)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE meta SET value = '99' WHERE key = 'min_reader'")
    database.close()
    with pytest.raises(StoreNewer, match=r"hermes\.db"):
        await run(house)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreCorrupt, match=r"hermes\.db"):
        await run(house)
    assert not (house.base / "set").exists()


@pytest.mark.slow  # SQLite waits five seconds for the lock
async def test_a_locked_store_is_named(house, say):
    async with house.client() as client:
        await say(client, "say hello", {"text": "Hello there."})
    holder = sqlite3.connect(store_of(house), isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StoreBusy, match=r"hermes\.db"):
            await run(house)
    finally:
        holder.close()


@contextmanager
def files_of_at_most(size: int):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_leaves_the_earlier_set_whole(house, say):
    async with house.client() as client:
        talk = await say(client, "say hello", {"text": "Hello there."})
    await run(house, held_out=0.0)
    earlier = everything(house)
    async with house.client() as client:
        for n in range(8):
            words = " ".join(f"word{n}x{i}" for i in range(2_000))
            await say(client, f"more of {n}", {"text": words}, conversation_id=talk)
    with files_of_at_most(100_000), pytest.raises(StoreFull, match="set"):
        await run(house, held_out=0.0)
    assert everything(house) == earlier
    assert len(list((house.base / "set").iterdir())) == 3


async def test_a_place_that_is_no_directory_is_refused(house, say):
    async with house.client() as client:
        await say(client, "say hello", {"text": "Hello there."})
    (house.base / "set").write_text("mine")
    with pytest.raises(Usage, match="set"):
        await run(house)
    assert (house.base / "set").read_text() == "mine"


def test_near_duplicates_are_near_and_others_are_not():
    near = Near(0.85)
    words = [f"word{n}" for n in range(120)]
    assert not near.seen(" ".join(words))
    assert near.seen(" ".join([*words[:60], "changed", *words[61:]]))
    assert not near.seen(" ".join(words[60:] + [f"other{n}" for n in range(60)]))
    assert not near.seen("read a.txt")
    assert not near.seen("read b.txt")
    assert near.seen("read  A.txt")
    assert not near.seen("")
