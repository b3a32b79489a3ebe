"""A process that does not end although it was asked to is ended, whatever holds it up."""

import subprocess
import sys
import time

import pytest

_BEGUN = """
import anyio, sys, threading, time
from hermes.cli.deadline import end_within
end_within(0.7, lambda text: print(text, flush=True))
"""
_STUCK = {
    "a shielded wait": """
async def hang():
    with anyio.CancelScope(shield=True):
        await anyio.sleep_forever()
anyio.run(hang)
""",
    "a blocked loop": """
async def block():
    time.sleep(60)
anyio.run(block)
""",
    "a thread that is waited for": """
threading.Thread(target=time.sleep, args=(60,)).start()
""",
}


def run(script):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    return done, time.monotonic() - began


@pytest.mark.parametrize("stuck", _STUCK.values(), ids=_STUCK.keys())
def test_whatever_holds_it_up(stuck):
    done, seconds = run(_BEGUN + stuck)
    assert done.returncode == 1
    assert done.stdout == "closing takes too long: ended as it is\n"
    assert "most recent call first" in done.stderr  # where it stood
    assert seconds < 20


def test_who_ends_in_time_hears_nothing():
    done, _ = run(_BEGUN + "print('done')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
