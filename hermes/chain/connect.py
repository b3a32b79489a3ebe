"""Opens the chain server that the settings name, whichever of the three kinds it is.

Nothing is dialled unless a person configured an address.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType

from hermes.chain.backend import ChainBackend, Network
from hermes.chain.core_rpc import CoreBackend
from hermes.chain.electrum import ElectrumBackend
from hermes.chain.esplora import EsploraBackend
from hermes.chain.http import Limits
from hermes.chain.networks import check_network
from hermes.chain.server import Protocol, Server, server_of
from hermes.errors import NotAvailable

_Opener = Callable[[Server, Network, Limits], AbstractAsyncContextManager[ChainBackend]]
_BACKENDS: Mapping[Protocol, _Opener] = MappingProxyType(
    {"core": CoreBackend, "electrum": ElectrumBackend, "esplora": EsploraBackend}
)


@asynccontextmanager
async def open_backend(
    url: str, network: Network, limits: Limits | None = None
) -> AsyncGenerator[ChainBackend]:
    """Connect to a server and make sure that it is on the network.

    Raises NotAvailable without an address, SettingsInvalid for one that is none, WrongNetwork,
    and what the server raises (ChainError).
    """
    if not url:
        raise NotAvailable(
            "no chain server is configured",
            "set chain.backend, or try: python -m hermes.testing.regtest",
        )
    server = server_of(url)
    async with _BACKENDS[server.protocol](server, network, limits or Limits()) as backend:
        await check_network(backend, network)
        yield backend
