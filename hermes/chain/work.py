"""What a header must show: proof of work, and the difficulty that its chain's rules ask for.

Pure arithmetic on 80-byte headers. Not checked: signet's block signature (it stands in the
block, not in the header, so a signet header only shows work), and the rule that a block's time
lies at most two hours ahead of the clock of whoever receives it.
Sources: Bitcoin Core `pow.cpp`, BIP 94 (testnet4).
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache

from hermes.chain.backend import Network
from hermes.chain.networks import NETWORKS
from hermes.errors import ProofInvalid

HEADER = 80
PERIOD = 2016
_SPAN = 14 * 24 * 3600
_SPACING = 600
_SIGN = 0x800000
_MANTISSA = 0x7FFFFF
_LARGEST = 1 << 256
_BIP94: frozenset[Network] = frozenset({"testnet4"})
LEAST_WORK: Mapping[Network, int] = {"main": 0x52B2559353DF4117B7348B64}
"""What the best chain had by block 804,000 (Bitcoin Core 26, `nMinimumChainWork`).

Blocks at the easiest target cost minutes each: a chain from block 0 with less is somebody's own.
"""
_SMALL = 3  # an exponent up to which the mantissa is shifted down

Look = Callable[[int], tuple[int, int]]
"""Time and bits of the header at a height below the one that is checked."""


def sha256d(data: bytes) -> bytes:
    """SHA-256 of SHA-256, as Bitcoin names blocks and transactions."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def shown(digest: bytes) -> str:
    """A block's or transaction's hash as people write it: reversed."""
    return digest[::-1].hex()


def bits_of(header: bytes) -> int:
    """The compact target that the header claims."""
    return int.from_bytes(header[72:76], "little")


def time_of(header: bytes) -> int:
    """The header's time, in seconds UTC."""
    return int.from_bytes(header[68:72], "little")


@lru_cache(maxsize=256)  # bits change once in two weeks of blocks
def target_of(bits: int) -> int:
    """The target of compact bits; raises ProofInvalid when they mean none."""
    size, mantissa = bits >> 24, bits & _MANTISSA
    target = mantissa >> 8 * (_SMALL - size) if size <= _SMALL else mantissa << 8 * (size - _SMALL)
    if bits & _SIGN or not 0 < target < _LARGEST:
        raise ProofInvalid(f"a header claims the impossible target {bits:08x}")
    return target


def compact(target: int) -> int:
    """The compact bits of a target, as Core rounds it."""
    size = (target.bit_length() + 7) // 8
    small = size <= _SMALL
    mantissa = target << 8 * (_SMALL - size) if small else target >> 8 * (size - _SMALL)
    if mantissa & _SIGN:
        mantissa, size = mantissa >> 8, size + 1
    return size << 24 | mantissa


@lru_cache(maxsize=256)
def work_of(bits: int) -> int:
    """How many hashes a header with these bits stands for."""
    return _LARGEST // (target_of(bits) + 1)


def check_work(header: bytes, network: Network) -> bytes:
    """The header's hash, once it meets its own target and the network's limit."""
    bits = bits_of(header)
    digest, target = sha256d(header), target_of(bits)
    if target > target_of(NETWORKS[network].pow_limit):
        raise ProofInvalid(f"a header is easier than {network} allows")
    if int.from_bytes(digest, "little") > target:
        raise ProofInvalid("a header has too little work")
    return digest


def bits_due(network: Network, height: int, time: int, start: int, look: Look) -> int:
    """The bits that the header at `height` must have; headers from `start` upwards are known.

    `start` is 0 or begins a period, so that whatever a rule looks back at is known.
    """
    facts, bip94 = NETWORKS[network], network in _BIP94
    before, bits = look(height - 1)
    if not facts.retargets:
        return facts.pow_limit
    if height % PERIOD:
        return _eased(height, time, start, look, facts.pow_limit) if bip94 else bits
    first, base = look(height - PERIOD)
    span = max(_SPAN // 4, min(_SPAN * 4, before - first))
    target = target_of(base if bip94 else bits) * span // _SPAN
    return compact(min(target, target_of(facts.pow_limit)))


def earliest(network: Network, height: int, median: int, before: int) -> int:
    """The earliest time that the header may have: past the median of eleven, BIP 94's floor."""
    if network in _BIP94 and height % PERIOD == 0:
        return max(median + 1, before - _SPACING)
    return median + 1


def _eased(height: int, time: int, start: int, look: Look, limit: int) -> int:
    # After twenty minutes without a block one at the limit may come; it sets no example.
    if time > look(height - 1)[0] + 2 * _SPACING:
        return limit
    at = height - 1
    while at > start and at % PERIOD and look(at)[1] == limit:
        at -= 1
    return look(at)[1]
