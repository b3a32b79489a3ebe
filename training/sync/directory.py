"""Workers that meet in a directory: of this machine, or of a file system that they share.

Files appear whole (written aside, then linked) and never change; a link that exists is refused,
which makes the first the only one. Who can write there is trusted not to alter files.
"""

import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
import msgspec

from hermes.errors import SyncRefused, SyncUnreachable
from training.sync.transport import MOST_WORKERS, STATE, WORKER, Look, check_name, check_worker

_SETTLED = "settled"
_POLL_S = 0.1
_STATES_KEPT = 3
_SETTLED_LIMIT = 64 * 1024
_ROUND = re.compile(r"\d{8}")
_ROUNDS = 10**8

T = TypeVar("T")
Given = TypeVarTuple("Given")


class Directory:
    """A `Transport` in `root`; `limit` is the most bytes that one file may have."""

    def __init__(self, root: Path, limit: int) -> None:
        self.root, self.limit = root, limit

    async def publish(self, round_number: int, name: str, data: bytes) -> bool:
        """Put bytes under a name, once."""
        return await _aside(self._publish, round_number, check_name(name), data)

    async def fetch(self, round_number: int, name: str, limit: int) -> bytes:
        """The bytes under a name."""
        place = self._place(round_number) / check_name(name)
        return await _aside(_read, place, min(limit, self.limit))

    async def look(self, round_number: int, seen: Look | None = None, wait_s: float = 0) -> Look:
        """The round as it stands, or once it differs from `seen`."""
        until = anyio.current_time() + wait_s
        while True:
            now = await _aside(self._look, round_number)
            left = until - anyio.current_time()
            if now != seen or left <= 0:
                return now
            await anyio.sleep(min(_POLL_S, left))

    async def settle(self, round_number: int, workers: tuple[str, ...]) -> tuple[str, ...]:
        """Decide who counts, or learn who does."""
        return await _aside(self._settle, round_number, workers)

    async def states(self) -> tuple[int, ...]:
        """The rounds whose states are held."""
        return await _aside(self._states)

    def _place(self, number: int) -> Path:
        if not 0 <= number < _ROUNDS:
            raise SyncRefused(f"there is no round {number}")
        return self.root / f"{number:08d}"

    def _publish(self, number: int, name: str, data: bytes) -> bool:
        if len(data) > self.limit:
            raise SyncRefused(f"{name} has {len(data)} bytes, the limit is {self.limit}")
        place = self._place(number)
        if name != STATE and (place / _SETTLED).exists():
            return False
        before = self._place(number - 1) / _SETTLED if number else None
        if before and not before.exists() and not (place / STATE).exists():
            raise SyncRefused(f"round {number} is not due: the one before is not settled")
        done = self._write(place / name, data)
        if done and name == STATE:
            self._forget()
        return done

    def _settle(self, number: int, workers: tuple[str, ...]) -> tuple[str, ...]:
        place = self._place(number)
        missing = [name for name in workers if not (place / f"delta.{check_worker(name)}").exists()]
        if missing or not 0 < len(workers) <= MOST_WORKERS:
            raise SyncRefused(f"round {number} cannot be settled: nothing from {missing[:5]}")
        self._write(place / _SETTLED, msgspec.json.encode(sorted(set(workers))))
        settled = self._settled(place)
        assert settled is not None
        return settled

    def _settled(self, place: Path) -> tuple[str, ...] | None:
        if not (place / _SETTLED).exists():
            return None
        data = _read(place / _SETTLED, _SETTLED_LIMIT)
        try:
            names = msgspec.json.decode(data, type=tuple[str, ...])
        except msgspec.DecodeError as error:
            raise SyncRefused(f"{place / _SETTLED} is damaged: {error}") from error
        return tuple(check_worker(name) for name in names)

    def _look(self, number: int) -> Look:
        place = self._place(number)
        found: dict[str, list[str]] = {"here": [], "delta": []}
        for name in _names(place)[: 4 * MOST_WORKERS]:
            kind, _, worker = name.partition(".")
            if kind in found and WORKER.fullmatch(worker):
                found[kind].append(worker)
        return Look(tuple(found["here"]), tuple(found["delta"]), self._settled(place))

    def _states(self) -> tuple[int, ...]:
        rounds = [int(name) for name in self._rounds()]
        return tuple(n for n in rounds if (self._place(n) / STATE).exists())

    def _rounds(self) -> list[str]:
        return [name for name in _names(self.root) if _ROUND.fullmatch(name)]

    def _forget(self) -> None:
        """Rounds before the oldest state that is kept: nobody can begin there any more."""
        states = self._states()
        if len(states) > _STATES_KEPT:
            for name in self._rounds():
                if int(name) < states[-_STATES_KEPT]:
                    shutil.rmtree(self.root / name, ignore_errors=True)

    def _write(self, path: Path, data: bytes) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.parent / f".{uuid.uuid4().hex}"
        try:
            with aside.open("xb") as file:
                file.write(data)
                file.flush()
                if data:
                    os.fsync(file.fileno())
            try:
                os.link(aside, path)
            except FileExistsError:
                return False
            return True
        finally:
            aside.unlink(missing_ok=True)


def _names(place: Path) -> list[str]:
    try:
        return sorted(path.name for path in place.iterdir())
    except FileNotFoundError:
        return []


def _read(path: Path, limit: int) -> bytes:
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise SyncRefused(f"{path} cannot be read: {error.strerror}") from error
    about = os.fstat(number)
    if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
        os.close(number)
        raise SyncRefused(f"{path} is no file of at most {limit} bytes")
    with os.fdopen(number, "rb") as file:
        return file.read(limit)


async def _aside(call: Callable[[*Given], T], *given: *Given) -> T:
    try:
        return await anyio.to_thread.run_sync(call, *given)
    except OSError as error:
        raise SyncUnreachable(f"{error.filename or 'a file'}: {error.strerror}") from error
