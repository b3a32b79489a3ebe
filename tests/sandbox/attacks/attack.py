"""Ways out of a sandbox, each tried once and harmlessly: runs inside one, and outside to compare.

    python -I -S -B attack.py TARGET-JSON NAME...

Prints a line for each: through, or held and why. Standard library only; every attack has a
process of its own and ten seconds.
"""

import ctypes
import errno
import fcntl
import json
import os
import platform
import signal
import socket
import struct
import sys
import termios

X86 = platform.machine() == "x86_64"
LIBC = ctypes.CDLL(None, use_errno=True)
SCRATCH = os.environ.get("TMPDIR", "/tmp")
PAGE = 4096
NEW_USER = 0x10000000
T = {}


def call(x86, arm, *arguments):
    """A raw system call; raises OSError."""
    whole = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    done = LIBC.syscall(ctypes.c_long(x86 if X86 else arm), *whole)
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def let_through(x86, arm, *arguments):
    """Whether a call got as far as to find its arguments senseless."""
    try:
        return call(x86, arm, *arguments) == 0
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return True


def libc(name, *arguments):
    done = getattr(LIBC, name)(*arguments)
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def read(path):
    with open(path, "rb") as file:
        return T["secret"].encode() in file.read(1 << 20)


def write(path, text="attacked\n"):
    with open(path, "a") as file:
        return file.write(text) > 0


# The view.
def key_file():
    return read(T["key"])


def database():
    return read(T["db"])


def file_names():
    return os.stat(T["key"]).st_size > 0


def dots():
    return read("../" * 12 + T["key"].lstrip("/"))


def root_of_process_1():
    return read("/proc/1/root" + T["key"])


def root_of_parent():
    return read(f"/proc/{T['victim']}/root" + T["key"])


def cwd_of_parent():
    return bool(os.listdir(f"/proc/{T['victim']}/cwd"))


def environ_of_parent():
    return read(f"/proc/{T['victim']}/environ")


def environ_of_ancestors():
    pid = os.getppid()
    while pid > 1:
        if read(f"/proc/{pid}/environ"):
            return True
        with open(f"/proc/{pid}/stat") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
    return False


def own_environ():
    return any(T["secret"] in value for value in os.environ.values())


def memory_of_parent():
    with open(f"/proc/{T['victim']}/maps") as maps:
        start = next(int(line.split("-")[0], 16) for line in maps if " r" in line)
    with open(f"/proc/{T['victim']}/mem", "rb") as memory:
        memory.seek(start)
        return len(memory.read(16)) == 16


def descriptors_of_parent():
    return bool(os.listdir(f"/proc/{T['victim']}/fd"))


def write_database():
    return write(T["db"])


def plant_hook():
    return write(T["repo"] + "/.git/hooks/post-commit")


def plant_config():
    return write(T["repo"] + "/.git/config")


def plant_link():
    os.symlink("/etc/passwd", f"{T['repo']}/link-{os.getpid()}")
    return True


def plant_hard_link():
    os.link(T["key"], f"{T['repo']}/hard-{os.getpid()}")
    return True


def plant_pth():
    return write(T["venv"] + "/evil.pth")


def plant_pyc():
    return write(T["venv"] + "/json.cpython.pyc")


def change_source():
    return write(T["repo"] + "/module.py")


def list_folder():
    return bool(os.listdir(T["repo"]))


def list_root():
    return "run" in os.listdir("/")


def write_usr():
    return write("/usr/evil")


def write_etc():
    return write("/etc/passwd")


def write_dev():
    return write("/dev/evil")


def write_root():
    return write("/evil")


def write_run():
    return write("/run/hermes/inside.py")


# Processes.
def signal_parent():
    os.kill(T["victim"], signal.SIGUSR1)
    return is_victim()


def pidfd_parent():
    signal.pidfd_send_signal(os.pidfd_open(T["victim"]), signal.SIGUSR1)
    return is_victim()


def is_victim():
    with open(f"/proc/{T['victim']}/stat") as file:
        return file.read().rpartition(")")[2].split()[19] == T["start"]


def priority_of_parent():
    os.setpriority(os.PRIO_PROCESS, T["victim"], 19)
    return is_victim()


def limits_of_parent():
    import resource

    resource.prlimit(T["victim"], resource.RLIMIT_CORE, (0, 0))
    return is_victim()


def readv_parent():
    class Part(ctypes.Structure):
        _fields_ = (("at", ctypes.c_void_p), ("size", ctypes.c_size_t))

    with open(f"/proc/{T['victim']}/maps") as maps:
        start = next(int(line.split("-")[0], 16) for line in maps if " r" in line)
    room = ctypes.create_string_buffer(8)
    ours, theirs = Part(ctypes.addressof(room), 8), Part(start, 8)
    return call(310, 270, T["victim"], ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0) == 8


def readv_parent_at_its_number():
    room = ctypes.create_string_buffer(8)
    return call(310, 270, os.getppid(), ctypes.byref(room), 0, ctypes.byref(room), 0, 0) == 0


def ptrace_parent():
    call(101, 117, 0x4206, T["victim"], None, None)  # PTRACE_SEIZE: does not stop it
    return True


def ptrace_process_1():
    call(101, 117, 0x4206, 1, None, None)
    return True


def ptrace_me():
    return call(101, 117, 0, 0, None, None) == 0


def stop_process_1():
    os.kill(1, signal.SIGSTOP)
    return True


def steal_descriptor():
    return call(438, 438, os.pidfd_open(os.getppid()), 0, 0) >= 0


def compare_processes():
    return call(312, 272, os.getpid(), os.getppid(), 0, 0, 0) >= 0


def affinity():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return True


def real_time():
    return call(144, 119, 0, 3, struct.pack("i", 0)) == 0  # SCHED_BATCH


def io_priority():
    return call(251, 30, 1, 0, 3 << 13) == 0


# Sockets.
def tcp():
    socket.create_connection(("127.0.0.1", T["tcp"]), 3).close()
    return True


def tcp6():
    socket.create_connection(("::1", T["tcp6"]), 3).close()
    return True


def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(3)
        sender.connect(("127.0.0.1", T["udp"]))
        sender.send(b"ping")
        return sender.recv(4) == b"pong"


def unix(address, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_UNIX, kind) as caller:
        caller.settimeout(3)
        caller.connect(address)
    return True


def abstract_socket():
    return unix("\0" + T["abstract"])


def path_socket():
    return unix(T["door"])


def family(number, kind=socket.SOCK_STREAM, protocol=0):
    socket.socket(number, kind, protocol).close()
    return True


def vsock():
    return family(40)


def netlink():
    return family(16, socket.SOCK_RAW)


def bluetooth():
    return family(31, socket.SOCK_RAW, 1)


def alg():
    return family(38, socket.SOCK_SEQPACKET)


def raw():
    return family(2, socket.SOCK_RAW, 1)


def packet():
    return family(17, socket.SOCK_RAW)


# The kernel.
def mounts():
    return call(165, 40, b"x", SCRATCH.encode(), b"tmpfs", 0, None) == 0


def remounts():
    return call(165, 40, None, b"/", None, 32 | 4096, None) == 0


def opens_tree():
    return call(428, 428, -100, b"/", 0x8001) >= 0


def opens_filesystem():
    return call(430, 430, b"tmpfs", 0) >= 0


def pivots():
    return let_through(155, 41, b"/", b"/")


def makes_device():
    os.mknod(f"{SCRATCH}/disk", 0o60600, os.makedev(254, 0))
    return True


def chroots():
    os.chroot(SCRATCH)
    return True


def sysctl():
    return write("/proc/sys/kernel/core_pattern", "")


def sets_clock():
    return call(227, 112, 0, struct.pack("qq", 1, 0)) == 0


def becomes_root():
    os.setuid(0)
    return os.geteuid() == 0


def setuid_program():
    import subprocess

    if not os.stat(T["setuid"]).st_mode & 0o4000:
        raise PermissionError(errno.EPERM, "only root can make one")
    said = subprocess.run([T["setuid"], "-u"], capture_output=True, check=True).stdout
    return int(said) != os.getuid()


def perf():
    return call(298, 241, struct.pack("II", 1, 112) + bytes(104), 0, -1, -1, 0) >= 0


def user_namespace():
    return libc("unshare", NEW_USER) == 0


def net_namespace():
    return libc("unshare", NEW_USER | 0x40000000) == 0


def cloned_namespace():
    child = call(56, 220, NEW_USER | signal.SIGCHLD, None, None, None, None)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def clone3():
    size = 64
    child = call(435, 435, struct.pack("8Q", NEW_USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), size)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def enters_namespace():
    return let_through(308, 268, os.open("/proc/self/ns/user", os.O_RDONLY), 0)


def io_uring():
    return call(425, 425, 4, bytes(120)) >= 0


def bpf():
    return call(321, 280, 0, struct.pack("IIII", 2, 4, 4, 1) + bytes(104), 120) >= 0


def userfaultfd():
    return call(323, 282, 1) >= 0


def keyring():
    return call(248, 217, b"user", b"x", b"y", 1, -3) >= 0


def memfd():
    return os.memfd_create("x") >= 0


def memfd_secret():
    return call(447, 447, 0) >= 0


def shared_memory():
    return libc("shmctl", libc("shmget", 0, PAGE, 0o1600), 0, None) == 0


def message_queue():
    return libc("msgctl", libc("msgget", 0, 0o1600), 0, None) == 0


def posix_queue():
    name = b"x%d" % os.getpid()
    made = call(240, 180, name, 0o100 | 2, 0o600, None) >= 0
    if made:  # it outlives its maker, and ten of them are all that a user may have
        call(241, 181, name)
    return made


def personality():
    return call(135, 92, 0x0040000) >= 0  # ADDR_NO_RANDOMIZE


def local_table():
    return call(154, 9999, 0, ctypes.create_string_buffer(64), 64) >= 0


def file_handles():
    handle, mount = (
        ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128)),
        ctypes.c_int(),
    )
    return call(303, 264, -100, b"/usr", handle, ctypes.byref(mount), 0) == 0


def fanotify():
    return call(300, 262, 0x200, 0) >= 0  # FAN_REPORT_FID: no root needed


def moves_pages():
    return call(279, 239, 0, 0, None, None, None, 0) == 0


def other_numbers():
    """x32: the same calls under a second set of numbers; the filter kills."""
    return call(0x40000000 + 39, 0x40000000) >= 0


def types_into_terminal():
    ours, theirs = os.openpty()
    os.setsid()
    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
    fcntl.ioctl(theirs, termios.TIOCSTI, b"x")
    return ours >= 0


def steals_terminal():
    os.open("/dev/tty", os.O_RDWR)
    return True


def inherited_descriptor():
    return any(
        T["repo"] in os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.islink(f"/proc/self/fd/{fd}")
    )


def kernel_log():
    return call(103, 116, 10, None, 0) >= 0


def handled(error):
    return errno.errorcode.get(error.errno, "?") if isinstance(error, OSError) else repr(error)


def attempt(name):
    """In a child: what a signal ends is held too."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        try:
            said = "through" if globals()[name]() else "held: nothing"
        except Exception as error:
            said = "held: " + handled(error)
        os.write(writer, said.encode()[:200])
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 200).decode()
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    return said or f"held: ended by {status}"


if __name__ == "__main__":
    T.update(json.loads(sys.argv[1]))
    for one in sys.argv[2:]:
        print(f"{one}={attempt(one)}", flush=True)
