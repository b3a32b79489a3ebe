"""Long work in a small window, through the front end's door and over a restart."""

import json

import msgspec
from house import conversation_of, play

from hermes.config import Limits, Memory
from hermes.core.event import Compacted
from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.testing.acts import say
from hermes.testing.endpoint import serve

ROUNDS = 40
WINDOW = 4_096
DECISION = "We use Postgres, never MySQL."
CORRECTION = "No, port 5433 instead of 5432."


class Reader:
    """A server whose model notes what it is told and then reads forty files, one by one."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.steps = 0

    def __call__(self, seen):
        words = json.dumps(seen.body["messages"])
        self.seen.append(words)
        size = len(seen.raw) // 3
        asked = [m["content"] for m in seen.body["messages"] if m["role"] == "user"][-1]
        if "read them all" not in asked or self.steps == ROUNDS:
            return say("Noted.", usage=(size, 0, 5))
        self.steps += 1
        call = ToolCall(CallId("c"), "FileRead", json.dumps({"path": f"f{self.steps}"}))
        said = "I decided to keep the old index." if self.steps == 2 else ""
        return say(said, [call], usage=(size, 0, 30))


def _fill(house) -> None:
    for number in range(1, ROUNDS + 1):
        lines = "".join(f"{number:03}-{line:05} some words\n" for line in range(900))
        (house.project / f"f{number}").write_text(lines)


async def test_decisions_outlast_forty_rounds_and_a_restart(house):
    _fill(house)
    limits = Limits(steps=60, tokens=10_000_000)
    house.settings = msgspec.structs.replace(house.settings, limits=limits)
    server, where = Reader(), ""
    async with serve(server) as endpoint:
        model = f"{endpoint.base_url}#m"
        seen = []
        async with house.client() as client:
            for text in (DECISION, CORRECTION, "read them all"):
                request = house.request(text, model=model, context=WINDOW, conversation_id=where)
                seen = await play(client, request)
                where = conversation_of(seen)
            asked = msgspec.to_builtins(house.request("", model=model, context=WINDOW))
            told = await client.query("context", conversation_id=where, request=asked)
        cuts = [event for event in seen if isinstance(event, Compacted)]
        assert seen[-1].text == "Noted."
        assert server.steps == ROUNDS
        assert sum(cut.by == "rules" for cut in cuts) > ROUNDS // 4
        assert cuts[-1].digest_bytes
        for words in (DECISION, CORRECTION, "I decided to keep the old index.", "read them all"):
            assert words in server.seen[-1]
        async with house.client() as client:
            request = house.request("go on", model=model, context=WINDOW, conversation_id=where)
            await play(client, request)
            again = await client.query("context", conversation_id=where, request=asked)
    assert DECISION in server.seen[-1]
    assert "in brief" in server.seen[-1]
    assert len(server.seen[-1]) < 4 * WINDOW
    view = told["view"]
    assert view["by"] == "rules"
    assert view["summarised"]["messages"] > ROUNDS
    assert view["dropped"]["messages"] == 0
    assert view["saved"] > 7 * WINDOW
    assert 0 < view["summarised"]["shown"] < view["summarised"]["tokens"]
    assert again["view"]["digest_bytes"] == view["digest_bytes"]


async def test_without_compaction_the_last_resort_does(house):
    _fill(house)
    memory, limits = Memory(compaction=False), Limits(steps=60, tokens=10_000_000)
    house.settings = msgspec.structs.replace(house.settings, memory=memory, limits=limits)
    server = Reader()
    async with serve(server) as endpoint, house.client() as client:
        model = f"{endpoint.base_url}#m"
        seen = await play(client, house.request("read them all", model=model, context=WINDOW))
    cuts = [event for event in seen if isinstance(event, Compacted)]
    assert seen[-1].text == "Noted."
    assert cuts
    assert {cut.by for cut in cuts} == {"limit"}
    assert not any(cut.digest_bytes for cut in cuts)
