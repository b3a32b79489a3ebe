"""Where an identity's secret comes from: the system, hardware where it can be read, a file.

All sources go into one HKDF: a bad one cannot spoil a good one. SOUL.md is public, so it is
salt only. What was used is told, so that nobody trusts a source that was not there.
"""

import hashlib
import os
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from anyio import to_thread
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hermes.errors import IdentityInvalid
from hermes.identity.keys import NETWORKS, SECRET

_SYSTEM = 64
_HARDWARE = 64
_TPM = 32
_PATIENCE = 2.0
_PAUSE = 0.02
_FILE_LONGEST = 1 << 20
_LENGTH = 8
# TPM2_GetRandom without a session (TPM 2.0 part 3, 16.1), 12 bytes in all.
_ASK = bytes.fromhex("8001 0000000c 0000017b") + _TPM.to_bytes(2, "big")
_ANSWER = bytes.fromhex("8001 0000002c 00000000") + _TPM.to_bytes(2, "big")


class Source(msgspec.Struct, frozen=True):
    """A source and how many bytes it gave; 0 and the reason when it gave none."""

    name: str
    size: int
    why_not: str = ""


class Gathered(msgspec.Struct, frozen=True):
    """A new secret and what it was made of."""

    secret: bytes
    sources: tuple[Source, ...]

    def __repr__(self) -> str:
        return f"Gathered(sources={self.sources!r})"


class Devices(msgspec.Struct, frozen=True):
    """Where hardware gives randomness."""

    hwrng: Path = Path("/dev/hwrng")
    tpm: Path = Path("/dev/tpmrm0")


async def gather(
    soul: bytes, network: str, files: Sequence[Path] = (), devices: Devices | None = None
) -> Gathered:
    """Make a secret, salted with the genesis SOUL.md's bytes.

    `files` are the user's own (thrown dice, a recording). Raises IdentityInvalid when one of
    them cannot be read or is empty; hardware that is not there is only told.
    """
    if network not in NETWORKS:
        raise IdentityInvalid("no Bitcoin network of that name")
    return await to_thread.run_sync(_gather, soul, network, tuple(files), devices or Devices())


def secret_from(sources: Sequence[bytes], soul: bytes, network: str) -> bytes:
    """HKDF-SHA-512 over all sources, salted with the soul's digest: 32 bytes."""
    # Lengths first: no two lists of sources have the same bytes.
    mixed = b"".join(len(data).to_bytes(_LENGTH, "big") + data for data in sources)
    info = b"hermes/identity/v1/" + network.encode()
    salt = hashlib.sha256(soul).digest()
    return HKDF(algorithm=SHA512(), length=SECRET, salt=salt, info=info).derive(mixed)


def _gather(soul: bytes, network: str, files: Sequence[Path], devices: Devices) -> Gathered:
    found = [
        (os.urandom(_SYSTEM), Source("system", _SYSTEM)),
        _tried("hwrng", devices.hwrng, _hwrng),
        _tried("tpm", devices.tpm, _tpm),
        *(_file(index, path) for index, path in enumerate(files, 1)),
    ]
    secret = secret_from([data for data, _ in found], soul, network)
    return Gathered(secret, tuple(source for _, source in found))


def _tried(name: str, path: Path, read: Callable[[Path], bytes]) -> tuple[bytes, Source]:
    try:
        data = read(path)
    except OSError as error:
        return b"", Source(name, 0, error.strerror or type(error).__name__)
    return data, Source(name, len(data))


def _hwrng(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        data = b""
        until = time.monotonic() + _PATIENCE
        while len(data) < _HARDWARE and time.monotonic() < until:
            try:
                more = os.read(handle, _HARDWARE - len(data))
            except BlockingIOError:
                time.sleep(_PAUSE)  # the device has no poll
                continue
            if not more:
                break
            data += more
    finally:
        os.close(handle)
    if len(data) < _HARDWARE:
        raise TimeoutError(0, "gave too little in time")
    return data


def _tpm(path: Path) -> bytes:
    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(handle, _ASK)
        ready, _, _ = select.select([handle], [], [], _PATIENCE)
        if not ready:
            raise TimeoutError(0, "did not answer in time")
        answer = os.read(handle, len(_ANSWER) + _TPM + 1)
    finally:
        os.close(handle)
    if not answer.startswith(_ANSWER) or len(answer) != len(_ANSWER) + _TPM:
        raise OSError(0, "refused")
    return answer[len(_ANSWER) :]


def _file(index: int, path: Path) -> tuple[bytes, Source]:
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_LONGEST)
    except OSError as error:
        raise IdentityInvalid(f"the entropy file cannot be read: {error.strerror}") from error
    if not data:
        raise IdentityInvalid("the entropy file is empty")
    return data, Source(f"file {index}", len(data))
