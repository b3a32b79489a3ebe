"""Tier B: one command without namespaces, for machines that give none.

Held: files outside the view, every socket, privileges, one process's memory. Not held, and
the reason that no successor runs here: there is no quota on the disk, the number of processes
and of watches is shared with the user's own, names of files can still be asked for, and there is
no loopback.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hermes.errors import NotAvailable
from hermes.sandbox.box import HOME, Box
from hermes.sandbox.ground import Ground
from hermes.sandbox.launch import ENV, limits_of
from hermes.sandbox.seccomp import program, this_machine

_READ = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives",
         "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf",
         "/etc/ssl", "/etc/mime.types")  # fmt: skip
_WRITE = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Bare:
    """What a command of tier B is started with: its folder stands for the box."""

    ground: Ground
    box: Box
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """What it sees of an environment."""
        own = {"HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return {**ENV, **own, **self.box.env}

    @property
    def cwd(self) -> str:
        """Where it starts."""
        if self.box.cwd == HOME or self.box.cwd.startswith(f"{HOME}/"):
            return str(self.folder) + self.box.cwd.removeprefix(HOME)
        return self.box.cwd

    def argv(self, life: int, control: int) -> list[str]:
        """The words that start it."""
        keeper, inside = (str(Path(__file__).with_name(f"{name}.py")) for name in _SCRIPTS)
        python = [self.ground.python, "-I", "-S", "-B"]
        return [*python, keeper, str(life), *python, inside, str(control)]

    def bounds(self) -> list[str]:
        """What its last step lays on itself."""
        limits = limits_of(self.box.limits) | {"NPROC": self._processes()}
        words = [f"limit={name}:{number}" for name, number in limits.items()]
        words += ["landlock", *(f"read={place}" for place in (*_READ, self.ground.prefix) if place)]
        words += [f"read={bind.source}" for bind in self.box.read]
        words += [f"write={place}" for place in (*_WRITE, self.folder)]
        return [*words, "seccomp=" + program(this_machine(), inet=False).hex()]

    def _processes(self) -> int:
        """The bound counts all threads of the user; so those that are there come on top."""
        account = self.ground.account
        uid = account.uid if account else os.getuid()
        return self.box.limits.processes + sum(map(_threads, _pids_of(uid)))


_SCRIPTS = ("keeper", "inside")


@contextmanager
def bare(ground: Ground, box: Box) -> Generator[Bare, None, None]:
    """A folder for one command, gone again when the context ends; blocking.

    Raises NotAvailable for a view that needs namespaces.
    """
    if box.workspace is not None or any(bind.source != bind.target for bind in box.read):
        raise NotAvailable(
            "tier B shows no workspace and moves no file to another place",
            "see `hermes sandbox check` for what tier A needs",
        )
    folder = Path(tempfile.mkdtemp(prefix="hermes-box-"))
    try:
        if ground.account:
            os.chown(folder, ground.account.uid, ground.account.gid)
        yield Bare(ground, box, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pids_of(uid: int) -> list[Path]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                found.append(entry)
        except OSError:
            continue
    return found


def _threads(process: Path) -> int:
    try:
        return len(list((process / "task").iterdir()))
    except OSError:
        return 0
