"""The rules as a file of JSON: what `hermes relay rules` prints and strfry's plugin reads."""

from pathlib import Path

import msgspec

from hermes.errors import SettingsInvalid
from relay.rules import Rules

_LONGEST = 4 << 20


def read_rules(path: Path) -> Rules:
    """The rules of a file; raises SettingsInvalid."""
    remedy = "`hermes relay rules --owner NPUB` prints a whole one"
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
    except OSError as error:
        raise SettingsInvalid(f"{path}: {error.strerror}", remedy) from error
    try:
        return msgspec.json.decode(data, type=Rules)
    except ValueError as error:
        raise SettingsInvalid(f"{path}: {error}", remedy) from error


def rules_text(rules: Rules) -> str:
    """The rules as people edit them; keys in order."""
    plain = msgspec.to_builtins(rules, order="deterministic")
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()
