from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import msgspec
import pytest
from house import House, conversation_of, kinds, play

from hermes.config import Memory
from hermes.testing.acts import say
from hermes.testing.endpoint import serve

PORT = "the staging database listens on port 5433"
LUNCH = "lunch is at noon on the terrace"


@asynccontextmanager
async def _owner(house: House, server):
    """An owner whose turns go to the server, and what they ask."""
    async with house.client() as client:

        async def ask(text: str, conversation: str = "", **fields):
            request = house.request(
                text, model=f"{server.base_url}#m", conversation_id=conversation, **fields
            )
            events = await play(client, request)
            assert kinds(events)[-1] == "TurnFinished"
            return conversation_of(events)

        yield client, ask


def _system(seen) -> str:
    return seen.body["messages"][0]["content"]


def _said(seen) -> list[str]:
    return [one["content"] for one in seen.body["messages"] if one["role"] == "user"]


async def _add(client, house, *contents: str) -> None:
    for content in contents:
        await client.query("memory.add", root=str(house.project), content=content)


def _answers(_seen):
    return say("fine")


async def test_a_conversation_begins_with_what_fits_its_first_words(tmp_path):
    house = House(tmp_path, memory=Memory(recall_least=0.36))  # nothing for being recent
    async with serve(_answers) as server, _owner(house, server) as (client, ask):
        await _add(client, house, PORT, LUNCH)
        await ask("which port does the staging database use?")
        await ask("write a poem")
    first, second = server.requests
    assert f"[MEMORY MARKER] Decision: {PORT}. Source: person." in _system(first)
    assert LUNCH not in first.raw.decode()
    assert "MEMORY MARKER" not in second.raw.decode()


async def test_a_later_turn_gets_what_fits_it_before_its_words(tmp_path):
    house = House(tmp_path, memory=Memory(recall_least=0.36))
    async with serve(_answers) as server, _owner(house, server) as (client, ask):
        await _add(client, house, PORT, LUNCH)
        conversation = await ask("write a poem")
        await ask("and when is lunch?", conversation)
        await ask("lunch, again: when is it?", conversation)
    second, third = server.requests[1:]
    line = f"[MEMORY MARKER] Decision: {LUNCH}. Source: person."
    assert _said(second) == ["write a poem", f"{line}\nand when is lunch?"]
    assert _said(third) == [*_said(second), "lunch, again: when is it?"]
    assert "MEMORY MARKER" not in _system(third)


async def test_a_small_model_of_ours_gets_no_lines_between(tmp_path):
    house = House(tmp_path, memory=Memory(recall_least=0.36))
    async with serve(_answers) as server, _owner(house, server) as (client, ask):
        await _add(client, house, PORT, LUNCH)
        conversation = await ask("which port does the staging database use?", profile="native")
        await ask("and when is lunch?", conversation, profile="native")
    assert PORT in _system(server.requests[0])
    assert LUNCH not in server.requests[1].raw.decode()


async def test_a_reopened_conversation_is_shown_the_very_same(tmp_path):
    house = House(tmp_path)
    async with serve(_answers) as server:
        async with _owner(house, server) as (client, ask):
            await _add(client, house, PORT)
            conversation = await ask("which port does the staging database use?")
            await _add(client, house, LUNCH)
            await ask("when is lunch?", conversation)
        async with _owner(house, server) as (client, ask):
            await _add(client, house, "the staging database is the one to use")
            await ask("thanks", conversation)
    messages = [seen.body["messages"] for seen in server.requests]
    assert LUNCH in messages[1][-1]["content"]
    assert messages[1][: len(messages[0])] == messages[0]
    assert messages[2][: len(messages[1])] == messages[1]


async def test_what_is_forgotten_is_not_shown_again(tmp_path):
    house = House(tmp_path)
    async with serve(_answers) as server:
        async with _owner(house, server) as (client, ask):
            await _add(client, house, PORT)
            conversation = await ask("which port does the staging database use?")
            await client.query("memory.forget", id=1)
        async with _owner(house, server) as (client, ask):
            await ask("thanks", conversation)
    assert PORT in _system(server.requests[0])
    assert PORT not in server.requests[1].raw.decode()


async def test_markers_keep_to_their_bytes(tmp_path):
    house = House(tmp_path, memory=Memory(recall_bytes=200))
    async with serve(_answers) as server, _owner(house, server) as (client, ask):
        await _add(client, house, *(f"the port of service {n} is {5000 + n}" for n in range(9)))
        await ask("which port has service 3?", profile="full")
    lines = [line for line in _system(server.requests[0]).splitlines() if "MEMORY" in line]
    assert lines
    assert "service 3" in lines[0]
    assert sum(len(line) + 1 for line in lines) <= 200


async def test_no_bytes_no_markers(tmp_path):
    house = House(tmp_path, memory=Memory(recall_bytes=0))
    async with serve(_answers) as server, _owner(house, server) as (client, ask):
        await _add(client, house, PORT)
        conversation = await ask("which port does the staging database use?")
        await ask("which port?", conversation)
    assert all("MEMORY MARKER" not in seen.raw.decode() for seen in server.requests)


async def test_why_says_what_was_shown_and_what_came_close(tmp_path):
    house = House(tmp_path, memory=Memory(recall_least=0.5))
    async with serve(_answers) as server, _owner(house, server) as (client, ask):
        await _add(client, house, PORT, "the office has a port for ships, boats, rafts and more")
        conversation = await ask("which port does the staging database use?")
        told = await client.query("memory.why", root=str(house.project))
        named = await client.query(
            "memory.why", root=str(house.project), conversation=conversation[:20]
        )
    assert named == told
    assert told["conversation_id"] == conversation
    shown, *near = told["memories"]
    assert (shown["content"], shown["shown"]) == (PORT, True)
    assert shown["score"] >= 0.5
    assert shown["why"]["text_rank"] == 1
    assert shown["said"] == "which port does the staging database use?"
    assert all(not one["shown"] and one["score"] < 0.5 for one in near)


async def test_looking_at_the_context_writes_nothing(tmp_path):
    house = House(tmp_path)
    async with house.client() as client:
        await _add(client, house, PORT)
        request = msgspec.to_builtins(house.request("which port?"))
        await client.query("context", conversation_id="", request=request)
        told = await client.query("memory.why", root=str(house.project))
    assert told["memories"] == []


async def test_the_recall_tool_and_search_find_by_fit_and_count_use(tmp_path):
    house = House(tmp_path)
    script = house.script(
        {"tool_calls": [{"name": "Recall", "arguments": {"query": "ports of databases"}}]},
        {"text": "done"},
    )
    async with house.client() as client:
        await _add(client, house, PORT, LUNCH)
        events = await play(client, house.request("go", model=script))
        found = await client.query("memory.search", root=str(house.project), query="database ports")
    result = next(e.result for e in events if type(e).__name__ == "ToolFinished")
    assert result == PORT
    assert [one["content"] for one in found] == [PORT]
    assert found[0]["why"]["uses"] == 1


@pytest.mark.parametrize("kind", ["sqlite-vec", "faiss"])
async def test_with_vectors_other_forms_are_found_and_the_file_lies_beside_the_store(
    tmp_path, kind
):
    house = House(tmp_path, memory=Memory(vectors=kind))
    said = "Datenbankverbindungen laufen über Port 5433"
    async with house.client() as client:
        await _add(client, house, said)
        arguments = {"root": str(house.project), "query": "Testdatenbankverbindung"}
        with anyio.fail_after(20):
            while not (found := await client.query("memory.search", **arguments)):
                await anyio.lowlevel.checkpoint()
    assert found[0]["content"] == said
    assert found[0]["why"]["vector_rank"] == 1
    assert list((tmp_path / "data").glob("vectors.*"))


async def test_an_embedder_that_names_no_model_leaves_memories_to_their_words(tmp_path):
    house = House(tmp_path, memory=Memory(vectors="faiss", embedder="http://localhost:1"))
    async with house.client() as client:
        await _add(client, house, PORT)
        found = await client.query("memory.search", root=str(house.project), query="port")
    assert [one["content"] for one in found] == [PORT]
    assert "names no model" in (tmp_path / "data" / "hermes.log").read_text()
