"""Calls, thoughts and broken tokens that a server hands over as plain text."""

import sys
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ChatMessage, ModelRequest, Piece, Reply, ToolSpec
from hermes.errors import ModelRefused, ModelTimedOut, ModelUnreachable
from hermes.models.client import ChatClient, Retry, Server
from hermes.models.describe import describe
from hermes.testing.acts import Act, chunk, refuse, say, silence
from hermes.testing.endpoint import serve

TOOLS = (ToolSpec("Bash", "", {"type": "object"}),)
ASK = ModelRequest("", (ChatMessage("user", "hello"),), TOOLS)
CALL = '<tool_call>\n{"name": "Bash", "arguments": {"command":  "ls"}}\n</tool_call>'


@asynccontextmanager
async def talk(acts=(), pages=None):
    async with (
        serve(acts, pages=pages) as endpoint,
        ChatClient(Server(model="m", base_url=endpoint.base_url)) as client,
    ):
        yield client, endpoint


async def ask(text, request=ASK, *, finish="stop", size=3) -> tuple[list[Piece], Reply]:
    deltas = [chunk({"content": text[n : n + size]}) for n in range(0, len(text), size)]
    act = Act((*deltas, chunk({}, finish)))
    async with talk([act]) as (client, _), client.stream(request) as items:
        *pieces, reply = [item async for item in items]
    assert "".join(p.text for p in pieces if not p.thought) == reply.text
    return pieces, reply


async def test_a_call_in_the_text_becomes_a_call_and_never_shows():
    pieces, reply = await ask("I look.\n" + CALL)
    assert [(c.name, c.arguments) for c in reply.calls] == [("Bash", '{"command":  "ls"}')]
    assert reply.raw == "I look.\n" + CALL
    assert reply.text == "I look."
    assert reply.finish == "tool_calls"
    assert not any("<" in piece.text for piece in pieces)


async def test_prose_is_not_raw():
    _, reply = await ask("a < b, `<tool_call>` is a tag.\n")
    assert (reply.text, reply.raw) == ("a < b, `<tool_call>` is a tag.\n", "")
    assert reply.calls == ()


async def test_without_tools_text_stays_text():
    _, reply = await ask(CALL, ModelRequest("", ASK.messages))
    assert (reply.text, reply.calls) == (CALL, ())


async def test_an_unreadable_call_says_why_and_keeps_what_was_generated():
    _, reply = await ask('Well.\n<tool_call>{"name": "Bash", "arg')
    assert "not closed" in reply.malformed
    assert (reply.text, reply.calls) == ("Well.", ())
    assert reply.raw.startswith("Well.\n<tool_call>")


async def test_a_call_cut_at_the_token_limit_is_not_run():
    text = '<tool_call>{"name": "Bash", "arguments": {"command": "rm -rf build"'
    _, reply = await ask(text, finish="length")
    assert reply.calls == ()
    assert "token limit" in reply.malformed
    assert reply.finish == "length"


async def test_a_thought_in_the_text_is_no_answer():
    pieces, reply = await ask(f"<think>Should I {CALL}?</think>\nNo.")
    assert "".join(p.text for p in pieces if p.thought) == f"Should I {CALL}?"
    assert (reply.text, reply.calls) == ("No.", ())


async def test_broken_tokens_are_mended_and_are_no_calls():
    _, reply = await ask('see <\u200btool_call>{"name": "Bash", "arguments": {}}')
    assert reply.text == 'see <tool_call>{"name": "Bash", "arguments": {}}'
    assert reply.calls == ()
    _, reply = await ask(CALL.replace("ls", "echo '<\u200b|im_end|>'"))
    assert reply.calls[0].arguments == '{"command":  "echo \'<|im_end|>\'"}'


async def test_structured_calls_are_mended_too():
    call = ToolCall(CallId("c"), "Bash", '{"command": "<\u200b|im_end|>"}')
    async with talk([say("", [call])]) as (client, _), client.stream(ASK) as items:
        *_, reply = [item async for item in items]
    assert reply.calls[0].arguments == '{"command": "<|im_end|>"}'


LLAMA = {"/apply-template": {"prompt": "<s>hello"}, "/tokenize": {"tokens": [1, 2, 3]}}


async def test_counts_with_the_servers_tokenizer_once_a_prompt():
    async with talk(pages=LLAMA) as (client, endpoint):
        assert [await client.count(ASK) for _ in range(3)] == [3, 3, 3]
        assert [seen.path for seen in endpoint.others] == ["/apply-template", "/tokenize"]
        assert endpoint.others[1].body["content"] == "<s>hello"


@pytest.mark.parametrize("page", [refuse(404), refuse(500), Act((b"[]",)), Act((b"{}",))])
async def test_counts_by_estimate_where_the_server_cannot(page):
    async with talk(pages={"/apply-template": page}) as (client, endpoint):
        assert 5 < await client.count(ASK) < 60
        await client.count(ASK)
        assert len(endpoint.others) == (1 if page.status == 404 else 2)


@pytest.mark.parametrize(
    ("pages", "window"),
    [
        ({"/props": {"default_generation_settings": {"n_ctx": 2048}}}, 2048),
        ({"/v1/models": {"data": [{"id": "a"}, {"id": "m", "max_model_len": 8192}]}}, 8192),
        ({"/v1/models": {"data": [{"id": "m", "meta": {"n_ctx": 512}}]}}, 512),
        ({"/v1/models": {"data": [{"id": "m", "max_model_len": "many"}]}}, 0),
        ({"/v1/models": {"data": "none"}, "/props": [1]}, 0),
    ],
)
async def test_describes_the_window(pages, window):
    async with serve([], pages=pages) as endpoint:
        found = await describe(Server(model="m", base_url=endpoint.base_url))
    assert found.window == window
    assert all(found.models)


async def test_describes_the_models_or_says_why_not():
    async with serve([]) as endpoint:
        server = Server(model="m", base_url=endpoint.base_url)
        assert (await describe(server)).models == ("scripted",)
    with pytest.raises(ModelUnreachable):
        await describe(server)
    async with serve([], pages={"/v1/models": refuse(401, "key")}) as endpoint:
        with pytest.raises(ModelRefused, match="key"):
            await describe(Server(model="m", base_url=endpoint.base_url))
    async with serve([], pages={"/v1/models": silence()}) as endpoint:
        with pytest.raises(ModelTimedOut):
            await describe(Server(model="m", base_url=endpoint.base_url), wait_s=0.05)


async def test_two_conversations_at_once():
    async def one(client: ChatClient, found: set[str]) -> None:
        async with client.stream(ASK) as items:
            *_, reply = [item async for item in items]
            found.add(reply.text)

    found: set[str] = set()
    acts = [say(f"answer {n}", chunk_delay_s=0.01) for n in range(5)]
    async with talk(acts) as (client, _), anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one, client, found)
    assert len(found) == 5


async def test_a_script_makes_an_endpoint_of_its_own(tmp_path):
    script = tmp_path / "s.jsonl"
    await anyio.Path(script).write_text(
        '{"text": "from afar", "tool_calls": [{"name": "Bash", "arguments": {"command": "ls"}}]}'
    )
    command = [sys.executable, "-m", "hermes.testing.endpoint", "--script", str(script), "--loop"]
    async with await anyio.open_process(command) as process:
        try:
            line = await process.stdout.receive()
            url = msgspec.json.decode(line)["base_url"]
            async with ChatClient(Server(model="m", base_url=url), retry=Retry(times=0)) as client:
                for _ in range(2):
                    async with client.stream(ASK) as items:
                        *_, reply = [item async for item in items]
                    assert reply.text == "from afar"
                    assert reply.calls[0].arguments == '{"command": "ls"}'
        finally:
            process.terminate()
