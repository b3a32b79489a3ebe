"""The blob house: chunks of large letters, kept for the post office and served to members.

Their sealing keeps what they say from whoever serves them; the line itself is plain HTTP. An
address is dialled only where a member's signed card says it, and one on this very machine only
where this node's own mesh is on it. A name that leads there is not seen through.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import anyio

from hermes.chain.listening import Door
from hermes.config import Settings
from hermes.core.clock import Clock
from hermes.core.event import Json
from hermes.identity.hot import HotKey
from hermes.mesh.blob_http import Endpoint, open_endpoint
from hermes.mesh.envelope import LONGEST_MS
from hermes.mesh.freight import Freight
from hermes.node.desk import Query
from hermes.node.roster import Roster
from hermes.node.watch import Say
from hermes.node.whereabouts import Whereabouts
from hermes.store.blob_chunks import OWN, Chunks, Quota

_FOLDER = "chunks"
_NAME = "the blob endpoint"
_REMEDY = 'set mesh.blobs in config.toml, as blobs = "127.0.0.1:7448"'
_SWEEP_S = 3_600.0
_DAY_MS = 24 * 3_600_000
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(rf"https?://(?:{_LABEL}\.){{0,8}}{_LABEL}:[0-9]{{1,5}}")


class BlobHouse:
    """One node's chunks (`Endpoints` of its freight); `run` serves them."""

    def __init__(
        self,
        settings: Settings,
        roster: Roster,
        places: Whereabouts,
        clock: Clock,
        report: Callable[[str, BaseException], None],
    ) -> None:
        self._settings = settings
        self._mesh = settings.mesh
        self._roster = roster
        self._places = places
        self._clock = clock
        self._report = report
        self._opening = anyio.Lock()
        self._chunks: Chunks | None = None
        self._endpoint: Endpoint | None = None

    def queries(self) -> Mapping[str, Query]:
        """The table of query names."""
        return {"mesh.blobs": self.status}

    async def run(self, say: Say) -> None:
        """Serve until cancelled; raises NotAvailable where the address is taken."""
        chunks = await self._opened()
        door = Door.bound(self._mesh.blobs, _NAME, _REMEDY)
        served = open_endpoint(chunks, door, self._roster.admits, self._clock, self._report)
        try:
            async with served as self._endpoint:
                self._places.blobs = f"http://{door.address}"
                say(self._places.blobs)
                while True:
                    await chunks.sweep(self._clock.now_ms() - LONGEST_MS - _DAY_MS)
                    await anyio.sleep(_SWEEP_S)
        finally:
            self._places.blobs, self._endpoint = "", None

    async def freight(self, key: HotKey) -> Freight:
        """Large letters for a post office."""
        room = self._mesh.blob_mib << 20
        return Freight(key, await self._opened(), self, self._clock, room)

    def own(self) -> bool:
        """Whether this node serves chunks."""
        return bool(self._mesh.blobs)

    def where(self, node: str) -> str:
        """The address of a node's endpoint; "": none is known, or it is no address."""
        told = self._places.blobs_of(node) if self._roster.admits(node) else ""
        if not _ADDRESS.fullmatch(told) or (_is_near(told) and not self._is_near):
            return ""
        return told

    @property
    def _is_near(self) -> bool:
        """Whether anything of this mesh is on this machine alone."""
        named = (*self._mesh.relays, f"tcp://{self._mesh.listen}", f"tcp://{self._mesh.blobs}")
        return any(map(_is_near, named))

    async def status(self) -> Json:
        """What lies here, and who was turned away why."""
        chunks, endpoint = await self._opened(), self._endpoint
        return {
            "address": self._places.blobs,
            "own": chunks.used(OWN),
            "others": {node: chunks.used(node) for node in self._roster.others},
            "refused": dict(endpoint.refused) if endpoint else {},
        }

    async def _opened(self) -> Chunks:
        async with self._opening:
            if self._chunks is None:
                most = self._mesh.blob_mib << 20
                quota = Quota(others=most, each=max(most // 2, 1))
                self._chunks = await Chunks.open(self._settings.data_dir / _FOLDER, quota)
            return self._chunks


def _is_near(url: str) -> bool:
    """Whether an address is this machine's own, or one that no other machine has for long."""
    host = ""
    try:
        host = urlsplit(url).hostname or ""
        found = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return found.is_loopback or found.is_link_local or found.is_unspecified
