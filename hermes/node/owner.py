"""The owner: opens the parts of the house in one task group and closes them in order.

The composition root. Whoever holds the store's lock runs this, as a chat or as a node.
"""

import errno
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import anyio.to_thread
from anyio.abc import Listener, SocketStream, TaskGroup

from hermes.config import Settings
from hermes.core.accepting import accept_all
from hermes.core.clock import Clock
from hermes.gateway.server import Visitor
from hermes.gateway.wire import Lines, Wire, memory_wires
from hermes.node.desk import Desk
from hermes.node.furnish import Rooms, furnish
from hermes.node.rendezvous import fresh_socket
from hermes.node.tool_visit import desk_for
from hermes.store.store import Store


class Owner:
    """A running owner."""

    def __init__(self, rooms: Rooms, tasks: TaskGroup) -> None:
        self.rooms = rooms
        self._tasks = tasks
        self._open = anyio.CancelScope()
        self._left = anyio.Event()
        self._visits = 0
        self._here: set[Visitor] = set()

    def receive_here(self) -> Wire:
        """Let the front end of this very process in."""
        ours, theirs = memory_wires()
        self._tasks.start_soon(self._serve, ours, "this process")
        return theirs

    async def listen(self, listener: Listener[SocketStream]) -> None:
        """Let front ends in through the socket."""
        with self._open:
            await accept_all(listener, self._receive, self._tasks)

    async def _receive(self, stream: SocketStream) -> None:
        self._visits += 1
        desk = await desk_for(stream, self.rooms.desk)
        await self._serve(Wire(Lines(stream)), f"visitor {self._visits}", desk)

    async def _serve(self, wire: Wire, name: str, desk: Desk | None = None) -> None:
        visitor = Visitor(desk or self.rooms.desk, wire, name)
        self._here.add(visitor)
        self.rooms.state.clients += 1
        try:
            await visitor.serve()
        except Exception as error:  # noqa: BLE001 - one visit is not the owner's end
            self.rooms.desk.report("a visit", error)
        finally:
            self.rooms.state.clients -= 1
            self._here.discard(visitor)
            self._left.set()

    async def drain(self) -> None:
        """Wait until no turn runs: others may have come in while this process owned the store."""
        while busy := self.rooms.shards.busy():
            await busy[0].idle.wait()

    async def say_goodbye(self) -> None:
        """Answer what visitors asked already; what they ask from now on is the next owner's."""
        with anyio.CancelScope(shield=True):
            self._open.cancel()
            for visitor in self._here:
                visitor.close()
            while self._here:  # each leaves within a second
                self._left = anyio.Event()
                await self._left.wait()


@asynccontextmanager
async def open_owner(
    settings: Settings, environ: Mapping[str, str], clock: Clock, *, lasting: bool
) -> AsyncGenerator[Owner]:
    """Open the store and everything on it; the caller holds the store's lock.

    Args:
        settings: which store, which model.
        environ: what commands inherit, filtered.
        clock: the time.
        lasting: whether this owner goes on with what an earlier one left, and runs jobs.
    """
    failed: Exception | None = None
    async with AsyncExitStack() as stack:
        path = settings.data_dir / "hermes.db"
        store = await stack.enter_async_context(Store.open(path, clock))
        listener = await _listen(settings, stack)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        rooms = await stack.enter_async_context(furnish(settings, environ, clock, store, tasks))
        rooms.desk.intake.left = {row.turn: row for row in await store.homes.open()}
        owner = Owner(rooms, tasks)
        if listener is not None:
            tasks.start_soon(owner.listen, listener)
        if lasting:
            await stack.enter_async_context(rooms.scheduler)
            await rooms.shards.resume(await store.homes.running())
            tasks.start_soon(rooms.warm)
            tasks.start_soon(rooms.draw)
            tasks.start_soon(rooms.proposing.run, rooms.desk.bus, rooms.desk.report)
            tasks.start_soon(rooms.continuity.watch)
            tasks.start_soon(rooms.mind.remembering.run)
            tasks.start_soon(rooms.changing.watch)
        else:
            tasks.start_soon(rooms.continuity.look)
        try:
            yield owner
        except Exception as error:
            failed = error
            raise
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await rooms.shards.close()
    if failed is not None:  # a clean-up that was cancelled took its place, and ended with the scope
        raise failed


async def _listen(settings: Settings, stack: AsyncExitStack) -> Listener[SocketStream] | None:
    """Open the owner's socket; one that a killed owner left is ours to remove: we hold the lock.

    None where the system forbids such sockets, as Hermes's own sandbox does: then this process's
    front end is the only one.
    """
    path = await anyio.to_thread.run_sync(fresh_socket, settings)
    stack.push_async_callback(_remove_socket, settings)
    try:
        listener = await anyio.create_unix_listener(path, mode=0o600)
    except OSError as error:
        if error.errno in {errno.EPERM, errno.EAFNOSUPPORT}:
            return None
        raise
    await stack.enter_async_context(listener)
    return listener


async def _remove_socket(settings: Settings) -> None:
    with anyio.CancelScope(shield=True):
        await anyio.to_thread.run_sync(fresh_socket, settings)
