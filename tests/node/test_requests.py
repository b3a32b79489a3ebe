"""What goes out to a server, byte for byte: sizes, stable prefixes, windows that are too small."""

from itertools import pairwise

import anyio
import msgspec
import pytest
from house import House, conversation_of, kinds, play
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.core.event import Compacted, Notice
from hermes.core.message import ToolCall
from hermes.testing.acts import DONE, Act, chunk, overflow, refuse, say
from hermes.testing.endpoint import serve

LIMIT = {"full": 6_400, "lean": 2_048}
MEMORY = "decision number {}: we use SQLite for everything durable, one file is easy to back up"


def _tool(name: str, arguments: dict) -> ToolCall:
    return ToolCall("c", name, msgspec.json.encode(arguments).decode())


def _body(seen) -> bytes:
    """The messages of a request, without the bracket that closes them."""
    found = msgspec.json.decode(seen.raw, type=dict[str, msgspec.Raw])
    return bytes(found["messages"]).removesuffix(b"]")


@pytest.mark.parametrize("skin", ["hermes", "plain"])
@pytest.mark.parametrize("profile", ["full", "lean"])
async def test_a_first_request_keeps_its_profile_limit(house, profile, skin):
    async with serve([say("hi")]) as server, house.client() as client:
        for number in range(9):
            content = MEMORY.format(number) * (1 + number % 3)
            await client.query("memory.add", root=str(house.project), content=content)
        model = f"{server.base_url}#m"
        await play(client, house.request("hello", model=model, profile=profile, skin=skin))
        raw = server.requests[0].raw
    assert len(raw) <= LIMIT[profile]
    assert b"[MEMORY MARKER]" in raw


async def test_the_shipped_model_gets_few_tokens(house):
    async with house.client() as client:
        for number in range(9):
            content = MEMORY.format(number) * 2
            await client.query("memory.add", root=str(house.project), content=content)
        request = msgspec.to_builtins(house.request("hello"))
        told = await client.query("context", conversation_id="", request=request)
    assert told["profile"] == "native"
    assert told["method"] == "tokenizer"
    assert told["total"] <= 300


_step = st.one_of(
    st.builds(lambda n: [("FileRead", {"path": f"f{n}"})], st.integers(0, 2)),
    st.builds(lambda n: [("ListDir", {"path": "."}), ("FileRead", {"path": f"f{n}"})],
              st.integers(0, 2)),
    st.just([("NoSuchTool", {})]),
)  # fmt: skip
_turns = st.lists(st.lists(_step, max_size=3), min_size=2, max_size=4)


@pytest.mark.parametrize("window", [2_048, 4_096])
@given(turns=_turns, bulk=st.integers(1, 400))
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_prefix_only_changes_when_it_is_said(tmp_path_factory, window, turns, bulk):
    house = House(tmp_path_factory.mktemp("house"))
    for number in range(3):
        (house.project / f"f{number}").write_text(f"a line of file {number}\n" * bulk)
    acts = []
    for number, steps in enumerate(turns):
        acts += [say("I look.", [_tool(*one) for one in step]) for step in steps]
        acts.append(say(f"answer {number}"))
    async with serve(acts) as server, house.client() as client:
        conversation, broken = "", set()
        for number in range(len(turns)):
            request = house.request(
                f"question {number}",
                model=f"{server.base_url}#m",
                context=window,
                conversation_id=conversation,
            )
            before = len(server.requests)
            async with client.turn(request) as events:
                seen = [event async for event in events]
            assert kinds(seen)[-1] == "TurnFinished"
            conversation = conversation_of(seen)
            if any(isinstance(event, Compacted) for event in seen):
                broken |= set(range(before, len(server.requests) + 1))
        bodies = [_body(seen) for seen in server.requests]
    for number, (one, two) in enumerate(pairwise(bodies), 1):
        assert number in broken or two.startswith(one)
    assert all(len(body) < 4 * window for body in bodies)


async def test_an_overflow_shrinks_the_prompt_and_the_turn_goes_on(house):
    (house.project / "big").write_text("words and words\n" * 2_000)
    acts = [
        say("", [_tool("FileRead", {"path": "big"})]),
        overflow(5_000, 4_096),
        say("It is long."),
    ]
    async with serve(acts) as server, house.client() as client:
        model = f"{server.base_url}#m"
        events = await play(client, house.request(model=model, context=8_192))
        sizes = [len(seen.raw) for seen in server.requests]
    assert events[-1].text == "It is long."
    assert sizes[2] < sizes[1]
    compacted = next(event for event in events if isinstance(event, Compacted))
    assert (compacted.dropped_turns, compacted.elided_results) in {(0, 0), (0, 1)}


async def test_an_overflow_that_nothing_helps_ends_the_turn(house):
    async with serve(lambda _seen: overflow(9_000, 256)) as server, house.client() as client:
        events = await play(client, house.request(model=f"{server.base_url}#m", context=4_096))
        assert len(server.requests) < 8
    assert events[-1].kind == "ModelOverflow"


async def test_an_answer_that_was_cut_is_said(house):
    parts = (chunk({"content": "half an"}), chunk({}, finish="length"), DONE)
    async with serve([Act(parts)]) as server, house.client() as client:
        events = await play(client, house.request(model=f"{server.base_url}#m", context=4_096))
    assert events[-1].text == "half an"
    assert any("go on" in event.text for event in events if isinstance(event, Notice))


async def test_a_key_is_not_stored_and_a_resumed_turn_says_that_it_is_missing(house):
    def answer(seen):
        known = seen.headers.get("authorization") == "Bearer secret-key"
        return Act(delay_s=60) if known else refuse(401, {"message": "who are you?"})

    async with serve(answer) as server, anyio.create_task_group() as owning:
        request = house.request(model=f"{server.base_url}#m", context=4_096, api_key="secret-key")

        async def owner():
            async with house.client(interactive=True) as client, client.turn(request):
                await server.arrived(1)
                owning.cancel_scope.cancel()

        owning.start_soon(owner)
    port = int(server.base_url.split(":")[2].split("/")[0])
    asked = msgspec.structs.replace(request, api_key="")
    async with serve(answer, port=port), house.client(interactive=True) as client:
        with anyio.fail_after(5):
            events = await play(client, asked)
    assert "who are you?" in events[-1].error
    async for path in anyio.Path(house.settings.data_dir).rglob("*"):
        if await path.is_file():
            assert b"secret-key" not in await path.read_bytes()
