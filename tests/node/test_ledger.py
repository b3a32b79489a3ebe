"""The log through the door: roots, proofs, verification, archives, the sweep, what is recorded."""

import base64
import sqlite3
from contextlib import closing

import anyio
import pytest
from house import House, call, conversation_of, play

from hermes.core.canonical import cid_of, link
from hermes.core.ids import Cid
from hermes.core.merkle import leaf_hash, verify_consistency, verify_inclusion
from hermes.core.message import message_of
from hermes.gateway.client import RemoteError


async def talked(house, client, *words):
    model = house.script(*({"text": f"answer {number}"} for number in range(len(words))))
    events = []
    for word in words:
        events += await play(
            client,
            house.request(
                word, model=model, conversation_id=conversation_of(events) if events else ""
            ),
        )
    return await client.query("conversations.show", id=conversation_of(events))


async def test_a_message_is_proven_to_whoever_has_the_root(house):
    async with house.client() as client:
        shown = await talked(house, client, "one", "two")
        cid = Cid(shown["messages"][2]["cid"])
        proof = await client.query("log.prove", name=cid[:20])
        root = await client.query("log.root")

    assert (proof["root"], proof["size"]) == (root["root"], root["size"])
    path = tuple(bytes.fromhex(one) for one in proof["path"])
    verify_inclusion(
        leaf_hash(link(cid)), proof["index"], proof["size"], path, bytes.fromhex(root["root"])
    )
    block = base64.b64decode(proof["block"])
    assert cid_of(block) == proof["cid"] == cid
    assert message_of(block).text == "two"


async def test_growth_is_proven_between_two_sizes(house):
    async with house.client() as client:
        shown = await talked(house, client, "one")
        old = await client.query("log.root")
        await talked(house, client, "two")
        grown = await client.query("log.grown", since=old["size"])
        again = await client.query("log.root", size=old["size"])
    assert again["root"] == old["root"] == grown["old_root"]
    path = tuple(bytes.fromhex(one) for one in grown["path"])
    verify_consistency(
        old["size"], bytes.fromhex(old["root"]),
        grown["size"], bytes.fromhex(grown["root"]), path,
    )  # fmt: skip
    assert grown["size"] > old["size"]
    assert shown["messages"]


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("log.prove", {"name": "bafyreiaaaaaaaaaaaa"}),
        ("log.prove", {"name": "bafyrei"}),
        ("log.prove", {"name": "%"}),
        ("log.root", {"size": 1_000}),
        ("log.grown", {"since": 1_000}),
        ("log.export", {"path": "relative.car"}),
        ("log.export", {"path": "/nowhere/x.car"}),
        ("log.import", {"path": "/nowhere/x.car"}),
        ("log.verify", {"note": 7}),
        ("log.sweep", {"apply": "perhaps"}),
    ],
)
async def test_what_cannot_be_is_said(house, query, arguments):
    async with house.client() as client:
        with pytest.raises(RemoteError) as refused:
            await client.query(query, **arguments)
    assert refused.value.kind in {"Usage", "ConversationUnknown"}


async def test_verification_names_the_row_and_says_how_far_it_is(house):
    async with house.client() as client:
        await talked(house, client, "one")
        told = await client.query("log.verify")
        progress = await client.query("log.progress")
    assert (told["ok"], told["problems"], told["unchecked"]) == (True, [], [])
    assert progress == {"running": False, "seen": told["size"], "total": told["size"]}
    with closing(sqlite3.connect(house.settings.data_dir / "hermes.db")) as database, database:
        database.execute("UPDATE messages SET text = 'never said' WHERE text = 'one'")
    async with house.client() as client:
        told = await client.query("log.verify")
    assert not told["ok"]
    assert "text differs" in told["problems"][0]


async def test_a_checkpoint_from_elsewhere_is_compared(house):
    async with house.client() as client:
        await talked(house, client, "one")
        root = await client.query("log.root")
        text = base64.b64encode(bytes.fromhex(root["root"])).decode()
        line = f"— x {base64.b64encode(bytes(68)).decode()}\n"
        good = f"x\n{root['size']}\n{text}\n\n{line}"
        told = await client.query("log.verify", note=good)
        assert (told["ok"], told["checkpoints"]) == (True, [root["size"]])
        assert len(told["unchecked"]) == 1
        longer = await client.query(
            "log.verify", note=good.replace(f"\n{root['size']}\n", "\n99\n")
        )
        assert not longer["ok"]
        other = f"x\n{root['size']}\n{base64.b64encode(bytes(32)).decode()}\n\n{line}"
        assert not (await client.query("log.verify", note=other))["ok"]
        assert not (await client.query("log.verify", note="nonsense"))["ok"]


async def test_an_archive_goes_from_house_to_house(house, tmp_path):
    path = str(tmp_path / "talk.car")
    async with house.client() as client:
        shown = await talked(house, client, "one", "two")
        told = await client.query("log.export", path=path, conversations=[shown["id"][:13]])
        assert told["bytes"] == (await anyio.Path(path).stat()).st_size
        with pytest.raises(RemoteError, match="exists already"):
            await client.query("log.export", path=path)
    other = House(tmp_path / "other")
    async with other.client() as client:
        assert (await client.query("log.import", path=path))["conversations"] == [shown["id"]]
        there = await client.query("conversations.show", id=shown["id"])
        assert there["messages"] == shown["messages"]
        model = other.script({"text": "and on"})
        await play(client, other.request("go on", model=model, conversation_id=shown["id"]))
        assert (await client.query("log.verify"))["ok"]


async def test_undo_still_works_after_a_sweep(house):
    (house.project / "old.txt").write_text("one\n")
    async with house.client() as client:
        model = house.script(
            call("FileEdit", path="old.txt", old="one", new="two"), {"text": "done"}
        )
        events = await play(client, house.request("edit", model=model, yes=True))
        assert (await client.query("log.sweep", apply=True))["digests"] == []
        await client.query("conversations.undo", id=conversation_of(events), apply=True)
    assert (house.project / "old.txt").read_text() == "one\n"


async def test_nobody_signs_without_an_identity(house):
    async with house.client() as client:
        with pytest.raises(RemoteError, match="no identity") as refused:
            await client.query("log.checkpoint")
    assert refused.value.kind == "IdentityMissing"


async def test_a_lasting_owner_records_what_it_is_made_of_once(house):
    for _ in range(2):
        async with house.client(interactive=True) as client:
            with anyio.fail_after(20):
                while not (states := await _states(house)):
                    await client.query("log.root")
    assert len(states) == 1
    async with house.client() as client:
        proof = await client.query("log.prove", name=states[0])
        assert proof["kind"] == "hermes/architecture/1"
        assert (await client.query("log.sweep"))["digests"] == []
        assert (await client.query("log.verify"))["ok"]


async def _states(house):
    path = house.settings.data_dir / "hermes.db"

    def read():
        with closing(sqlite3.connect(path)) as database:
            found = database.execute("SELECT cid FROM acts WHERE kind = 'hermes/architecture/1'")
            return [cid for (cid,) in found]

    return await anyio.to_thread.run_sync(read)
