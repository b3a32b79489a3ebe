"""The words that start a sandbox: a namespace of ours, bubblewrap's, the last step inside.

Every argument stands here for a measured reason (docs/sandbox.md lists the attacks that each
stops). What bubblewrap is told goes through a descriptor, so that `ps` shows nothing of it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hermes.errors import Usage
from hermes.sandbox.box import HOME, Bind, Box, Limits
from hermes.sandbox.carried import FOLDER, carried
from hermes.sandbox.ground import Ground
from hermes.sandbox.seccomp import program, this_machine

OUTER = "/mnt"  # where our own namespace mounts what is sized
ENV: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": f"{HOME}/home",
    "TMPDIR": "/tmp",  # noqa: S108 - inside
    "LANG": "C.UTF-8",
    "USER": "box",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "2",  # threads share heaps, so that the limit on data holds many
}
READ = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64", "/proc", "/dev", "/run")
WRITE = (HOME, "/tmp", "/dev/shm", "/dev/null", "/dev/zero", "/dev/full", "/dev/tty",  # noqa: S108 - inside
         "/dev/random", "/dev/urandom")  # fmt: skip
_SYSTEM = ("bin", "sbin", "lib", "lib64")
_ETC = ("ld.so.cache", "alternatives", "localtime", "mime.types", "protocols", "services", "ssl")
_RESOLVER = ("resolv.conf", "gai.conf", "pki", "ca-certificates")
_FILES = {
    "/etc/passwd": b"box:x:1000:1000::/box/home:/bin/sh\n",
    "/etc/group": b"box:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost box\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
}
# Watches count against the user: what runs inside must not use up the parent's.
_OUTER_SCRIPT = f"""set -e
mount -t tmpfs -o "size=$1,nr_inodes=$2,mode=700,nosuid,nodev" box {OUTER}
mkdir -m 700 {OUTER}/w {OUTER}/t {OUTER}/s
echo 16 >/proc/sys/user/max_inotify_instances
echo 4096 >/proc/sys/user/max_inotify_watches
echo 1000 >/proc/self/oom_score_adj
shift 2
exec "$@"
"""


@dataclass
class Launch:
    """What is started: `argv`, with descriptors that are closed once it is."""

    argv: list[str] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)

    def data(self, content: bytes) -> str:
        """A descriptor that reads these bytes, as a word."""
        fd = os.memfd_create("hermes")
        self.fds.append(fd)
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        return str(fd)

    def close(self) -> None:
        """Close what the child has its own copies of."""
        while self.fds:
            os.close(self.fds.pop())


def launch(
    made: Launch,
    ground: Ground,
    box: Box,
    control: int,
    info: tuple[int, int],
    wait: tuple[int, int] | None = None,
) -> None:
    """Make the words for a box; `control` is what the last step reads.

    `info`: where bubblewrap tells whom it has started, and the other end; `wait`: descriptors to
    say on that the workspace is laid over, and to be let go on. Blocking. Raises Usage where the
    view cannot be.
    """
    check_view(box)
    words = ["--info-fd", str(info[0]), *_told(made, ground, box)]
    told = made.data(b"".join(os.fsencode(word) + b"\0" for word in words))
    last = [ground.python, "-I", "-S", "-B", carried(ground.python)[0][0]]
    made.argv = [ground.bwrap, "--args", told, "--", *last, str(control), str(info[1])]
    if ground.staged:
        made.argv = [*_outer(ground, box, wait), *made.argv]


def check_view(box: Box) -> None:
    """Refuse a view that would cover the sandbox's own places."""
    own = [Path(place) for place in (HOME, FOLDER, OUTER, *READ)]
    for path in [bind.target for bind in box.read] + ([box.workspace] if box.workspace else []):
        if not path.is_absolute() or ".." in path.parts:
            raise Usage(f"{path} is no resolved absolute path")
        if path == Path("/") or any(place.is_relative_to(path) for place in own):
            raise Usage(f"{path} cannot be shown inside: the sandbox has its own")
    if any(box.workspace is None or not one.is_relative_to(box.workspace) for one in box.hidden):
        raise Usage("only what lies in a workspace can be hidden")
    if box.workspace and any(box.workspace.is_relative_to(place) for place in own):
        raise Usage(f"{box.workspace} cannot be a workspace: it belongs to the system")


def _outer(ground: Ground, box: Box, wait: tuple[int, int] | None) -> list[str]:
    """A namespace around bubblewrap's: that one bounds no inodes, and lays nothing over."""
    disk, inodes = str(box.limits.disk), str(box.limits.inodes)
    if box.workspace is not None and wait is not None:
        script = str(Path(__file__).with_name("outer.py"))
        whom = f"{ground.account.uid}:{ground.account.gid}" if ground.account else ""
        kind = "live" if box.live else "overlay"
        closed = [str(one.source) for one in _closed(box)] if whom else []
        words = [kind, whom, str(box.workspace), disk, inodes, str(wait[0]), str(wait[1])]
        words += [str(len(closed)), *closed]
        return [ground.python, "-I", "-S", "-B", script, *words]
    return [ground.unshare, "-Urm", "--propagation", "private", "/bin/sh", "-c", _OUTER_SCRIPT,
            "box", disk, inodes]  # fmt: skip


def _told(made: Launch, ground: Ground, box: Box) -> list[str]:
    words = ["--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid",
             "1000", "--hostname", "box", "--die-with-parent", "--new-session", "--cap-drop",
             "ALL", "--clearenv", *(["--share-net"] if box.network else [])]  # fmt: skip
    words += ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        place = Path("/", name)
        if place.is_symlink():
            words += ["--symlink", str(place.readlink()), str(place)]
        elif place.exists():
            words += ["--ro-bind", str(place), str(place)]
    for name in (*_ETC, *(_RESOLVER if box.network else ())):
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for name, content in _FILES.items():
        words += ["--ro-bind-data", made.data(content), name]
    words += ["--proc", "/proc", "--dev", "/dev", *_writable(ground, box.limits)]
    words += ["--dir", f"{HOME}/home"]
    for name, content in box.files.items():
        words += ["--ro-bind-data", made.data(content), name]
    if ground.prefix:
        words += ["--ro-bind", ground.prefix, ground.prefix]
    around = [one for one in box.read if box.workspace and box.workspace.is_relative_to(one.target)]
    at = _places(ground, box)
    words += _shown(around, at)
    if box.workspace:
        how = "--ro-bind" if box.live else "--bind"
        words += [how, f"{OUTER}/o", str(box.workspace), *_hidden(box)]
    words += _shown([one for one in box.read if one not in around], at)
    for name, content in carried(ground.python):
        words += ["--ro-bind-data", made.data(content), name]
    words += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME]
    return [*words, "--seccomp", made.data(program(this_machine(), inet=box.inet))]


def _closed(box: Box) -> list[Bind]:
    """Those that only root can read, which the outer namespace shows as the account's."""
    return [one for one in box.read if one.closed]


def _places(ground: Ground, box: Box) -> dict[Bind, str]:
    """Where they lie for bubblewrap."""
    closed = _closed(box) if ground.account and box.workspace else []
    return {one: f"{OUTER}/r{number}" for number, one in enumerate(closed)}


def _shown(binds: Sequence[Bind], at: Mapping[Bind, str]) -> list[str]:
    words: list[str] = []
    for one in binds:
        words += ["--ro-bind", at.get(one, str(one.source)), str(one.target)]
    return words


def _hidden(box: Box) -> list[str]:
    """An empty, closed directory, or nothing at all, over what is not for the inside."""
    words: list[str] = []
    for path in box.hidden:
        if path.is_dir():
            words += ["--perms", "0555", "--size", "4096", "--tmpfs", str(path)]
            words += ["--remount-ro", str(path)]
        elif path.exists():
            words += ["--ro-bind", "/dev/null", str(path)]
    return words


def _writable(ground: Ground, limits: Limits) -> list[str]:
    if ground.staged:
        places = (("s", "/dev/shm"), ("w", HOME), ("t", "/tmp"))  # noqa: S108 - inside
        return [word for name, place in places for word in ("--bind", f"{OUTER}/{name}", place)]
    small = str(min(limits.disk, 16 << 20))
    return ["--size", small, "--tmpfs", "/dev/shm", "--size", str(limits.disk), "--tmpfs", HOME,  # noqa: S108 - inside
            "--size", small, "--tmpfs", "/tmp"]  # fmt: skip  # noqa: S108 - inside


def limits_of(limits: Limits) -> dict[str, int]:
    """The kernel's own limits, by their names."""
    return {
        "DATA": limits.memory,  # not AS: with that, threads fail at a fraction of it
        "NPROC": limits.processes,
        "NOFILE": limits.open_files,
        "FSIZE": limits.file,
        "CPU": limits.cpu_s,
        "CORE": 0,
        "MEMLOCK": 0,
        "SIGPENDING": 256,
        "MSGQUEUE": 0,
    }


def bounds(ground: Ground, box: Box) -> list[str]:
    """What the last step lays on itself."""
    words = [f"limit={name}:{number}" for name, number in limits_of(box.limits).items()]
    words += [f"nice={box.nice}"] * bool(box.nice)
    if ground.landlock:
        read = [*READ, *(str(bind.target) for bind in box.read)]
        write = [*WRITE]
        if box.workspace:
            (read if box.live else write).append(str(box.workspace))
        words += ["landlock", "tcp", *(f"read={one}" for one in read if one)]
        words += [f"read={ground.prefix}"] * bool(ground.prefix)
        words += [f"write={one}" for one in write]
    return words
