"""What owner and engine process say to each other over the child's stdin and stdout.

One JSON line each way: the options go in (so that the key is in no argument list and no
environment), `{"ready": true}` or `{"missing": "…"}` comes out. The end of stdin ends the child.
"""

import json
from typing import NamedTuple


class EngineOptions(NamedTuple):
    """How the child serves; `window` in tokens a slot, `slots_dir` empty: slots are not saved."""

    owner: int
    model: str
    uds: str
    key: str
    window: int
    threads: int
    slots: int
    cache_ram_mib: int
    slots_dir: str

    def line(self) -> bytes:
        """As it goes into the child's stdin."""
        return json.dumps(self._asdict()).encode() + b"\n"


READY = b'{"ready": true}'


def options_of(line: bytes) -> EngineOptions:
    """Read the line that the owner sent; raises ValueError or TypeError."""
    return EngineOptions(**json.loads(line))


def missing_line(what: str) -> bytes:
    """Say that the engine's library is not installed."""
    return json.dumps({"missing": what}).encode()


def missing_of(line: bytes) -> str:
    """What the child says is not installed, else empty."""
    try:
        said = json.loads(line)
    except ValueError:
        return ""
    return str(said.get("missing", "")) if isinstance(said, dict) else ""
