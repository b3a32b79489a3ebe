import io
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hermes.cli.run import execute
from hermes.cli.world import World, project_root
from hermes.testing.door import ScriptedDoor


class Stream(io.StringIO):
    def __init__(self, text="", *, tty=False, encoding="utf-8"):
        super().__init__(text)
        self._tty = tty
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return self._tty


@dataclass
class Shell:
    """Runs command lines against a scripted door; `running`: whether an owner runs already."""

    home: Path
    door: ScriptedDoor = field(default_factory=ScriptedDoor)
    running: bool = False
    error: Exception | None = None
    opened: list = field(default_factory=list)
    out: str = ""
    err: str = ""

    def run(self, *words, stdin=None, typed="", tty=False, encoding="utf-8", **environ):
        @asynccontextmanager
        async def open_client(settings, *, interactive, environ):
            self.opened.append((settings, interactive))
            if self.error:
                raise self.error
            yield self.door

        @asynccontextmanager
        async def find_owner(settings):
            yield self.door if self.running else None

        out, err = Stream(tty=tty, encoding=encoding), Stream(tty=tty)
        world = World(
            environ={"HERMES_V2_HOME": str(self.home / "state"), "HOME": "/home/x"} | environ,
            cwd=self.home,
            root=project_root(self.home, Path("/home/x")),
            stdin=Stream(stdin or typed, tty=stdin is None),
            stdout=out,
            stderr=err,
            open_client=open_client,
            find_owner=find_owner,
        )
        code = execute(words, world)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)
