"""Output scripts as addresses and back, each network apart."""

from embit import base58, bech32
from embit.base import EmbitError
from embit.networks import NETWORKS as _EMBIT
from embit.script import Script

from hermes.chain.backend import Network
from hermes.chain.networks import NETWORKS

_EMBIT_NAMES = {"regtest": "regtest", "signet": "signet", "testnet4": "test", "main": "main"}
_DIGEST = 20
_OP_1 = 0x51


def address_of(script: bytes, network: Network) -> str:
    """The address of an output script; raises ValueError where it has none."""
    return str(Script(script).address(_EMBIT[_EMBIT_NAMES[network]]))


def script_of(address: str, network: Network) -> bytes:
    """The output script of an address; raises ValueError on a misspelt or another network's."""
    version, program = bech32.decode(NETWORKS[network].hrp, address)
    if version is not None and program is not None:
        opcode = version and version + _OP_1 - 1
        return bytes((opcode, len(program), *program))
    try:
        data = bytes(base58.decode_check(address))
    except (EmbitError, ValueError, KeyError) as error:
        raise ValueError(f"{address!r} is no address on {network}") from error
    facts = _EMBIT[_EMBIT_NAMES[network]]
    if len(data) == 1 + _DIGEST and data[:1] == facts["p2pkh"]:
        return b"\x76\xa9\x14" + data[1:] + b"\x88\xac"
    if len(data) == 1 + _DIGEST and data[:1] == facts["p2sh"]:
        return b"\xa9\x14" + data[1:] + b"\x87"
    raise ValueError(f"{address!r} is no address on {network}")
