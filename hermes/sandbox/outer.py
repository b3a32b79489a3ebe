"""The namespace around a sandbox that shows a workspace: lays the overlay, becomes bubblewrap.

Run as `python -I -S -B outer.py KIND UID:GID WORKSPACE BYTES INODES LAID GO N PLACE… ARGV…`; nobody
imports it, standard library only. KIND `live` lays nothing over: the place is the workspace itself,
for bubblewrap to show read-only. It says on LAID that the overlay is there and goes on when GO is
written to. As root it first lays an id-mapped copy of the mount over the workspace, in which the
workspace's owner stands as UID:GID, and becomes that user: what runs inside can then change
its overlay without ever being root. So it shows the N places, too, which only root can read. That
needs Linux 5.19; the overlay on tmpfs 6.6.
"""

import ctypes
import os
import struct
import sys

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_OUTER = "/mnt"
_NO_SUID_DEV = 0x2 | 0x4
_WATCHES = (("instances", 16), ("watches", 4096))
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_CLONE, _EMPTY_PATH = 1, 0x1000
_FROM_EMPTY_PATH = 0x4
_IDMAP = 0x00100000
_PRIVATE = 1 << 18
_BIND = 0x1000
_REC = 0x4000
_HERE = -100
_DUMPABLE = 4
_LIBC = ctypes.CDLL(None, use_errno=True)


def call(what: object, *arguments: object) -> int:
    """A system call by number, or a function of the C library; raises OSError."""
    done: int
    if isinstance(what, int):
        done = _LIBC.syscall(ctypes.c_long(what), *arguments)
    else:
        done = getattr(_LIBC, str(what))(*arguments)
    if done < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return done


def tell(path: str, text: str) -> None:
    """Write a setting of the kernel."""
    with open(path, "w") as file:
        file.write(text)


def mount(kind: str, place: str, options: str = "", flags: int = 0) -> None:
    """Mount a file system; no kind: change how a mount propagates."""
    told = options.encode() if options else None
    name = kind.encode() if kind else None
    call("mount", b"box", place.encode(), name, ctypes.c_ulong(flags), told)


def namespace(inside: tuple[int, int], outside: tuple[int, int]) -> int:
    """A descriptor of a user namespace that maps these (uid, gid) to those."""
    ready, wait = os.pipe()
    done, hold = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hold)
        call("unshare", _NEW_USER)
        os.write(wait, b"x")
        os.read(done, 1)
        os._exit(0)
    os.close(done)
    os.close(wait)
    if not os.read(ready, 1):
        raise OSError(1, "no user namespace")
    tell(f"/proc/{child}/uid_map", f"{inside[0]} {outside[0]} 1")
    tell(f"/proc/{child}/gid_map", f"{inside[1]} {outside[1]} 1")
    fd = os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    os.close(hold)
    os.waitpid(child, 0)
    return fd


def tree_as(uid: int, gid: int, path: str) -> int:
    """A copy of the mount at a place, in which its owner stands as that user."""
    seen = os.stat(path)
    tree = call(_OPEN_TREE, _HERE, os.fsencode(path), _CLONE | os.O_CLOEXEC)
    users = namespace((seen.st_uid, seen.st_gid), (uid, gid))
    attributes = struct.pack("QQQQ", _IDMAP, 0, 0, users)
    call(_MOUNT_SETATTR, tree, b"", _EMPTY_PATH, attributes, ctypes.c_size_t(len(attributes)))
    os.close(users)
    return tree


def put(tree: int, place: str) -> None:
    """Put such a copy at a place."""
    call(_MOVE_MOUNT, tree, b"", _HERE, os.fsencode(place), _FROM_EMPTY_PATH)
    os.close(tree)


def shown_as(uid: int, gid: int, workspace: str, places: list[str]) -> list[tuple[int, bool]]:
    """As root: show the workspace as that user's, and become the user; copies of the places.

    Beside each, whether it is a directory; -1 where its file system cannot show it as another's.
    """
    call("unshare", _NEW_MOUNTS)
    mount("", "/", flags=_PRIVATE | _REC)
    put(tree_as(uid, gid, workspace), workspace)
    trees = []
    for place in places:
        try:
            tree = tree_as(uid, gid, place)
        except OSError:
            tree = -1
        trees.append((tree, os.path.isdir(place)))
    os.chdir(workspace)  # while it may pass the directories above
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    call("prctl", _DUMPABLE, 1, 0, 0, 0)  # else its own /proc files are root's
    return trees


def lay(kind: str, size: str, inodes: str) -> None:
    """Our namespace: sized memory, and this directory, with a layer of its own over it or not."""
    uid, gid = os.getuid(), os.getgid()
    call("unshare", _NEW_USER | _NEW_MOUNTS)
    tell("/proc/self/setgroups", "deny")
    tell("/proc/self/uid_map", f"0 {uid} 1")
    tell("/proc/self/gid_map", f"0 {gid} 1")
    mount("", "/", flags=_PRIVATE | _REC)
    mount("tmpfs", _OUTER, f"size={size},nr_inodes={inodes},mode=700", _NO_SUID_DEV)
    for name in "wtsuko":
        os.mkdir(f"{_OUTER}/{name}", 0o700)
    for name, most in _WATCHES:
        tell(f"/proc/sys/user/max_inotify_{name}", str(most))
    tell("/proc/self/oom_score_adj", "1000")
    if kind == "live":
        call("mount", b".", f"{_OUTER}/o".encode(), None, ctypes.c_ulong(_BIND | _REC), None)
        os.chdir("/")
        return
    layers = f"lowerdir=.,upperdir={_OUTER}/u,workdir={_OUTER}/k"  # "." needs no quoting
    mount("overlay", f"{_OUTER}/o", f"userxattr,{layers}")
    os.chdir("/")


def main() -> None:
    """Show, lay, wait, go on."""
    kind, whom, workspace, size, inodes, laid, go, count, *argv = sys.argv[1:]
    places, argv = argv[: int(count)], argv[int(count) :]
    trees = []
    if whom:
        uid, _, gid = whom.partition(":")
        trees = shown_as(int(uid), int(gid), workspace, places)
    else:
        os.chdir(workspace)
    lay(kind, size, inodes)
    for number, (tree, folder) in enumerate(trees):
        place = f"{_OUTER}/r{number}"
        os.mkdir(place) if folder else tell(place, "")
        if tree >= 0:
            put(tree, place)
    os.write(int(laid), b"laid")
    if not os.read(int(go), 1):
        return  # whoever asked is gone
    os.close(int(laid))
    os.close(int(go))
    os.execv(argv[0], argv)  # noqa: S606 - the point


main()
