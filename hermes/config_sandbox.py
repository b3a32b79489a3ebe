"""The part of the settings that says how a chat's commands are held: `config` is full."""

from typing import Literal

import msgspec


class Sandbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a chat's commands are held."""

    bash: Literal["guard", "overlay"] = "guard"
    """guard: on the machine itself, ended whole; overlay: in the sandbox, on a layer of changes."""
    network: bool = False
    """Whether commands in the sandbox have the machine's network."""
    read: tuple[str, ...] = ()
    """What commands in the sandbox can read besides the project: absolute paths, or ~/…."""
