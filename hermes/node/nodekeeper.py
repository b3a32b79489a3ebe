"""`hermes node`: the owner that stays, and the parts that only such an owner runs.

Without an identity, or while it is locked, it does what needs no key and says what is missing.
"""

import os
from collections.abc import Callable, Mapping

import anyio
import anyio.to_thread
import msgspec

from hermes.config import Settings
from hermes.core.clock import Clock, SystemClock
from hermes.core.event import Json
from hermes.errors import HermesError, StoreOwned
from hermes.load import load
from hermes.node.attach import find_owner
from hermes.node.handover import AGAIN, Handed, Next
from hermes.node.owner import Owner, open_owner
from hermes.node.relief import Relief, Wish
from hermes.node.watch import Part, Watch
from hermes.store.lock import OwnerLock

_PAUSE_S = 0.2
_ASK_S = 2.0


class NodeKeeper:
    """One node; `tell` hears how its parts stand, `say` what else a person should know.

    `handed`: what the version before handed over, where we were started by it.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        tell: Callable[[Part], None],
        say: Callable[[str], None],
        handed: str = "",
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._clock: Clock = SystemClock()
        self._tell = tell
        self._say = say
        self._lock = OwnerLock(settings.data_dir)
        self._handed = Handed.of(handed) if handed else None
        self._relief = Relief(settings, environ, self._lock, say)

    async def run(self) -> int:
        """Take the store and stay until cancelled; raises StoreOwned when a node has it.

        Gives an exit code: AGAIN where the version that runs here was left.
        """
        await self._take()
        try:
            while True:
                next_ = await self._serve()
                if next_ is None:
                    return AGAIN
                code = await self._relief.relieve(next_)
                if code is not None:
                    return code
                await anyio.to_thread.run_sync(self._lock.sign)
        finally:
            self._lock.release()

    async def _serve(self) -> Next | None:
        """Own the store until a next version is to have it; None: until this one was left."""
        async with open_owner(self._settings, self._environ, self._clock, lasting=True) as owner:
            owner.rooms.changing.keeper = self._relief
            try:
                if self._handed is not None:
                    await self._handed.up()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._stay, owner)
                    wish: Wish = await self._relief.wished(owner.rooms.changing)
                    with anyio.move_on_after(self._relief.drain_s):
                        await owner.drain()
                    tasks.cancel_scope.cancel()
            finally:
                await owner.say_goodbye()
        return wish.next

    async def _take(self) -> None:
        """A node that runs is told of; a chat that happens to own the store ends some time."""
        if self._handed is not None:
            await anyio.to_thread.run_sync(load, "meshing")
            await self._handed.take(self._lock)
            return
        told = False
        while not await anyio.to_thread.run_sync(self._lock.try_acquire):
            pid = await anyio.to_thread.run_sync(self._lock.holder)
            if await self._is_node():
                raise StoreOwned(
                    f"a node runs here already: process {pid}",
                    f"talk to it (hermes chat), or end it: kill {pid}",
                )
            if not told:
                self._say(f"process {pid} owns the store, maybe a chat: waiting until it ends")
                told = True
            await anyio.sleep(_PAUSE_S)

    async def _is_node(self) -> bool:
        with anyio.move_on_after(_ASK_S):
            async with find_owner(self._settings) as door:
                if door is None:
                    return False
                try:
                    await door.query("node.status")
                except HermesError:  # a chat knows no such question, or the owner just went
                    return False
                return True
        return False

    async def _stay(self, owner: Owner) -> None:
        rooms = owner.rooms
        watch = Watch(self._tell, rooms.desk.report)

        async def status() -> Json:
            """How the parts of this node stand."""
            return {
                "pid": os.getpid(),
                "node": rooms.store.node,
                "parts": [msgspec.to_builtins(one) for one in watch.parts],
            }

        rooms.desk.offer({"node.status": status})
        self._say(f"node {rooms.store.node[:8]} runs: process {os.getpid()}")
        async with anyio.create_task_group() as tasks:
            mesh = self._settings.mesh
            if mesh.relays or mesh.listen:
                parts = load("meshing").Meshing(self._settings, owner, self._clock)
                rooms.desk.offer(parts.queries())
                for name, live in parts.parts():
                    tasks.start_soon(watch.keep, name, live)
            else:
                self._say("no mesh: mesh.relays and mesh.listen are empty (docs/mesh.md)")
            await anyio.sleep_forever()
