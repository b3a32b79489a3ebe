"""A skin: how an instance looks and speaks, read from `skin.toml` in a directory of its name.

A skin comes from anybody, so every field is checked before it meets a terminal or a prompt.
It does not guard what the prompt text says in plain words: signatures come with identity.
"""

import os
import re
import stat
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import msgspec

from hermes.errors import SkinInvalid

MANIFEST = "skin.toml"
MANIFEST_BYTES = 64 * 1024
BANNER_LINES = 12
BANNER_COLUMNS = 80

_NAME = "[a-z0-9][a-z0-9-]{0,31}"
_VERSION = (
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?\Z"
)
# \Z, since $ would let a last line break through.
_ANSI = "black|red|green|yellow|blue|magenta|cyan"
_COLOUR = rf"^(#[0-9a-fA-F]{{6}}|default|ansi({_ANSI}|gray|white)|ansibright({_ANSI}))\Z"

Colour = Annotated[str, msgspec.Meta(pattern=_COLOUR)]


class Colours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One colour a role: `#rrggbb`, `default`, or prompt_toolkit's names such as `ansired`."""

    prompt: Colour = "default"
    answer: Colour = "default"
    tool: Colour = "default"
    ok: Colour = "default"
    warn: Colour = "default"
    error: Colour = "default"
    dim: Colour = "default"
    status: Colour = "default"


class Skin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checked manifest; `persona` is one line, `prompt` at most 1,000 characters."""

    name: Annotated[str, msgspec.Meta(pattern=rf"^{_NAME}\Z")]
    version: Annotated[str, msgspec.Meta(pattern=_VERSION, max_length=64)]
    persona: Annotated[str, msgspec.Meta(max_length=120)]
    prompt: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    colours: Colours = Colours()
    banner: str = ""


@dataclass(frozen=True)
class Listing:
    """What lies in the skin directories: the usable ones by name, and why others are not."""

    skins: tuple[Skin, ...]
    broken: tuple[str, ...]


def load_skin(name_or_path: str | Path, directories: Sequence[Path]) -> Skin:
    """Load a skin by name from the first directory that has it, or by absolute path.

    Reads files: call it from a worker thread. Raises SkinInvalid naming file and field.
    """
    home = Path(name_or_path)
    if home.is_absolute() and ".." not in home.parts:
        return _read(home.parent, home)
    name = str(name_or_path)
    if not re.fullmatch(_NAME, name):
        raise SkinInvalid(
            f"{name[:80]!r} is no skin's name", "small letters, digits and -, or an absolute path"
        )
    for directory in directories:
        if os.path.lexists(directory / name):
            return _read(directory, directory / name)
    places = ", ".join(str(directory) for directory in directories)
    raise SkinInvalid(f"no skin {name!r} in {places}", "see: hermes skin list")


def list_skins(directories: Sequence[Path]) -> Listing:
    """List every skin, sorted by name; of two with one name the earlier directory's counts."""
    found: dict[str, Skin] = {}
    broken: list[str] = []
    for directory in directories:
        try:
            homes = sorted(home for home in directory.iterdir() if (home / MANIFEST).exists())
        except OSError:  # a directory that is not there holds no skin
            continue
        for home in homes:
            try:
                found.setdefault(home.name, _read(directory, home))
            except SkinInvalid as error:
                broken.append(error.message)
    return Listing(tuple(found[name] for name in sorted(found)), tuple(broken))


def _read(directory: Path, home: Path) -> Skin:
    path = home / MANIFEST
    try:
        real_home, real_path = home.resolve(strict=True), path.resolve(strict=True)
        contained = real_home.is_relative_to(directory.resolve(strict=True))
        if not contained or not real_path.is_relative_to(real_home):
            raise SkinInvalid(f"{path}: a link leads out of the skin's directory")
        text = _bounded_text(real_path)
        skin = _parsed(text)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, or deep nesting
        raise SkinInvalid(f"{path}: cannot be read: {error}") from error
    except msgspec.ValidationError as error:
        raise SkinInvalid(f"{path}: {error}", "see docs/skins.md") from error
    except ValueError as error:  # tomllib's own, and what Python refuses in numbers and dates
        raise SkinInvalid(f"{path}: not TOML: {error}", "see docs/skins.md") from error
    if skin.name != home.name:
        raise SkinInvalid(f"{path}: name: {skin.name!r} is not the directory's name {home.name!r}")
    for field, problem in _problems(skin):
        raise SkinInvalid(f"{path}: {field}: {problem}", "see docs/skins.md")
    return skin


@lru_cache(maxsize=8)
def _parsed(text: str) -> Skin:
    # A skin is read for each conversation; its text seldom changes, and TOML costs 0.1 ms.
    return msgspec.convert(tomllib.loads(text), Skin)


def _bounded_text(path: Path) -> str:
    # O_NONBLOCK: opening a named pipe would wait for its writer for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        data = file.read(MANIFEST_BYTES + 1)
    if len(data) > MANIFEST_BYTES:
        raise OSError(f"larger than {MANIFEST_BYTES} bytes")
    return data.decode()


def _problems(skin: Skin) -> list[tuple[str, str]]:
    fields = (("persona", skin.persona), ("prompt", skin.prompt), ("banner", skin.banner))
    found = [(name, "has control or invisible characters") for name, t in fields if _unsafe(t)]
    if "\n" in skin.persona or not skin.persona.strip():
        found.append(("persona", "must be one line of text"))
    found += [
        (name, "has a model's control token (<| or |>)")
        for name, text in fields[:2]
        if "<|" in text or "|>" in text
    ]
    lines = skin.banner.splitlines()
    if len(lines) > BANNER_LINES or any(len(line) > BANNER_COLUMNS for line in lines):
        found.append(("banner", f"exceeds {BANNER_LINES} lines of {BANNER_COLUMNS} columns"))
    return found


def _unsafe(text: str) -> bool:
    # C*: escape sequences, bidirectional overrides, unassigned; Zl and Zp: hidden line breaks.
    return any(
        unicodedata.category(c)[0] == "C" or unicodedata.category(c) in {"Zl", "Zp"}
        for c in text.replace("\n", "")
    )
