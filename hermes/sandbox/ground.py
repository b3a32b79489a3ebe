"""Where the parts of a sandbox lie on this machine, and as whom it is started.

It only looks, but for `chrt`, which is tried; whether the rest holds is shown by trying it
(`selftest`). bubblewrap is taken from
the system's own directories by its absolute path, never from PATH: a workspace could bring
its own.
"""

import os
import platform
import pwd
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hermes.errors import NotAvailable
from hermes.sandbox.landlock import abi

USER = "hermes-sandbox"
SYSTEM = "/usr/bin:/bin:/usr/local/bin:/run/current-system/sw/bin"
_OVERFLOW = 65_534
INSTALL = "install bubblewrap (apt-get install bubblewrap, dnf install bubblewrap)"
ADD_USER = (
    f"make the user it runs as: useradd --system --no-create-home --shell /usr/sbin/nologin {USER}"
)


@dataclass(frozen=True)
class Account:
    """A user that sandboxes run as, in place of root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Ground:
    """What there is: programs by absolute path ("" where there is none), kernel, account.

    `account` None: this process's own user. `landlock`: the ABI, 0 where there is none.
    `staged`: whether a namespace of ours lies around bubblewrap's, which bounds inodes.
    """

    bwrap: str
    unshare: str
    chrt: str
    python: str
    prefix: str
    kernel: str
    landlock: int
    account: Account | None
    staged: bool = True


def find_ground() -> Ground:
    """Look at this machine; raises NotAvailable where no sandbox of any kind can start.

    Blocking, in the time of a few file look-ups and the start of one program.
    """
    if sys.platform != "linux":
        raise NotAvailable(
            f"there is no sandbox for {platform.system()}", "run Hermes on Linux, or in a Linux VM"
        )
    python, prefix = _python()
    return Ground(
        bwrap=_program("bwrap"),
        unshare=_program("unshare"),
        chrt=_idling(),
        python=python,
        prefix=prefix,
        kernel=platform.release(),
        landlock=abi(),
        account=_account(),
    )


def _program(name: str) -> str:
    found = shutil.which(name, path=SYSTEM)
    return found if found and _is_roots(Path(found)) else ""


def _idling() -> str:
    """`chrt`, where it may be used: some containers forbid it."""
    found = _program("chrt")
    if not found:
        return ""
    command = [found, "--idle", "0", "/bin/true"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - root's own
    return "" if done.returncode else found


def _is_roots(path: Path) -> bool:
    """Whether only root can change the program; in some containers root has no number."""
    seen = path.resolve().stat()
    return seen.st_uid in {0, _OVERFLOW} and not seen.st_mode & (stat.S_IWOTH | stat.S_IWGRP)


def _python() -> tuple[str, str]:
    """The interpreter for the last step, and what must be bound for it ("": nothing)."""
    found = _program("python3")
    if found.startswith("/usr/bin/"):
        return found, ""
    prefix = Path(sys.base_prefix)
    return str(prefix / "bin" / f"python3.{sys.version_info.minor}"), str(prefix)


def _account() -> Account | None:
    """As root: somebody else, since the kernel bounds no number of processes for root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        raise NotAvailable("a sandbox is not run as root", ADD_USER) from None
    if entry.pw_uid == 0:
        raise NotAvailable(f"{USER} is root under another name", ADD_USER)
    return Account(entry.pw_uid, entry.pw_gid)
