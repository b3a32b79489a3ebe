"""The signer as a child of the owner: started when first needed, gone when the owner goes.

The passphrase never passes through here: `hermes identity unlock` talks to the signer's socket.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE
from typing import Self

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import Process

from hermes.config import Settings
from hermes.errors import IdentityLocked, IdentityMissing, SignerGone
from hermes.identity.agent import Agent
from hermes.identity.signer_wire import LOCKED, READY, Caps, SignerOptions, SignerStatus
from hermes.models.engine_process import command_of
from hermes.node.rendezvous import signer_socket

_MODULE = "hermes.identity.signer"
_START_S = 60.0
_STOP_S = 5.0
_REASON = 2_000


class Signing:
    """Keeps at most one signer running; async context manager."""

    def __init__(self, settings: Settings, soul: Callable[[], Path]) -> None:
        self._settings = settings
        self._soul = soul
        self._starting = anyio.Lock()
        self._process: Process | None = None
        self._agent: Agent | None = None
        self._was_locked = False

    @property
    def folder(self) -> Path:
        """Where the identity lies, if there is one."""
        return self._settings.data_dir / "identity"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await self._stop()

    async def agent(self) -> Agent:
        """The unlocked signer; raises IdentityMissing, IdentityLocked or SignerGone."""
        agent, status = await self.reach()
        if status.locked:
            raise IdentityLocked(
                status.problem or "the signer is locked", "run: hermes identity unlock"
            )
        return agent

    async def reach(self) -> tuple[Agent, SignerStatus]:
        """The signer, locked or not, started when it is not there.

        Raises IdentityMissing or SignerGone.
        """
        if not await anyio.to_thread.run_sync((self.folder / "genesis.cbor").exists):
            raise IdentityMissing("there is no identity yet", "run: hermes identity init")
        async with self._starting:
            if self._agent is not None:
                with suppress(SignerGone):  # it was killed, or locked just now
                    return self._agent, await self._agent.status()
            self._agent = await self._start()
            return self._agent, await self._agent.status()

    async def _start(self) -> Agent:
        # By a person: it does not open itself again.
        self._was_locked |= await self._stop() == LOCKED
        socket = await anyio.to_thread.run_sync(signer_socket, self._settings)
        options = await anyio.to_thread.run_sync(self._options, socket)
        options = msgspec.structs.replace(options, unattended=not self._was_locked)
        command = command_of(sys.executable, _MODULE)
        try:
            # A session of its own: Ctrl-C in the terminal stops the turn, not the signer.
            self._process = await anyio.open_process(
                command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            raise SignerGone(f"the signer cannot be started: {error.strerror}") from error
        try:
            await self._greet(self._process, options)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._stop()
            raise
        return Agent(socket)

    def _options(self, socket: Path) -> SignerOptions:
        chain = self._settings.chain
        caps = Caps(
            network=chain.network,
            fee_most=chain.fee_most,
            fee_rate_most=chain.fee_rate_most,
            month_most=chain.month_most,
            mainnet=self._settings.mainnet == "yes",
        )
        return SignerOptions(
            folder=str(self.folder), socket=str(socket), soul=str(self._soul()), caps=caps
        )

    async def _greet(self, process: Process, options: SignerOptions) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with anyio.fail_after(_START_S):
                await process.stdin.send(msgspec.json.encode(options) + b"\n")
                if await process.stdout.receive() == READY:
                    return
        except (anyio.BrokenResourceError, anyio.EndOfStream, TimeoutError):
            pass
        raise SignerGone(f"the signer did not start: {await _reason(process)}")

    async def _stop(self) -> int | None:
        """End it where it runs; gives its exit code."""
        process, self._process, self._agent = self._process, None, None
        if process is None:
            return None
        assert process.stdin is not None
        await process.stdin.aclose()
        with anyio.move_on_after(_STOP_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
        await process.aclose()
        socket = await anyio.to_thread.run_sync(signer_socket, self._settings)
        await anyio.to_thread.run_sync(lambda: socket.unlink(missing_ok=True))
        return process.returncode


async def _reason(process: Process) -> str:
    """The last line that it wrote on stderr."""
    assert process.stderr is not None
    said = b""
    with anyio.move_on_after(1.0):
        async for piece in process.stderr:
            said = (said + piece)[-_REASON:]
    lines = said.decode(errors="replace").split("\n")
    text = next((line for line in reversed(lines) if line.strip()), "it ended at once")
    return "".join(mark if mark.isprintable() else " " for mark in text)
