"""One connection to one relay, renewed before the relay cuts it for having heard too much.

LocalRelay drops a connection after 6,000 messages and refuses queries after some hundred; other
relays have limits of their own. Does not verify: what comes out is for `nostr_adapter` to check.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
from nostr_sdk import (
    Client,
    ClientBuilder,
    NostrSdkError,
    Relay,
    RelayOptions,
    RelayStatus,
    RelayUrl,
    SignerAuthenticator,
)

from hermes.errors import RelayRefused
from hermes.mesh.nostr_keys import NostrKeys

CONNECT_S = 5.0
AT_ONCE = 8  # more calls in flight on one client slow it: each answer wakes all
_MOST_WAIT = 256
RETRY_S = 5


class _Connection:
    """A client of one relay, and how much has gone over it."""

    def __init__(self, client: Client, relay: Relay) -> None:
        self.client = client
        self.relay = relay
        self.spent = 0
        self.users = 0
        self.retired = False


class Lane:
    """A connection for one purpose: publishing and reading on one socket costs 40 ms each."""

    def __init__(
        self, make: Callable[[], Client], url: str, most: int, usable: Callable[[], bool]
    ) -> None:
        self._make = make
        self._url = relay_url(url)
        self._most = most
        self._usable = usable
        self._now: _Connection | None = None
        self._renewing = anyio.Lock()
        self._places = anyio.Semaphore(AT_ONCE)

    @property
    def is_crowded(self) -> bool:
        """Whether so much waits for it that nobody should wait who has another way."""
        return self._places.statistics().tasks_waiting >= _MOST_WAIT

    @asynccontextmanager
    async def relay(self, cost: int = 1) -> AsyncGenerator[Relay]:
        """A connected relay for so many messages; raises RelayRefused where there is none."""
        async with self._places:
            if not self._usable():  # it failed while others waited for their turn
                raise RelayRefused(f"{self._url}: left alone")
            connection = await self._connected(cost)
            connection.spent += cost
            connection.users += 1
            try:
                yield connection.relay
            except NostrSdkError as error:
                # Nobody answers: what is said to a line that is dead is lost for an hour.
                if is_silence(words(error)):
                    self._retire(connection)
                raise
            finally:
                connection.users -= 1
                await self._drop(connection)

    async def close(self) -> None:
        """Hang up."""
        if self._now is not None:
            self._now.retired = True
            self._now.users = 0
            await self._drop(self._now)
            self._now = None

    async def _connected(self, cost: int) -> _Connection:
        async with self._renewing:
            now = self._now
            if now is not None and now.spent + cost <= self._most and is_up(now.relay):
                return now
            if now is not None:
                self._retire(now)
                await self._drop(now)
            self._now = await self._dial()
            return self._now

    def _retire(self, connection: _Connection) -> None:
        connection.retired = True
        if self._now is connection:
            self._now = None

    async def _dial(self) -> _Connection:
        client = self._make()
        up = False
        try:
            options = RelayOptions().reconnect(False)  # noqa: FBT003 - positional only
            await client.add_relay(self._url, opts=options)
            relay = await client.relay(self._url)
            if relay is None:
                raise RelayRefused(f"{self._url}: not taken up")
            await relay.try_connect(timeout=timedelta(seconds=CONNECT_S))
            up = True
        except NostrSdkError as error:
            raise RelayRefused(f"{self._url}: {words(error)}") from error
        finally:
            if not up:
                with anyio.CancelScope(shield=True):
                    await client.shutdown()
        return _Connection(client, relay)

    async def _drop(self, connection: _Connection) -> None:
        if connection.retired and not connection.users:
            with anyio.CancelScope(shield=True):
                await connection.client.shutdown()


def new_client(keys: NostrKeys, channel: int = 64) -> Client:
    """A client as this node uses them: authenticates, and takes nothing that it did not ask for."""
    return (
        ClientBuilder()
        .authenticator(SignerAuthenticator(keys.library))
        .verify_subscriptions(True)  # noqa: FBT003 - positional only
        .notification_channel_size(channel)
        .connect_timeout(timedelta(seconds=CONNECT_S))
        .build()
    )


def relay_url(url: str) -> RelayUrl:
    """A relay's address as the library takes it; raises RelayRefused."""
    try:
        return RelayUrl.parse(url)
    except NostrSdkError as error:
        raise RelayRefused(f"{url!r} is no address of a relay: {words(error)}") from error


def words(error: NostrSdkError) -> str:
    """What the library or the relay said."""
    return str(error).strip("'\"")[:200]


def is_silence(said: str) -> bool:
    """Whether an error says that the relay did not answer; its own words follow a colon."""
    return "timeout" in said and ":" not in said


def is_up(relay: Relay) -> bool:
    """Whether it is connected just now."""
    return bool(relay.status() == RelayStatus.CONNECTED)
