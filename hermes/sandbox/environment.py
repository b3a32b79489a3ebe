"""What a command sees of the environment: a short list of names, so that no key leaks."""

import os
from collections.abc import Mapping
from pathlib import Path

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "TMPDIR")
FIXED = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "false",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_CONFIG_COUNT": "2",  # a bare repository hidden in a project brings its own hooks
    "GIT_CONFIG_KEY_0": "safe.bareRepository",
    "GIT_CONFIG_VALUE_0": "explicit",
    "GIT_CONFIG_KEY_1": "maintenance.auto",  # it would live on, and end half done with the command
    "GIT_CONFIG_VALUE_1": "false",
}
PATH = "/usr/local/bin:/usr/bin:/bin"


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Pick what a command may see; everything else, API keys above all, stays out.

    `GIT_EDITOR=false`: a commit without a message fails at once instead of waiting.
    """
    kept = {name: environ[name] for name in KEPT if name in environ}
    return {"PATH": PATH, "LANG": "C.UTF-8"} | kept | FIXED


def apart_from(root: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The same without the programs of a project, which a command could have put there."""
    places = [one for one in env.get("PATH", PATH).split(":") if one.startswith("/")]
    kept = [one for one in places if not _is_below(one, root)]
    return {**env, "PATH": ":".join(kept) or PATH}


def _is_below(place: str, root: Path) -> bool:
    ways = (os.path.normpath(place), os.path.realpath(place))
    return any(Path(one).is_relative_to(root) for one in ways)
