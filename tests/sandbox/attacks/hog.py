"""Takes as much as it is told to, and no more: for bounds, inside and outside.

    python -I -S -B hog.py WHAT AMOUNT

Prints how much it got.
"""

import ctypes
import mmap
import os
import resource
import sys
import threading
import time

MIB = 1 << 20
PLACE = os.environ.get("TMPDIR", "/tmp")


def counted(steps):
    """How many steps went well."""
    done = 0
    try:
        for _ in steps:
            done += 1
    except (OSError, MemoryError, RuntimeError):
        pass
    return done


def forks(amount):
    reader, writer = os.pipe()
    children = []

    def steps():
        for _ in range(amount):
            child = os.fork()
            if child == 0:
                os.close(writer)
                os.read(reader, 1)
                os._exit(0)
            children.append(child)
            yield

    done = counted(steps())
    os.close(writer)
    for child in children:
        os.waitpid(child, 0)
    return done


def threads(amount):
    gate = threading.Event()
    started = []

    def steps():
        for _ in range(amount):
            one = threading.Thread(target=gate.wait, daemon=True)
            one.start()
            started.append(one)
            yield

    done = counted(steps())
    gate.set()
    for one in started:
        one.join()
    return done


def memory(amount):
    kept = []

    def steps():
        for _ in range(amount):
            kept.append(bytearray(MIB))
            yield

    return counted(steps())


def shared(amount):
    """Anonymous shared memory, which no limit on data counts."""
    kept = []

    def steps():
        for _ in range(amount):
            kept.append(mmap.mmap(-1, MIB))
            kept[-1][:] = b"x" * MIB
            yield

    done = counted(steps())
    time.sleep(2)
    return done


def tree(amount):
    """Four children that hold a quarter each, for two seconds."""
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            kept = bytearray(amount * MIB // 4)
            time.sleep(2)
            os._exit(not kept)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] == 0 for child in children)


def written(folder, count, size):
    names = []

    def steps():
        for at in range(count):
            names.append(f"{folder}/hog-{os.getpid()}-{at}")
            with open(names[-1], "wb", buffering=0) as file:
                if file.write(b"x" * size) < size:
                    raise MemoryError
            yield

    done = counted(steps())
    for name in names:
        if os.path.exists(name):
            os.unlink(name)
    return done


def disk(amount):
    return written(PLACE, amount, MIB)


def disk_in_box(amount):
    return written("/box", amount, MIB)


def disk_in_shm(amount):
    return written("/dev/shm", amount, MIB)


def disk_in_dev(amount):
    return written("/dev", amount, MIB)


def one_file(amount):
    with open(f"{PLACE}/hog-{os.getpid()}", "wb", buffering=0) as file:
        os.unlink(file.name)
        return counted(0 for _ in range(amount) if must(file.write(b"x" * MIB)))


def must(written_bytes):
    if written_bytes < MIB:
        raise MemoryError
    return True


def inodes(amount):
    return written(PLACE, amount, 0)


def inodes_in_shm(amount):
    return written("/dev/shm", amount, 0)


def watchers(amount):
    libc = ctypes.CDLL(None)

    def steps():
        for _ in range(amount):
            if libc.inotify_init() < 0:
                raise OSError
            yield

    return counted(steps())


def descriptors(amount):
    return counted(os.dup(0) for _ in range(amount))


def pending(amount):
    return counted(range(min(amount, resource.getrlimit(resource.RLIMIT_SIGPENDING)[0])))


def flood(amount):
    for _ in range(amount):
        os.write(1, b"x" * MIB)
    return amount


def flood_errors(amount):
    for _ in range(amount):
        os.write(2, b"x" * MIB)
    return amount


def burn(amount):
    until = time.monotonic() + amount
    while time.monotonic() < until:
        pass
    return amount


def burn_in_children(amount):
    """Many short lives, none of which is long."""
    until = time.monotonic() + amount
    while time.monotonic() < until:
        child = os.fork()
        if child == 0:
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                pass
            os._exit(0)
        os.waitpid(child, 0)
    return amount


def wait(amount):
    time.sleep(amount)
    return amount


def deaf(amount):
    """Ignores every signal that can be ignored."""
    import signal

    for number in range(1, 32):
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
    time.sleep(amount)
    return amount


print(f"got={globals()[sys.argv[1]](int(sys.argv[2]))}", flush=True)
