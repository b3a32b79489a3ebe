"""What a command knows of its process: directories, environment, streams, the way to an owner.

Commands take it as an argument, so that they run in a test without a process of their own.
"""

import io
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from hermes.config import Settings
from hermes.gateway.terminal_door import Door
from hermes.load import load


class OpenClient(Protocol):
    """Attaches to the owner of the store, or becomes it."""

    def __call__(
        self, settings: Settings, *, interactive: bool, environ: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Door]:
        """Open the door; closed when the context ends."""
        ...


class FindOwner(Protocol):
    """Attaches to a running owner and never becomes one."""

    def __call__(self, settings: Settings) -> AbstractAsyncContextManager[Door | None]:
        """Open the door; None when nobody owns the store."""
        ...


@dataclass(frozen=True)
class World:
    """The process around a command; `root` is the project that the person stands in."""

    environ: Mapping[str, str]
    cwd: Path
    root: Path
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    open_client: OpenClient
    find_owner: FindOwner

    @property
    def home(self) -> Path:
        """The person's home directory."""
        return home_of(self.environ)

    def complain(self, message: str, remedy: str = "") -> None:
        """Say on standard error what is the case and what to do."""
        print(f"hermes: {message}", file=self.stderr)
        if remedy:
            print(f"  {remedy}", file=self.stderr)

    def note(self, text: str) -> None:
        """Tell a person at standard error something; a program is not bothered."""
        if self.stderr.isatty():
            print(text, file=self.stderr, flush=True)


def this_world() -> World:
    """The real process; what its streams cannot write is replaced, never an error."""
    cwd = _cwd()
    return World(
        environ=os.environ,
        cwd=cwd,
        root=project_root(cwd, home_of(os.environ)),
        stdin=_lenient(sys.stdin),
        stdout=_lenient(sys.stdout),
        stderr=_lenient(sys.stderr),
        open_client=_open_client,
        find_owner=_find_owner,
    )


def home_of(environ: Mapping[str, str]) -> Path:
    """The person's home directory."""
    return Path(environ.get("HOME") or "/").absolute()


def project_root(cwd: Path, home: Path) -> Path:
    """The nearest directory upwards with `.git` or `.hermes-v2`, else `cwd`.

    Never `/` or the home directory of somebody who stands below it: a dotfiles repository
    there would make every file of theirs part of the project.
    """
    for directory in (cwd, *cwd.parents):
        if (directory / ".git").exists() or (directory / ".hermes-v2").is_dir():
            if directory in {home, Path(directory.anchor)}:
                break
            return directory
    return cwd


def _lenient(stream: TextIO | None) -> TextIO:
    if stream is None:  # the parent closed it
        return io.StringIO()
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


def _cwd() -> Path:
    try:
        return Path.cwd().resolve()
    except FileNotFoundError:
        return Path("/")


def _open_client(
    settings: Settings, *, interactive: bool, environ: Mapping[str, str]
) -> AbstractAsyncContextManager[Door]:
    opened: AbstractAsyncContextManager[Door] = load("attach").open_client(
        settings, interactive=interactive, environ=environ
    )
    return opened


def _find_owner(settings: Settings) -> AbstractAsyncContextManager[Door | None]:
    found: AbstractAsyncContextManager[Door | None] = load("attach").find_owner(settings)
    return found
