"""The engine's process and its owner: shared, stopped, killed, orphaned, refused."""

import os
import signal
import sys
from pathlib import Path
from subprocess import PIPE

import anyio
import httpcore2
import pytest
from anyio import to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from hermes.errors import EngineDied, ModelFileInvalid, NotAvailable
from hermes.models.engine import Engine, EngineServer
from hermes.models.engine_wire import EngineOptions
from hermes.models.gguf import read_gguf, shipped_model
from tests.models.engine_talk import INFO, call, chat, complete, endless, plan, stream
from tests.models.gguf_bytes import gguf

ROOT = Path(__file__).parents[2]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd")


async def gone(pid: int) -> None:
    """Return when a process has ended, also when nobody has reaped it yet."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with anyio.fail_after(20):
            await anyio.wait_readable(fd)
    finally:
        os.close(fd)


async def kill(server: EngineServer) -> None:
    os.kill(server.pid, signal.SIGKILL)
    await gone(server.pid)


async def killed_in_mid_stream(server: EngineServer) -> None:
    async with stream(server, endless()) as chunks:
        await anext(chunks)
        os.kill(server.pid, signal.SIGKILL)
        async for _ in chunks:
            pass


async def works(server: EngineServer) -> bool:
    return bool((await complete(server, chat("hello", max_tokens=4)))["choices"])


async def test_callers_share_one_start(tmp_path):
    pids: list[int] = []

    async def ask() -> None:
        pids.append((await engine.ensure()).pid)

    async with Engine(INFO, plan(tmp_path)) as engine, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask)
    assert len(pids) == 5
    assert len(set(pids)) == 1


async def test_a_caller_that_gives_up_does_not_stop_the_start(tmp_path):
    async with Engine(INFO, plan(tmp_path)) as engine:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.ensure)
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        assert await works(await engine.ensure())


@linux_only
async def test_closing_ends_the_process_and_removes_its_directory(tmp_path):
    async with Engine(INFO, plan(tmp_path)) as engine:
        server = await engine.ensure()
        assert await anyio.Path(server.uds).is_socket()
    await gone(server.pid)
    assert list((tmp_path / "run").iterdir()) == []


@linux_only
async def test_a_killed_engine_cuts_the_stream_and_the_next_use_works(tmp_path):
    told: list[str] = []
    async with Engine(INFO, plan(tmp_path), told.append) as engine:
        async with engine.use() as first:
            with pytest.raises((httpcore2.NetworkError, httpcore2.ProtocolError)):
                await killed_in_mid_stream(first)
            assert await engine.death(first) == "killed by SIGKILL"
        assert told == []
        async with engine.use() as second:
            assert second.pid != first.pid
            assert await works(second)
            assert await engine.death(first) == ""
        assert told == ["killed by SIGKILL"]


@linux_only
async def test_an_idle_engine_goes_away_without_a_word(tmp_path):
    told: list[str] = []
    async with Engine(INFO, plan(tmp_path, keep_alive_s=0.05), told.append) as engine:
        async with engine.use() as first:
            answer = await complete(first, chat("hello", max_tokens=1_500, ignore_eos=True))
            assert answer["usage"]["completion_tokens"] == 1_500
        await gone(first.pid)
        assert await engine.death(first) == ""
        async with engine.use() as second:
            assert await works(second)
            assert second.pid != first.pid
    assert told == []


@linux_only
async def test_three_deaths_in_a_row_hold_the_next_start_back(tmp_path):
    async with Engine(INFO, plan(tmp_path, calm_s=1_000)) as engine:
        for _ in range(3):
            await kill(await engine.ensure())
        with pytest.raises(EngineDied, match=r"3 times .* killed by SIGKILL") as caught:
            await engine.ensure()
        assert caught.value.remedy


@linux_only
async def test_deaths_long_ago_do_not_count(tmp_path):
    async with Engine(INFO, plan(tmp_path, calm_s=0.001)) as engine:
        for _ in range(4):
            await kill(await engine.ensure())
        assert await works(await engine.ensure())


async def test_a_cut_file_is_named_before_a_process_is_started(tmp_path):
    path = tmp_path / "cut.gguf"
    path.write_bytes(shipped_model().read_bytes())
    info = await to_thread.run_sync(read_gguf, path)
    os.truncate(path, 1_000_000)
    async with Engine(info, plan(tmp_path)) as engine:
        with pytest.raises(ModelFileInvalid, match=r"cut\.gguf.*is cut"):
            await engine.ensure()
    assert not (tmp_path / "run").exists()


async def test_a_file_that_the_engine_refuses_brings_its_last_words(tmp_path):
    path = tmp_path / "odd.gguf"
    path.write_bytes(gguf({"general.architecture": "unheard-of"}))
    info = await to_thread.run_sync(read_gguf, path)
    async with Engine(info, plan(tmp_path)) as engine:
        with pytest.raises(EngineDied, match=r"exit code 1: .*failed to load model"):
            await engine.ensure()


async def test_an_interpreter_that_is_not_there_is_said(tmp_path):
    async with Engine(INFO, plan(tmp_path, python="/nowhere/python")) as engine:
        with pytest.raises(EngineDied, match="cannot be started"):
            await engine.ensure()


async def test_a_directory_that_others_can_write_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    async with Engine(INFO, plan(tmp_path)) as engine:
        with pytest.raises(NotAvailable, match="others can write"):
            await engine.ensure()


async def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    deep = tmp_path / ("x" * 120)
    async with Engine(INFO, plan(tmp_path, runtime_dir=deep)) as engine:
        with pytest.raises(NotAvailable, match="too long"):
            await engine.ensure()
    assert list(deep.iterdir()) == []


@linux_only
async def test_the_engine_dies_with_a_killed_owner_and_its_directory_is_swept(tmp_path):
    command = [sys.executable, "-m", "tests.models.engine_owner", str(tmp_path)]
    async with await anyio.open_process(command, cwd=ROOT, stderr=None) as owner:
        said = await BufferedByteReceiveStream(owner.stdout).receive_until(b"\n", 4_096)
        pid, uds = said.decode().split()
        async with Engine(INFO, plan(tmp_path)) as engine:
            await engine.ensure()
            assert await anyio.Path(uds).is_socket()  # a living owner's is left alone
        owner.send_signal(signal.SIGKILL)
        await owner.wait()
        await gone(int(pid))
    async with Engine(INFO, plan(tmp_path)) as engine:
        await engine.ensure()
        assert not Path(uds).parent.exists()


@linux_only
async def test_the_engine_dies_with_its_owner_even_if_its_stdin_stays_open(tmp_path):
    command = [sys.executable, "-m", "tests.models.engine_owner", "--bare"]
    async with await anyio.open_process(command, cwd=ROOT, stdin=PIPE, stderr=None) as owner:
        lines = BufferedByteReceiveStream(owner.stdout)
        pid = int(await lines.receive_until(b"\n", 64))
        uds = str(tmp_path / "s.sock")
        options = EngineOptions(
            owner=owner.pid,
            model=str(INFO.path),
            uds=uds,
            key="k",
            window=512,
            threads=1,
            slots=1,
            cache_ram_mib=8,
            slots_dir="",
        )
        await owner.stdin.send(options.line())
        assert await lines.receive_until(b"\n", 64) == b'{"ready": true}'
        status, _ = await call(EngineServer(uds, "k", 512, pid), "/health")
        assert status == 200
        owner.send_signal(signal.SIGKILL)
        await gone(pid)
