"""What the library takes for granted: an event loop for its calls back, and an orderly end.

Its state is the process's, so ours is too: one count of who uses it. The library copies text
byte by byte; where its private writer is as we know it, a faster one takes its place.
"""

import asyncio  # noqa: TID251 - the library calls back on a loop that it has to be handed
import contextlib
import ctypes
import struct
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import anyio
from nostr_sdk import EventId, LocalRelay, uniffi_set_event_loop
from nostr_sdk import nostr_sdk as library

_SETTLE_S = 0.1  # its threads still call into Python for a moment after everything is shut down
_END_S = 5.0
_AGAIN_S = 0.02
_SAMPLE = "0f" * 32


class _Loan:
    """Who uses the loop."""

    def __init__(self) -> None:
        self.users = 0


_LOAN = _Loan()


@contextlib.asynccontextmanager
async def loop_lent() -> AsyncGenerator[None]:
    """Hand the running loop to the library; inside, everything made has to be shut down again.

    An exception in a call back of a relay's policy ends the process: catch it there.
    """
    if not _LOAN.users:
        uniffi_set_event_loop(asyncio.get_running_loop())
    _LOAN.users += 1
    try:
        yield
    finally:
        _LOAN.users -= 1
        if not _LOAN.users:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(_SETTLE_S)
            if not _LOAN.users:
                uniffi_set_event_loop(None)


async def shut_down(relay: LocalRelay) -> None:
    """Tell a relay to end until nobody listens: while it takes a caller it does not hear it."""
    url = urlsplit(str(await relay.url()))
    with anyio.move_on_after(_END_S), contextlib.suppress(OSError):
        while True:
            relay.shutdown()
            await (await anyio.connect_tcp(str(url.hostname), url.port or 80)).aclose()
            await anyio.sleep(_AGAIN_S)


def quicken() -> bool:
    """Let text go to the library in one copy; False, and all as before, where that fails."""
    builder = getattr(library, "_UniffiRustBufferBuilder", None)
    if builder is None or not {"write", "_pack_into"} <= vars(builder).keys():
        return False
    if builder.write is _write:
        return True
    before = builder.write, builder._pack_into  # noqa: SLF001 - measured: 25 kB in 0.4 ms, not 2.6
    builder.write, builder._pack_into = _write, _pack  # noqa: SLF001
    try:
        if EventId.parse(_SAMPLE).to_hex() == _SAMPLE:
            return True
    except Exception:  # noqa: BLE001, S110 - whatever it is, the slow way is put back below
        pass
    builder.write, builder._pack_into = before  # noqa: SLF001
    return False


def _write(self: "library._UniffiRustBufferBuilder", value: bytes) -> None:
    size = len(value)
    if self.rbuf.len + size > self.rbuf.capacity:
        self.rbuf = library._UniffiRustBuffer.reserve(self.rbuf, size)  # noqa: SLF001
    if size:
        place = ctypes.cast(self.rbuf.data, ctypes.c_void_p).value or 0
        ctypes.memmove(place + self.rbuf.len, bytes(value), size)
    self.rbuf.len += size


def _pack(self: "library._UniffiRustBufferBuilder", _size: int, form: str, value: float) -> None:
    _write(self, struct.pack(form, value))
