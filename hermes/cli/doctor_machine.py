"""The doctor on this machine: Python, SQLite, programs, the terminal."""

import platform
import shutil
import sys

import anyio.to_thread

from hermes.cli.doctor_check import Check, aside, bad, good, output_of
from hermes.cli.world import World
from hermes.config import Settings

_SQLITE = """
import sqlite3
db = sqlite3.connect(":memory:")
db.execute("create virtual table t using fts5(x)")
print(sqlite3.sqlite_version)
"""
_OLDEST_SQLITE = (3, 38)
_PROGRAMS = (
    ("git", "the Git tool and diffs need it", "install git"),
    ("rg", "searches fall back to a slower walk", "install ripgrep"),
)


async def look(settings: Settings, world: World) -> list[Check]:
    """Everything that does not depend on the settings."""
    del settings
    programs = await anyio.to_thread.run_sync(_programs, world)
    return [_python(), await _sqlite(), *programs, _terminal(world), _encoding(world)]


def _python() -> Check:
    return good("python", f"{platform.python_version()} ({sys.executable})")


async def _sqlite() -> Check:
    """In a process of its own: only the store imports sqlite3."""
    works, said = await output_of([sys.executable, "-c", _SQLITE])
    remedy = "use a Python whose SQLite is at least 3.38 with FTS5 (python.org's has it)"
    if not works:
        return bad("sqlite", said, remedy)
    version = tuple(int(part) for part in said.split(".")[:2])
    return Check("sqlite", version >= _OLDEST_SQLITE, f"{said} with FTS5", remedy)


def _programs(world: World) -> list[Check]:
    checks = []
    for name, lacking, remedy in _PROGRAMS:
        found = shutil.which(name, path=world.environ.get("PATH"))
        checks.append(aside(name, found or f"not found: {lacking}", remedy, ok=bool(found)))
    return checks


def _terminal(world: World) -> Check:
    term = world.environ.get("TERM", "")
    if not world.stdout.isatty():
        return aside("terminal", "standard output is no terminal", "chat needs one; -m does not")
    if term in {"", "dumb", "unknown"}:
        return aside("terminal", f"TERM={term or 'unset'}: no colours, plain prompt", "set TERM")
    colours = "no colours (NO_COLOR)" if world.environ.get("NO_COLOR") else "colours"
    return aside("terminal", f"{term}, {colours}", ok=True)


def _encoding(world: World) -> Check:
    encoding = getattr(world.stdout, "encoding", None) or "unknown"
    utf8 = encoding.lower().replace("-", "") == "utf8"
    return aside("locale", encoding, "set LANG to a UTF-8 locale, such as C.UTF-8", ok=utf8)
