"""A skin's colour words in the spelling of each terminal library.

Skins use prompt_toolkit's names; rich knows the same sixteen colours under others.
"""

_RICH = {"ansigray": "white", "ansiwhite": "bright_white"}


def rich_colour(colour: str) -> str:
    """Spell a checked skin colour for rich; `#rrggbb` and `default` are common to both."""
    if not colour.startswith("ansi"):
        return colour
    plain = colour.removeprefix("ansi")
    return _RICH.get(colour) or plain.replace("bright", "bright_")
