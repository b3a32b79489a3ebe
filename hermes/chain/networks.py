"""Which Bitcoin networks there are, and the guard that a server is on the right one.

A network is known by its genesis block's hash alone: test networks share their address prefixes.
"""

from types import MappingProxyType

import msgspec

from hermes.chain.backend import ChainBackend, Network
from hermes.errors import WrongNetwork


class NetworkFacts(msgspec.Struct, frozen=True):
    """What tells one network from another; `coin_type` as in BIP 44."""

    genesis: str
    """Hash of block 0, as people write it."""
    hrp: str
    """How its addresses begin."""
    coin_type: int
    pow_limit: int
    """The easiest target a header may claim, in compact form."""
    retargets: bool
    """Whether the difficulty follows the clock."""


NETWORKS: MappingProxyType[Network, NetworkFacts] = MappingProxyType(
    {
        "regtest": NetworkFacts(
            "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            "bcrt",
            1,
            0x207FFFFF,
            retargets=False,
        ),
        "signet": NetworkFacts(
            "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
            "tb",
            1,
            0x1E0377AE,
            retargets=True,
        ),
        "testnet4": NetworkFacts(
            "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
            "tb",
            1,
            0x1D00FFFF,
            retargets=True,
        ),
        "main": NetworkFacts(
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            "bc",
            0,
            0x1D00FFFF,
            retargets=True,
        ),
    }
)


async def check_network(backend: ChainBackend, network: Network) -> None:
    """Make sure that a server is on the network; raises WrongNetwork, or what the server raises."""
    told = await backend.genesis()
    if told == NETWORKS[network].genesis:
        return
    others = [name for name, facts in NETWORKS.items() if facts.genesis == told]
    where = f"on {others[0]}" if others else "on a chain that Hermes does not know"
    raise WrongNetwork(
        f"the server {backend.name} is {where}, the settings say {network}",
        "set chain.network, or chain.backend to a server of that network",
    )
