"""Reads the tables of words and forms that lie beside the rules of this room."""

from importlib.resources import files
from typing import TypeVar

import msgspec

T = TypeVar("T")


def table(name: str, kind: type[T]) -> T:
    """A table as `kind`; once, when the rules are loaded."""
    data = files("hermes.memory").joinpath(f"{name}.toml").read_bytes()
    return msgspec.toml.decode(data, type=kind)
