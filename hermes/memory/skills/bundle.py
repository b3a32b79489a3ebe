"""A skill's whole directory: what lies in it, and the digest that a person approves.

The digest covers every file, so that a changed script needs a new word, too. It does not guard
what runs later: between this look and a script's run the disk may change.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hermes.errors import SkillInvalid
from hermes.memory.skills.skill import FILE, Skill, decoded, parse_skill

FILES_MOST = 500
BYTES_MOST = 16 << 20
_DEEPEST = 8


@dataclass(frozen=True)
class Bundle:
    """A skill and its files (paths within it, with `/`; SKILL.md is one) at one moment."""

    skill: Skill
    path: Path
    digest: str
    files: tuple[str, ...]


@dataclass
class Allowance:
    """How many bytes may still be read of several skills."""

    left: int


def read_bundle(directory: Path, allowance: Allowance | None = None) -> Bundle:
    """Read a skill's directory; raises SkillInvalid; blocking.

    Links within it, and whatever is neither file nor directory, are refused: what was approved
    must be what lies there.
    """
    contents = _contents(directory, allowance)
    if FILE not in contents:
        raise SkillInvalid(f"it has no plain file {FILE}")
    skill = parse_skill(decoded(contents[FILE]), directory.name)
    return Bundle(skill, directory, _digest(contents), tuple(sorted(contents)))


def copy_bundle(source: Path, target: Path) -> None:
    """Copy the plain files of a directory to a new one, as bounded; raises SkillInvalid; blocking.

    What can be run stays so; nothing else of a file's rights comes along.
    """
    contents = _contents(source)
    try:
        for name, data in contents.items():
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o755 if (source / name).stat().st_mode & 0o100 else 0o644)
    except OSError as error:
        raise SkillInvalid(f"{source} cannot be copied: {error.strerror}") from error


def read_texts(bundle: Bundle) -> dict[str, str]:
    """Those of its files that are text, by path within it; raises SkillInvalid; blocking."""
    contents = sorted(_contents(bundle.path).items())
    return {name: data.decode(errors="replace") for name, data in contents if b"\0" not in data}


def read_part(bundle: Bundle, name: str) -> str:
    """One of its text files by its path within it; raises SkillInvalid; blocking.

    Only what was approved: one that changed since is not shown.
    """
    wanted = PurePosixPath(name.strip()).as_posix()
    if wanted not in bundle.files:
        raise SkillInvalid(f"{bundle.skill.name} has no file {name[:200]!r}")
    contents = _contents(bundle.path)
    if _digest(contents) != bundle.digest:
        raise SkillInvalid(f"{bundle.skill.name} changed just now")
    try:
        text = contents[wanted].decode()
    except UnicodeDecodeError as error:
        raise SkillInvalid(f"{wanted} is no text: {len(contents[wanted])} bytes") from error
    if "\0" in text:
        raise SkillInvalid(f"{wanted} is no text")
    return text


def _digest(contents: Mapping[str, bytes]) -> str:
    """Over names and bytes, each with its length, so that no two bundles share one."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        data = contents[name]
        digest.update(f"{len(name.encode())}:{name}:{len(data)}:".encode())
        digest.update(data)
    return f"sha256:{digest.hexdigest()}"


def _contents(directory: Path, allowance: Allowance | None = None) -> dict[str, bytes]:
    try:
        return _walked(directory, allowance or Allowance(BYTES_MOST))
    except OSError as error:
        raise SkillInvalid(f"it cannot be read: {error.strerror}") from error


def _walked(directory: Path, allowance: Allowance) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    waiting, looked = [PurePosixPath()], 0
    room = min(BYTES_MOST, allowance.left)
    while waiting:
        folder = waiting.pop()
        with os.scandir(directory / folder) as entries:
            for entry in entries:
                name = folder / _plain(entry.name)
                looked += 1
                if looked > FILES_MOST:
                    raise SkillInvalid(f"it has more than {FILES_MOST} files")
                if entry.is_symlink():
                    raise SkillInvalid(f"{name} is a link: put the file itself there")
                if entry.is_dir():
                    if len(name.parts) > _DEEPEST:
                        raise SkillInvalid(f"{name} lies too deep")
                    waiting.append(name)
                    continue
                if not entry.is_file():
                    raise SkillInvalid(f"{name} is no plain file")
                found[str(name)] = data = _bytes(directory / name, room)
                room -= len(data)
                allowance.left -= len(data)
    return found


def _bytes(path: Path, room: int) -> bytes:
    """A file's bytes; never through a link that took its place just now."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        data = b"" if os.fstat(file.fileno()).st_size > room else file.read(room + 1)
        if len(data) > room or file.read(1):
            raise SkillInvalid(f"it is larger than {BYTES_MOST >> 20} MiB, or all skills are")
    return data


def _plain(name: str) -> str:
    if not name.isprintable():
        raise SkillInvalid(f"the file name {name!r} cannot be printed")
    return name
