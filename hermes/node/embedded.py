"""The node's own relay, and who may write there: the fleet, paired people, post to us."""

from collections.abc import Callable

import anyio

from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.errors import IdentityError, SettingsInvalid
from hermes.load import load
from hermes.node.roster import Roster
from hermes.node.watch import Say
from hermes.store.store import Store
from relay.rules import Rules

_LOOK_S = 5.0
_FOLDER = "relay"
_MOST_PORT = 65_535


class Embedded:
    """Runs the relay; `up` is set while it does, `moved` hears its address ("": it is down)."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        roster: Roster,
        clock: Clock,
        moved: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._roster = roster
        self._clock = clock
        self._moved = moved
        self._look = anyio.Event()
        self.up = anyio.Event()
        roster.changed.append(self._stir)

    async def run(self, say: Say) -> None:
        """Run it until cancelled; raises NotAvailable where the address is taken."""
        mesh = self._settings.mesh
        host, port = _address(mesh.listen)
        server = load("relay")
        place = server.Place(self._settings.data_dir / _FOLDER, host, port, mesh.advertise)
        try:
            async with server.open_relay(place, await self._rules(), self._clock) as relay:
                self._moved(relay.url)
                self.up.set()
                say(relay.url)
                while True:
                    self._look = anyio.Event()
                    if (rules := await self._rules()) != relay.rules:
                        relay.obey(rules)
                    with anyio.move_on_after(_LOOK_S):  # who is paired is nobody's news
                        await self._look.wait()
        finally:
            self._moved("")
            self.up = anyio.Event()

    def _stir(self) -> None:
        self._look.set()

    async def _rules(self) -> Rules:
        try:
            await self._roster.refresh()
        except IdentityError:  # post for nobody is taken from nobody
            return Rules()
        own = {self._roster.me, self._roster.genesis.owner}
        paired = {
            one.key
            for one in await self._store.pairings.list()
            if one.kind == "dm" and one.state == "active"
        }
        admitted = frozenset({*self._roster.others, *paired} - own)
        return Rules(owners=frozenset(own), admitted=admitted)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _MOST_PORT:
        raise SettingsInvalid(
            f"mesh.listen is {text!r}, no address to listen at", "say it as 127.0.0.1:7447"
        )
    return host, int(port)
