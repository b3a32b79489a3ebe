"""The word of a version that has taken over, and what both sides of each change have signed."""

import anyio.to_thread

from hermes.core.event import Json
from hermes.errors import IdentityError, Refused, SuccessorError
from hermes.load import load
from hermes.node.changing import House
from hermes.successor.generations import told
from hermes.successor.pointer import HOUSE, Pointer, own_tag
from hermes.successor.records import Records
from hermes.successor.trees import own_digest

_ABOUT = "version taken"


class Takeover:
    """What this very process has to say of itself."""

    def __init__(self, house: House, records: Records, pointer: Pointer) -> None:
        self._house = house
        self._records = records
        self._pointer = pointer
        self._tree = ""

    async def signed(self) -> bool:
        """Say once that this version took over; False: not yet, or nobody can sign it now."""
        row = await self._records.untaken(own_tag())
        if row is None:
            return True
        if await anyio.to_thread.run_sync(self._pointer.current) != row.tag:
            return False
        self._tree = self._tree or await anyio.to_thread.run_sync(own_digest, HOUSE)
        try:
            await self._records.take(row, self._tree)
        except IdentityError:  # locked: somebody unlocks it
            return False
        except (Refused, SuccessorError) as error:
            self._house.alarms.set(_ABOUT, f"{error.message}: {error.remedy}")
        return True

    async def versions(self) -> list[Json]:
        """Every version that was adopted here, oldest first, with the words of both sides."""
        folder = self._house.settings.data_dir / "identity"
        genesis = None
        if await anyio.to_thread.run_sync((folder / "genesis.cbor").is_file):
            genesis = await anyio.to_thread.run_sync(load("genesis").load_genesis, folder)
        return await told(self._house.store, genesis)
