"""One finding of the doctor, and how it looks at other programs."""

import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import anyio

from hermes.core.event import Json


@dataclass(frozen=True)
class Check:
    """What was looked at; `essential`: without it no chat works."""

    check: str
    ok: bool
    detail: str
    remedy: str = ""
    essential: bool = True


def plain(check: Check) -> dict[str, Json]:
    """A finding as JSON data."""
    return asdict(check)


def good(check: str, detail: str) -> Check:
    """Something that works."""
    return Check(check, ok=True, detail=detail)


def bad(check: str, detail: str, remedy: str = "") -> Check:
    """Something without which no chat works, and how to mend it."""
    return Check(check, ok=False, detail=detail, remedy=remedy)


def aside(check: str, detail: str, remedy: str = "", *, ok: bool = False) -> Check:
    """A finding that stops nobody."""
    return Check(check, ok, detail, remedy, essential=False)


async def output_of(command: Sequence[str], seconds: float = 20.0) -> tuple[bool, str]:
    """Whether a program ended well in time, and its last line."""
    try:
        with anyio.fail_after(seconds):
            done = await anyio.run_process(
                command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False
            )
    except FileNotFoundError:
        return False, "not found"
    except (OSError, TimeoutError) as error:
        return False, str(error) or f"no answer within {seconds:.0f} s"
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""
