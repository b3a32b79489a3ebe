"""What was proposed and not yet tried: one file each, so that it outlives whoever queued it.

Every method blocks.
"""

import contextlib
import os
from pathlib import Path

import msgspec

from hermes.core.ids import uuid7
from hermes.errors import SuccessorError
from hermes.successor.pointer import settle
from hermes.successor.trial import Order

_MOST = 20
_BYTES = 64 << 20


class Waiting:
    """A queue in the order of time."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "successor" / "waiting"

    def add(self, order: Order) -> str:
        """Take an order in, durably; raises SuccessorError where too many wait."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if len(self.names()) >= _MOST:
            raise SuccessorError(f"{_MOST} proposals wait already", "wait until they were tried")
        data = msgspec.msgpack.encode(order)
        if len(data) > _BYTES:
            raise SuccessorError("the conversation is too large to be given to a trial")
        name = uuid7()
        new = self._folder / f".{name}"
        with new.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._folder / name)
        settle(self._folder)
        return name

    def names(self) -> list[str]:
        """Everything that waits, the oldest first."""
        try:
            found = [one.name for one in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.startswith("."))

    def get(self, name: str) -> Order | None:
        """One of them; None: it is gone, or cannot be read and goes now."""
        try:
            return msgspec.msgpack.decode((self._folder / name).read_bytes(), type=Order)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            self.done(name)
            return None

    def done(self, name: str) -> None:
        """Forget one."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / name).unlink()
            settle(self._folder)
