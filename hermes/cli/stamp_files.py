"""The files of `hermes timestamp`: digests of what is stamped, proofs read and written whole."""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio.to_thread

from hermes.cli.world import World
from hermes.errors import Usage

_DIGEST = 32


async def digest_named(
    stamps: ModuleType, args: argparse.Namespace, world: World, file: str | None
) -> bytes:
    """The digest of a file, or the one that stands in --digest, with its --signature."""
    if args.digest:
        digest = _hex(args.digest, "--digest")
        if args.signature:
            return _signed(stamps, digest, _hex(args.signature, "--signature"))
        if len(digest) != _DIGEST:
            raise Usage("--digest takes a SHA-256: 64 hexadecimal digits")
        return digest
    if args.signature:
        raise Usage("--signature goes with --digest, the event's id")
    return await digest_of_file(stamps, world.cwd / (file or ""), "sha256")


async def digest_of_file(stamps: ModuleType, path: Path, algorithm: str) -> bytes:
    """A file's digest; raises Usage when it cannot be read."""

    def read() -> bytes:
        try:
            with path.open("rb") as stream:
                digest: bytes = stamps.digest_of(stream, algorithm)
                return digest
        except OSError as error:
            raise Usage(f"{path}: {error.strerror}") from error

    return await anyio.to_thread.run_sync(read)


async def read_proof_file(stamps: ModuleType, path: Path) -> Any:  # noqa: ANN401 - loaded late
    """A proof from its file; raises Usage, ProofInvalid."""
    raw = await anyio.to_thread.run_sync(read_some, path, stamps.MOST_PROOF + 1)
    return stamps.read_proof(raw)


def read_some(path: Path, most: int) -> bytes:
    """So many bytes of a file at most; raises Usage when it cannot be read. Blocking."""
    try:
        with path.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        raise Usage(f"{path}: {error.strerror}") from error


def write_over(path: Path, data: bytes) -> None:
    """Replace a file whole: a reader sees the old bytes or the new. Raises Usage. Blocking."""
    draft = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            draft = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, draft)
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise Usage(f"{path}: {error.strerror}") from error


def _hex(text: str, option: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Usage(f"{option} is not hexadecimal") from error


def _signed(stamps: ModuleType, digest: bytes, signature: bytes) -> bytes:
    try:
        both: bytes = stamps.signed_digest(digest, signature)
    except ValueError as error:
        raise Usage(str(error)) from error
    return both
