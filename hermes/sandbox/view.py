"""What a chat's commands see beside the project: what PATH names, and what the person named.

Read-only, all of it. What lies in the person's home is shown at its own place and at the same
place of the empty home inside, where programs look for it. It judges places, not what they hold:
a directory that was named is shown whole.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hermes.errors import Usage
from hermes.sandbox.box import HOME, Bind
from hermes.sandbox.changes_config import as_config, describing, read_config

_THERE = tuple(map(Path, ("/usr", "/bin", "/sbin", "/lib", "/lib64")))
_SMALL = 1 << 20
_VENV = "pyvenv.cfg"
_GIT = ("/etc/gitconfig", ".config/git/config", ".gitconfig")
_INSIDE = Path(HOME, "home")


@dataclass(frozen=True)
class View:
    """What is asked for: `env` as commands get it, `read` as the person wrote it.

    `own` are Hermes's places, which nothing shows. `stranger`: the sandbox runs as another user
    than this process, so that what not everybody may read is shown as that user's.
    """

    env: Mapping[str, str]
    read: tuple[str, ...] = ()
    own: tuple[Path, ...] = ()
    stranger: bool = False

    def hidden(self, root: Path) -> tuple[Path, ...]:
        """Hermes's own places in the project."""
        return tuple(one for one in self.own if one != root and one.is_relative_to(root))

    def binds(self, root: Path) -> tuple[Bind, ...]:
        """What is shown beside the project; blocking. Raises Usage for what cannot be."""
        home = Path(self.env.get("HOME") or "/nowhere")
        named = [self._named(text, home) for text in self.read]
        found = [one for one in self._programs(home, root) if os.access(one, os.R_OK)]
        shown: dict[Path, Path] = {}
        for path in [one for one in (*named, *found) if not _within(one, (*_THERE, root))]:
            if path in found and any(path.is_relative_to(one) for one in named):
                continue
            shown[path] = path
            if path != home and path.is_relative_to(home):
                shown[_INSIDE / path.relative_to(home)] = path
        return tuple(
            Bind(source, target, closed=self.stranger and not _open_to_all(source))
            for target, source in sorted(shown.items())
        )

    def files(self) -> dict[str, bytes]:
        """What the person's git says of them, for the git inside: names and ways, no programs.

        But for git-lfs, without which its files would be committed whole.

        Blocking. Files that those include are not followed.
        """
        home = Path(self.env.get("HOME") or "/nowhere")
        own = [_text(home / name) for name in _GIT]
        ignored = [value for data in own for value in _values(data, "core.excludesfile")]
        place = home / (ignored[-1].removeprefix("~/") if ignored else ".config/git/ignore")
        found = {
            ".gitconfig": as_config(one for data in own for one in describing(data)),
            ".config/git/ignore": _text(place),
        }
        return {str(_INSIDE / name): data for name, data in found.items() if data}

    def _named(self, text: str, home: Path) -> Path:
        path = home / text[2:] if text.startswith("~/") else Path(text)
        if not path.is_absolute() or not path.exists():
            raise Usage(f"sandbox.read: {text} is not there", "name absolute paths, or ~/…")
        path = Path(os.path.normpath(path))
        if any(own.is_relative_to(path) or path.is_relative_to(own) for own in self.own):
            raise Usage(f"sandbox.read: {text} would show Hermes's own keys", "name less")
        if not os.access(path, os.R_OK):
            raise Usage(f"sandbox.read: {text} cannot be read", "name what you can read")
        return path

    def _programs(self, home: Path, root: Path) -> list[Path]:
        """What PATH names, and the interpreters of the project's virtual environments."""
        found = [base for one in root.glob(f"*/{_VENV}") for base in _base(one.parent, home)]
        for text in self.env.get("PATH", "").split(":"):
            place = Path(os.path.normpath(text))
            if not place.is_absolute() or not place.is_dir() or home.is_relative_to(place):
                continue
            found += _whole(place, home)
            own = place.is_relative_to(home) and not place.is_relative_to(root)
            if own and os.access(place, os.R_OK):
                found += _led_to(place, home)
        good = [one for one in found if not self._shows_own(one)]
        return [one for one in good if not any(one != each and one.is_relative_to(each)
                                               for each in good)]  # fmt: skip

    def _shows_own(self, path: Path) -> bool:
        return any(own.is_relative_to(path) or path.is_relative_to(own) for own in self.own)


def _open_to_all(path: Path) -> bool:
    """Whether everybody can read it, and whatever its directory holds."""
    above = all(each.stat().st_mode & 0o001 for each in path.parents)
    mine = 0o005 if path.is_dir() else 0o004
    return above and path.stat().st_mode & mine == mine


def _text(path: Path) -> bytes:
    """A small file, or nothing."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= _SMALL else b""
    except OSError:
        return b""


def _values(data: bytes, name: str) -> list[str]:
    try:
        return [value for key, value in read_config(data) if key == name]
    except ValueError:
        return []


def _within(path: Path, places: Sequence[Path]) -> bool:
    return any(path.is_relative_to(one) for one in places)


def _whole(place: Path, home: Path) -> list[Path]:
    """A directory of programs, with what they are of no use without."""
    above = place.parent
    if home.is_relative_to(above):
        return [place]
    if _is_venv(above):
        return [above, *_base(above, home)]
    built = (above / "lib").is_dir() and (above / "include").is_dir() and above.parent != home
    if place.name == "shims" or (above / "conda-meta").is_dir() or (place.name == "bin" and built):
        return [above]
    return [place]


def _led_to(place: Path, home: Path) -> list[Path]:
    """Where the links of a person's own directory of programs lead, as pipx, uv and npm lay them.

    Only what is theirs: a virtual environment, or a directory of packages.
    """
    found: dict[Path, None] = {}
    for link in sorted(one for one in place.iterdir() if one.is_symlink()):
        real = Path(os.path.realpath(link))
        packages = [one for one in real.parents if one.name == "node_modules"]
        venvs = [one for one in real.parents[1:2] if _is_venv(one)]
        found |= dict.fromkeys([*packages[-1:], *venvs, *(_base(venvs[0], home) if venvs else ())])
    return list(found)


def _is_venv(path: Path) -> bool:
    return os.access(path / _VENV, os.R_OK)  # who may not look is told no, and not more


def _base(venv: Path, home: Path) -> list[Path]:
    """Where a virtual environment's interpreter lies; its file may say anything."""
    for line in _text(venv / _VENV).decode(errors="replace").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home" and value.strip().startswith("/"):
            base = Path(os.path.normpath(value.strip())).parent
            return [base] if _is_python(base, home) else []
    return []


def _is_python(prefix: Path, home: Path) -> bool:
    """Whether an interpreter was installed there, apart from what else a person has."""
    real = Path(os.path.realpath(prefix))
    apart = real.parent not in {real, home} and not home.is_relative_to(real)
    return apart and any(real.glob("lib/*/os.py"))
