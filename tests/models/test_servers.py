"""Discovery of local servers, with real sockets on loopback."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketListener, SocketStream

from hermes.models.servers import USUAL_PORTS, FoundModel, FoundServer, find_servers

Answer = Callable[[str, bytes], bytes | None]
PATIENT_S = 20.0


def _http(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _json(value: Any) -> bytes:
    return _http(200, json.dumps(value).encode(), "content-type: application/json")


@asynccontextmanager
async def listening(serve: Callable[[SocketStream], Awaitable[None]]) -> AsyncIterator[int]:
    listener = await SocketListener.from_socket(socket.create_server(("127.0.0.1", 0)))
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def answering(answer: Answer, asked: list[str] | None = None) -> AsyncIterator[int]:
    """Serve what `answer` gives to a path and a body, None meaning silence."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive()
            head, _, body = data.partition(b"\r\n\r\n")
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    while len(body) < int(line.split(b":")[1]):
                        body += await stream.receive()
            path = head.split(b" ")[1].decode()
            if asked is not None:
                asked.append(path)
            if (said := answer(path, body)) is None:
                await anyio.sleep_forever()
            with contextlib.suppress(anyio.BrokenResourceError):  # it has heard enough
                await stream.send(said)

    async with listening(serve) as port:
        yield port


def _table(answers: dict[str, Any]) -> Answer:
    return lambda path, _: _json(answers[path]) if path in answers else _http(404, b"{}")


async def test_ollama_says_what_it_has_and_how_large_its_window_is():
    def answer(path: str, body: bytes) -> bytes:
        if path == "/api/tags":
            return _json({"models": [{"name": "qwen3:4b", "size": 1}, {"name": "big"}]})
        wide = json.loads(body) == {"model": "big"}
        text = "stop   x\nnum_ctx                        16384\n" if wide else "stop x"
        return _json({"parameters": text, "model_info": {"qwen3.context_length": 40960}})

    async with answering(answer) as port:
        (found,) = await find_servers(PATIENT_S, {"ollama": port})
    models = (FoundModel("qwen3:4b", 4_096), FoundModel("big", 16_384))
    assert found == FoundServer("ollama", f"http://127.0.0.1:{port}/v1", models)


async def test_each_kind_tells_its_window_in_its_own_way():
    listing = {"data": [{"id": "m"}]}
    llama = {"/v1/models": listing, "/props": {"default_generation_settings": {"n_ctx": 8_192}}}
    studio = {
        "/v1/models": listing,
        "/api/v0/models": {"data": [{"id": "m", "loaded_context_length": 6_000}]},
    }
    vllm = {"/v1/models": {"data": [{"id": "m", "max_model_len": 32_768}]}}
    async with (
        answering(_table(llama)) as one,
        answering(_table(studio)) as two,
        answering(_table(vllm)) as three,
    ):
        found = await find_servers(
            PATIENT_S, {"vllm": three, "llama-server": one, "lm-studio": two}
        )
    told = [(server.kind, server.models) for server in found]
    assert told == [
        ("vllm", (FoundModel("m", 32_768),)),
        ("llama-server", (FoundModel("m", 8_192),)),
        ("lm-studio", (FoundModel("m", 6_000),)),
    ]


async def test_a_window_that_nobody_tells_is_0():
    async with answering(_table({"/v1/models": {"data": [{"id": "m"}]}})) as port:
        (found,) = await find_servers(PATIENT_S, {"llama-server": port})
    assert found.models == (FoundModel("m", 0),)


async def test_nobody_there_is_nobody_found():
    async with answering(lambda *_: b"") as port:
        pass
    assert await find_servers(PATIENT_S, dict.fromkeys(USUAL_PORTS, port)) == []


HUGE = _json({"data": [{"id": "m", "more": "x" * (2 << 20)}]})


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="closed at once"),
        pytest.param(b"SSH-2.0-OpenSSH_9.9\r\n", id="another protocol"),
        pytest.param(_http(200, b"<html>hello</html>"), id="a web page"),
        pytest.param(_http(401, b'{"data": [{"id": "m"}]}'), id="a key is wanted"),
        pytest.param(_http(500, b""), id="broken"),
        pytest.param(_http(200, b'{"data": [{"id": 7}]}'), id="another form"),
        pytest.param(_http(200, b'{"data": []}'), id="no model"),
        pytest.param(_http(200, b'{"x": ' + b"[" * 200_000), id="nested deeply"),
        pytest.param(_http(200, b'{"data": [')[:-5], id="cut"),
        pytest.param(_http(200, b"\xff\xfe{}"), id="no text"),
        pytest.param(HUGE, id="too much"),
        pytest.param(
            _json({"data": [{"id": "\x1b[2J"}, {"id": ""}, {"id": "x" * 900}]}), id="names"
        ),
    ],
)
async def test_what_is_no_model_server_is_passed_over(said):
    async with answering(lambda *_: said) as port:
        assert await find_servers(PATIENT_S, {"vllm": port}) == []


async def test_a_redirect_is_not_followed():
    asked: list[str] = []
    async with answering(_table({"/v1/models": {"data": [{"id": "m"}]}}), asked) as target:
        moved = _http(307, b"", f"location: http://127.0.0.1:{target}/v1/models")
        async with answering(lambda *_: moved) as port:
            assert await find_servers(PATIENT_S, {"vllm": port}) == []
    assert asked == []


async def test_silence_ends_with_the_time_and_keeps_what_others_said():
    def half(path: str, _: bytes) -> bytes | None:
        return _json({"models": [{"name": "m"}]}) if path == "/api/tags" else None

    fine = _table({"/v1/models": {"data": [{"id": "m", "max_model_len": 5}]}})
    async with (
        answering(lambda *_: None) as silent,
        answering(half) as shy,
        answering(fine) as port,
    ):
        with anyio.fail_after(15):
            found = await find_servers(1.0, {"lm-studio": silent, "ollama": shy, "vllm": port})
    assert [(server.kind, server.models) for server in found] == [
        ("ollama", (FoundModel("m", 4_096),)),
        ("vllm", (FoundModel("m", 5),)),
    ]


async def test_an_endless_answer_is_left():
    async def serve(stream: SocketStream) -> None:
        async with stream:
            await stream.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            with contextlib.suppress(anyio.BrokenResourceError):  # it was left
                while True:
                    await stream.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    async with listening(serve) as port:
        with anyio.fail_after(15):
            assert await find_servers(PATIENT_S, {"vllm": port}) == []


async def test_a_long_list_is_shortened_and_absurd_windows_are_dropped():
    many = [{"id": f"m{number}", "max_model_len": 1 << 40} for number in range(80)]
    async with answering(_table({"/v1/models": {"data": many}})) as port:
        (found,) = await find_servers(PATIENT_S, {"vllm": port})
    assert len(found.models) == 50
    assert {model.window for model in found.models} == {0}
