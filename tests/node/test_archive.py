"""Conversations as the person keeps them: undo, fork, export, import, private."""

import json
import os

import anyio
import pytest
from house import House, calls, conversation_of, play

from hermes.gateway.client import RemoteError


async def _edited(house, client):
    (house.project / "old.txt").write_text("one\n")
    model = house.script(
        calls(
            ("FileEdit", {"path": "old.txt", "old": "one", "new": "two"}),
            ("FileEdit", {"path": "old.txt", "old": "two", "new": "three"}),
            ("FileWrite", {"path": "dir/new.txt", "content": "fresh"}),
        ),
        {"text": "done"},
    )
    events = await play(client, house.request("edit it", model=model, yes=True))
    assert (house.project / "old.txt").read_text() == "three\n"
    return conversation_of(events)


async def test_undo_shows_first_and_then_puts_files_back(house):
    async with house.client() as client:
        conversation = await _edited(house, client)
        shown = await client.query("conversations.undo", id=conversation, apply=False)
        assert (house.project / "old.txt").read_text() == "three\n"
        assert {file["state"] for file in shown["files"]} == {"clean"}
        assert any("+one" in file["diff"] for file in shown["files"])
        done = await client.query("conversations.undo", id=conversation, apply=True)
        assert done["text"] == "edit it"
        after = await client.query("conversations.show", id=conversation)
    assert (house.project / "old.txt").read_text() == "one\n"
    assert not (house.project / "dir/new.txt").exists()
    assert after["messages"] == []


async def test_undo_leaves_a_file_that_changed_since(house):
    async with house.client() as client:
        conversation = await _edited(house, client)
        (house.project / "old.txt").write_text("mine\n")
        done = await client.query("conversations.undo", id=conversation, apply=True)
    states = {file["path"].rpartition("/")[2]: file["state"] for file in done["files"]}
    assert states == {"old.txt": "changed", "new.txt": "clean"}
    assert (house.project / "old.txt").read_text() == "mine\n"


async def test_undo_never_waits_for_what_is_no_file(house):
    async with house.client() as client:
        conversation = await _edited(house, client)
        (house.project / "old.txt").unlink()
        os.mkfifo(house.project / "old.txt")
        with anyio.fail_after(5):
            shown = await client.query("conversations.undo", id=conversation, apply=False)
    states = {file["path"].rpartition("/")[2]: file["state"] for file in shown["files"]}
    assert states == {"old.txt": "changed", "new.txt": "clean"}


async def test_nothing_to_undo_is_said(house):
    async with house.client() as client:
        conversation = await _edited(house, client)
        await client.query("conversations.undo", id=conversation, apply=True)
        with pytest.raises(RemoteError, match="no turn"):
            await client.query("conversations.undo", id=conversation, apply=True)


async def test_a_fork_goes_its_own_way(house):
    async with house.client() as client:
        model = house.script({"text": "a"}, {"text": "b"})
        events = await play(client, house.request("root", model=model))
        fork = await client.query("conversations.fork", id=conversation_of(events))
        request = house.request("branch", model=model, conversation_id=fork["id"])
        await play(client, request)
        first = await client.query("conversations.show", id=conversation_of(events))
        second = await client.query("conversations.show", id=fork["id"])
    assert len(first["messages"]) == 2
    assert len(second["messages"]) == 4
    assert second["messages"][:2] == first["messages"]


async def test_an_export_can_be_imported_elsewhere(house, tmp_path):
    async with house.client() as client:
        conversation = await _edited(house, client)
        exported = await client.query("conversations.export", id=conversation)
    other = House(tmp_path / "other")
    async with other.client() as client:
        await client.query("conversations.import", data=json.loads(json.dumps(exported)))
        shown = await client.query("conversations.show", id=conversation)
        assert shown["messages"] == exported["messages"]
        with pytest.raises(RemoteError, match="already"):
            await client.query("conversations.import", data=exported)


async def test_a_forged_export_is_refused_whole(house, tmp_path):
    async with house.client() as client:
        conversation = await _edited(house, client)
        exported = await client.query("conversations.export", id=conversation)
    exported["messages"][-1]["parts"][0]["text"] = "something else"
    other = House(tmp_path / "other")
    async with other.client() as client:
        with pytest.raises(RemoteError, match="does not match"):
            await client.query("conversations.import", data=exported)
        assert await client.query("conversations.list") == []


async def test_search_private_and_memory(house):
    async with house.client() as client:
        events = await play(
            client, house.request("the walrus", model=house.script({"text": "indeed"}))
        )
        conversation = conversation_of(events)
        hits = await client.query("conversations.search", query="walrus")
        assert [hit["conversation"] for hit in hits] == [conversation]
        info = await client.query("conversations.private", id=conversation[:13], on=True)
        assert info["private"] is True
        root = str(house.project)
        kept = await client.query("memory.add", root=root, content="use SQLite")
        found = await client.query("memory.search", root=root, query="sqlite")
        assert [memory["id"] for memory in found] == [kept["id"]]
        await client.query("memory.forget", id=kept["id"])
        assert await client.query("memory.list", root=root) == []
