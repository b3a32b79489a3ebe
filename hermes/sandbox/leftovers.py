"""What a command leaves running in its box, and when it is gone.

bubblewrap ends with its command and leaves the rest to the kernel, which takes a while over it:
until then that goes on, and writes on the layer whose changes are read. Process 1 of the inside
is the last of all to end, and this holds a descriptor of it.
"""

import os
import re
import signal
from contextlib import ExitStack, suppress

import anyio

from hermes.errors import NotAvailable

_FIRST = re.compile(rb'"child-pid": (\d+)')
_BEGINS_S = _ENDS_S = 60.0  # as idle work beside busy cores
_LINUX = "it needs Linux 5.3 or newer, and pidfd_open allowed"


class Leftovers:
    """Made before bubblewrap is started, which tells whom it starts on the first of `theirs`.

    `stack` closes our end; who starts it closes theirs.
    """

    def __init__(self, stack: ExitStack, theirs: list[int]) -> None:
        self._stack = stack
        self._told, info = os.pipe()
        # It holds the reading end, too: when we are killed, it would die of a word without a
        # reader, and process 1 would wait for it.
        self.theirs = (info, os.dup(self._told))
        theirs += self.theirs
        self._first = -1
        self._stays = False
        stack.callback(os.close, self._told)
        os.set_blocking(self._told, False)

    async def begun(self) -> None:
        """Wait for process 1: it cannot have ended, and its number be another's, unless all failed.

        Raises NotAvailable where nobody says anything.
        """
        said = b""
        with anyio.move_on_after(_BEGINS_S) as scope:
            await anyio.wait_readable(self._told)
            said = os.read(self._told, 4096)
        if scope.cancelled_caught:
            raise NotAvailable(
                "the sandbox does not start: no answer", "see `hermes sandbox check`"
            )
        if (found := _FIRST.search(said)) is None:
            return  # it failed, and whoever waits for its word hears why
        try:
            self._first = os.pidfd_open(int(found[1]))
        except ProcessLookupError:
            return
        except OSError as error:
            raise NotAvailable(f"the sandbox does not start: {error.strerror}", _LINUX) from error
        self._stack.callback(os.close, self._first)

    async def gone(self) -> bool:
        """End what is left when bubblewrap has ended, and wait for it; False: it takes too long.

        Process 1 does not hear of bubblewrap's end before it was let go on by it.
        """
        if self._first >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
        with anyio.move_on_after(0 if self._stays else _ENDS_S) as scope:
            if self._first >= 0:
                await anyio.wait_readable(self._first)
        self._stays = scope.cancelled_caught
        return not self._stays
