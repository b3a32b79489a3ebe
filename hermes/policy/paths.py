"""Where a path really leads: symlinks and `..` resolved before anything is matched.

Looks at the disk (links only), so an async caller asks in a thread. It does not guard
against a link that is changed between the decision and the use.
"""

import os
from pathlib import Path

from hermes.core.tool import Place
from hermes.errors import Refused
from hermes.policy.command import names

_GUARDED_DIRECTORIES = frozenset({".git", ".hermes-v2", ".ssh"})
_START_UP = names(
    ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .inputrc .zshrc "
    ".zshenv .zprofile .zlogin .zlogout .kshrc .cshrc .tcshrc .login .envrc .gitconfig "
    "config.fish"
)


def resolve(path_text: str, place: Place) -> Path:
    """Resolve a path as the client's shell would, dangling links too; raises Refused."""
    if not path_text or "\0" in path_text:
        raise Refused("a path is empty or holds a NUL")
    try:
        return Path(os.path.realpath(place.cwd / path_text, strict=False))
    except (OSError, ValueError, RuntimeError) as error:
        raise Refused(f"the path {path_text!r} cannot be resolved: {error}") from error


def inside(path: Path, root: Path) -> bool:
    """Whether a resolved path is the root or lies under it; the root may be a link."""
    return path.is_relative_to(os.path.realpath(root))


def relative(path: Path, root: Path) -> str | None:
    """The path under the root, with `/`; None when it lies outside."""
    real = Path(os.path.realpath(root))
    return path.relative_to(real).as_posix() if path.is_relative_to(real) else None


def written(path_text: str, place: Place) -> Path:
    """The absolute path as it was written: `..` folded, links not followed."""
    return Path(os.path.normpath(place.cwd / path_text))


def guarded(path: Path) -> str:
    """Why writing there always needs a person; empty when it does not."""
    for name in path.parts[:-1]:
        if name.casefold() in _GUARDED_DIRECTORIES:
            return f"what lies in {name}/ can run or loosen things"
    last = path.name.casefold()
    if last in _GUARDED_DIRECTORIES:
        return f"{path.name} can run or loosen things"
    return f"{path.name} is run when a shell or tool starts" if last in _START_UP else ""
