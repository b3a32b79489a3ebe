"""How a front end reaches the owner: become it, or attach to it; and again when it goes away.

Whoever holds the store's lock is the owner. A waiting client takes the lock within 200 ms of
the owner's end, the others find its socket.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus

from hermes.config import Settings
from hermes.core.clock import SystemClock
from hermes.core.task_groups import lone_error
from hermes.errors import OwnerGone, StoreOwned
from hermes.gateway.client import Client
from hermes.gateway.wire import Lines, Wire
from hermes.node.owner import Owner, open_owner
from hermes.node.rendezvous import socket_path
from hermes.store.lock import OwnerLock

_PATIENCE_S = 10.0  # an owner that starts or quits gets so long
_PAUSE_S = 0.02
_TRIES = 5  # owners that may quit while we come in


class _Opener:
    """Finds the owner, or becomes it (`gateway.client.Opener`)."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], tasks: TaskGroup, *, lasting: bool
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._tasks = tasks
        self._lasting = lasting
        self.owner: Owner | None = None

    async def open(self) -> tuple[Wire, bool]:
        """A wire to the owner; raises StoreOwned when it does not answer in time."""
        path = await anyio.to_thread.run_sync(socket_path, self._settings)
        lock = OwnerLock(self._settings.data_dir)
        with anyio.move_on_after(_PATIENCE_S):
            while True:
                if await anyio.to_thread.run_sync(lock.try_acquire):
                    return await self._become(lock), True
                with suppress(OSError):
                    return Wire(Lines(await anyio.connect_unix(path))), False
                await anyio.sleep(_PAUSE_S)
        holder = await anyio.to_thread.run_sync(lock.holder)
        raise StoreOwned(
            f"another process ({holder}) owns the store and does not answer",
            "end it, or set HERMES_V2_HOME to use another store",
        )

    async def _become(self, lock: OwnerLock) -> Wire:
        owner: Owner = await self._tasks.start(self._own, lock)
        self.owner = owner
        return owner.receive_here()

    async def _own(self, lock: OwnerLock, *, task_status: TaskStatus[Owner]) -> None:
        try:
            async with open_owner(
                self._settings, self._environ, SystemClock(), lasting=self._lasting
            ) as owner:
                task_status.started(owner)
                await anyio.sleep_forever()
        finally:
            lock.release()


@asynccontextmanager
async def find_owner(settings: Settings) -> AsyncGenerator[Client | None]:
    """Open a door to a running owner; None when there is none. Never becomes one."""
    client = Client(_Finder(settings), SystemClock())
    try:
        await client.connect()
    except OwnerGone:
        yield None
        return
    with lone_error():
        async with anyio.create_task_group() as taking:
            taking.start_soon(client.run)
            yield client
            taking.cancel_scope.cancel()


class _Finder:
    """Attaches only (`gateway.client.Opener`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def open(self) -> tuple[Wire, bool]:
        """A wire to the owner; raises OwnerGone when there is none."""
        try:
            path = await anyio.to_thread.run_sync(socket_path, self._settings)
            return Wire(Lines(await anyio.connect_unix(path))), False
        except OSError as error:
            raise OwnerGone("nobody owns the store") from error


@asynccontextmanager
async def open_client(
    settings: Settings, *, interactive: bool, environ: Mapping[str, str]
) -> AsyncGenerator[Client]:
    """Open a door to the owner of the store, becoming it when there is none.

    Args:
        settings: which store, and what an owner would work with.
        interactive: whether this front end lasts; a short-lived owner stays until the turns
            of others that attached to it are over, and resumes nothing it was not asked to.
        environ: the environment that commands of an owner inherit, filtered.
    """
    with lone_error():
        async with anyio.create_task_group() as owning:
            opener = _Opener(settings, environ, owning, lasting=interactive)
            client = Client(opener, SystemClock())
            await client.connect(_TRIES)
            try:
                async with anyio.create_task_group() as taking:
                    taking.start_soon(client.run)
                    yield client
                    if opener.owner is not None and not interactive:
                        await opener.owner.drain()
                    taking.cancel_scope.cancel()
            finally:
                if opener.owner is not None:
                    await opener.owner.say_goodbye()
            owning.cancel_scope.cancel()
