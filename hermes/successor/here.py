"""A workshop for a program that uses Hermes as a library: its own store, opened for one trial.

Where an owner runs (a chat, a node), the store is its: it is asked by `hermes successor run`.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from hermes.config import read_settings
from hermes.core.clock import SystemClock
from hermes.errors import IdentityLocked, StoreOwned
from hermes.sandbox.environment import clean_environment
from hermes.store.lock import OwnerLock
from hermes.store.store import Store
from hermes.successor.records import Records
from hermes.successor.signing import Attester, Signing
from hermes.successor.stops import StopRules
from hermes.successor.trial import Workshop
from hermes.successor.workshop import open_workshop


@asynccontextmanager
async def workshop_of(environ: Mapping[str, str]) -> AsyncGenerator[Workshop]:
    """Open the store that an environment names; raises StoreOwned where somebody has it."""
    settings, clock = read_settings(environ), SystemClock()
    lock = OwnerLock(settings.data_dir)
    if not await anyio.to_thread.run_sync(lock.try_acquire):
        raise StoreOwned(
            "another process owns the store", "ask it: hermes successor run PATCH --task TEXT"
        )
    try:
        async with Store.open(settings.data_dir / "hermes.db", clock) as store:
            env = clean_environment(environ)
            records = Records(store, Signing(_nobody, clock))
            stops = StopRules(settings.successor, settings.data_dir, store, clock, env)
            source = settings.successor.source
            async with open_workshop(
                settings.data_dir, source, (records, stops), clock
            ) as workshop:
                yield workshop
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lock.release)


async def _nobody() -> Attester:
    """A library starts no signer: its verdicts stand in the log unsigned."""
    raise IdentityLocked("nobody signs for a program", "hermes successor run signs its verdicts")
