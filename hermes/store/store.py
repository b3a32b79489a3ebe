"""The store: everything durable, behind one door."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from hermes.core.checkpoint import Checkpoint
from hermes.core.clock import Clock
from hermes.core.ids import NodeId, uuid7
from hermes.store.acts import Acts
from hermes.store.adoptions import Adoptions
from hermes.store.anchors import Anchors
from hermes.store.approvals import Approvals
from hermes.store.architecture import Architectures
from hermes.store.blobs import Blobs
from hermes.store.car_in import CarImport, Imported
from hermes.store.car_out import Exported, Wanted, export_car
from hermes.store.checkpoints import Checkpoints
from hermes.store.chores import ChoreBook
from hermes.store.conversations import Conversations
from hermes.store.database import Database
from hermes.store.deeds import Deeds
from hermes.store.dms import Dms
from hermes.store.drafts import Drafts
from hermes.store.health import Health
from hermes.store.history import History
from hermes.store.homes import HomeBook
from hermes.store.jobs import JobLedger
from hermes.store.journal import Journal
from hermes.store.ledger import Ledger
from hermes.store.likely import Likely
from hermes.store.memory import ProjectMemory
from hermes.store.merkle_log import MerkleLog
from hermes.store.mesh import MeshBook
from hermes.store.naming import Named, block_named
from hermes.store.pairings import Pairings
from hermes.store.peers import Peers
from hermes.store.recalled import RecalledBook
from hermes.store.replicas import Replicas
from hermes.store.said import Saids
from hermes.store.schema import plan
from hermes.store.search import Search
from hermes.store.skills import SkillTrust
from hermes.store.stamps import Stamps
from hermes.store.sweep import Swept, sweep
from hermes.store.trials import Trials
from hermes.store.turns import Turns
from hermes.store.verify import Progress, verify
from hermes.store.views import Views
from hermes.store.witness import WitnessBook
from hermes.store.work import Work

_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%!_fts!_%' ESCAPE '!'"
)
_SIZES = """SELECT
    (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size),
    (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size),
    (SELECT count(*) FROM blocks), (SELECT count(*) FROM messages),
    (SELECT count(*) FROM conversations), (SELECT coalesce(sum(size), 0) FROM blobs)"""


class Store:
    """The parts of an open store; made by `open`."""

    def __init__(self, database: Database, clock: Clock, node: NodeId) -> None:
        self._database = database
        self._clock = clock
        self.node = node
        self.conversations = Conversations(database, clock, node)
        self.turns = Turns(database, clock, node)
        self.journal = Journal(database, clock)
        self.approvals = Approvals(database, clock)
        self.memory = ProjectMemory(database, clock)
        self.likely = Likely(database)
        self.recalled = RecalledBook(database, clock)
        self.saids = Saids(database, clock)
        self.search = Search(database)
        self.jobs = JobLedger(database, clock)
        self.blobs = Blobs(database)
        self.acts = Acts(database, clock)
        self.architectures = Architectures(self.acts, clock)
        self.log = MerkleLog(database)
        self.checkpoints = Checkpoints(database, self.log)
        self.stamps = Stamps(database, clock)
        self.anchors = Anchors(database, clock)
        self.chores = ChoreBook(database, clock)
        self.skills = SkillTrust(database, clock)
        self.views = Views(database, clock)
        self.deeds = Deeds(database)
        self.work = Work(database)
        self.drafts = Drafts(database, clock)
        self.history = History(database, clock)
        self.mesh = MeshBook(database, clock)
        self.homes = HomeBook(database, clock)
        self.pairings = Pairings(database, clock)
        self.peers = Peers(database, clock)
        self.dms = Dms(database, clock)
        self.replicas = Replicas(database, clock, node)
        self.witness = WitnessBook(database, clock)
        self.trials = Trials(database, self.acts, clock)
        self.adoptions = Adoptions(database, self.acts, clock)
        self.health = Health(database)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, clock: Clock, readers: int = 4, max_pages: int = 0
    ) -> AsyncGenerator["Store"]:
        """Open the store at `path`, making it where there is none.

        Only for the holder of the owner's lock, and only once: see `hermes.store.lock`.

        Raises:
            StoreCorrupt, StoreReadOnly, StoreNewer, StoreFull, StoreBusy: as their texts say.
        """
        async with Database(path, plan(uuid7()), readers, max_pages, Ledger(path)) as database:
            rows = await database.read("SELECT value FROM meta WHERE key = 'node'")
            yield cls(database, clock, NodeId(rows[0][0]))

    async def integrity(self) -> tuple[str, ...]:
        """Ask SQLite whether the file is sound; empty when it is.

        Goes table by table, so that no single read holds the write-ahead log back for long.
        """
        problems: list[str] = []
        for (table,) in await self._database.read(_TABLES):
            rows = await self._database.read(
                "SELECT integrity_check FROM pragma_integrity_check(?)", (table,)
            )
            problems += [row[0] for row in rows if row[0] != "ok"]
        return tuple(problems)

    async def verify(
        self, progress: Progress | None = None, against: Sequence[Checkpoint] = ()
    ) -> tuple[str, ...]:
        """Compare every row with its block, every block with its name and its place in the log.

        `against`: checkpoints that were kept elsewhere. Empty when all is well.
        """
        return await verify(self._database, progress, against)

    async def block_named(self, name: str) -> Named:
        """Find a block by its CID or how that begins; raises Usage."""
        return await block_named(self._database, name)

    async def export_car(self, path: Path, wanted: Wanted) -> Exported:
        """Write a CAR v1 archive to a new file (an absolute path); raises Usage, StoreError."""
        return await export_car(self._database, path, wanted)

    async def import_car(self, path: Path) -> Imported:
        """Take a CAR v1 archive in; raises ProofInvalid or Usage, with nothing stored."""
        return await CarImport(self._database, self.blobs, self._clock, self.node).run(path)

    async def sweep(self, *, dry: bool = False) -> Swept:
        """Remove the blobs that nothing names, or on a dry run only find them."""
        return await sweep(self._database, self.blobs, dry=dry)

    async def size(self) -> dict[str, int]:
        """Bytes and counts: file_bytes, free_bytes, log_bytes, blocks, messages, ..."""
        rows = await self._database.read(_SIZES)
        names = ("file_bytes", "free_bytes", "blocks", "messages", "conversations", "blob_bytes")
        sizes = dict(zip(names, rows[0], strict=True))
        log = await anyio.to_thread.run_sync(self._database.log_size)
        return {**sizes, "log_bytes": log}
