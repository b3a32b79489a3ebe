"""The life of an engine process, seen from inside: options in, `ready` out, end with the owner.

Apart so that both engines live and die alike; only their entry modules import it. It guards
against an orphaned engine, a core file with prompts in it and noise on stdout; not against the
owner's own user, who can read this process's memory.
"""

import ctypes
import os
import resource
import signal
import sys
import threading

from hermes.models.engine_wire import READY, EngineOptions, missing_line, options_of

_PR_SET_PDEATHSIG = 1
_MOST_LINE = 1 << 20


class EngineChild:
    """The child's ends of the pipes."""

    def __init__(self) -> None:
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        self._voice = os.dup(1)
        os.dup2(2, 1)  # what a native library prints must not be taken for an answer
        self.options = self._listen()
        self._watch = threading.Thread(target=self._until_owner_goes, daemon=True)
        self._watch.start()

    def ready(self) -> None:
        """Say that the socket answers."""
        os.write(self._voice, READY + b"\n")

    def missing(self, what: str) -> None:
        """Say that the engine's library is not installed, and end."""
        os.write(self._voice, missing_line(what) + b"\n")
        os._exit(4)

    def stay(self) -> None:
        """Block until the owner closes stdin or dies; does not return."""
        self._watch.join()

    def _listen(self) -> EngineOptions:
        options = options_of(sys.stdin.buffer.readline(_MOST_LINE))
        if os.getppid() != options.owner:  # it died before the parent-death signal was set
            os._exit(0)
        return options

    def _until_owner_goes(self) -> None:
        # A thread, because loading a large model takes long and the owner may go meanwhile.
        while os.read(0, 4096):
            pass
        os._exit(0)  # nothing to flush, and tearing a native server down can hang
