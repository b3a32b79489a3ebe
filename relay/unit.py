"""Files for running a relay for good: systemd units, and a strfry that keeps the same rules."""

from pathlib import Path
from string import Template
from typing import Literal

from hermes.errors import Usage

Which = Literal["hermes", "strfry", "strfry.conf"]

_FILES: dict[Which, str] = {
    "hermes": "hermes-relay.service",
    "strfry": "strfry.service",
    "strfry.conf": "strfry.conf",
}


def unit(which: Which, **values: str) -> str:
    """One of the files, with this machine's paths in it."""
    for name, value in values.items():
        if set(value) & set('\n"\\%'):
            raise Usage(f"{name} {value!r} cannot stand in such a file")
    folder = Path(__file__).with_name("strfry")
    return Template((folder / _FILES[which]).read_text(encoding="utf-8")).substitute(values)
