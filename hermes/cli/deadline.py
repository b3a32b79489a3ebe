"""The end that comes in any case: a process that was asked to end and does not is ended.

Kept by a thread below the interpreter, so that neither a loop that stands still nor a library that
does not return can hold it up. It closes nothing: what it cuts off is as after `kill -9`.
"""

import faulthandler
import sys
import threading
from collections.abc import Callable

CLOSING_S = 4.5
_NOTICE_S = 0.5


def end_within(seconds: float, say: Callable[[str], None]) -> None:
    """From now on this process has so long to end; nothing takes that back.

    Else it ends with exit code 1, and says at standard error where its threads stood; `say` tells
    the person shortly before.
    """
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
    words = ["closing takes too long: ended as it is"]
    notice = threading.Timer(max(0.0, seconds - _NOTICE_S), say, words)
    notice.daemon = True
    notice.start()
