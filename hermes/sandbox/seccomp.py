"""The seccomp filter of a sandbox, written as BPF by hand: no library, no root.

Allowed unless named. It guards against other kinds of sockets, nested namespaces, mounts,
tracing, keyrings, memory that no limit counts, and typing into the terminal. It sees numbers
and not what pointers point to: paths are the business of the mounts and of Landlock.
"""

import platform
import struct
from typing import NamedTuple

from hermes.errors import NotAvailable
from hermes.sandbox.syscalls import CLONE3, MACHINES, Machine

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NUMBER, _ARCH, _FIRST, _SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data
_X32_BIT = 0x40000000
_NEW_NAMESPACES = 0x7E020000
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C


class _Step(NamedTuple):
    """One instruction: `yes` and `no` say how many of the next ones are skipped."""

    code: int
    value: int
    yes: int = 0
    no: int = 0


def this_machine() -> Machine:
    """The table for this machine; raises NotAvailable where there is none."""
    machine = MACHINES.get(platform.machine().lower())
    if machine is None:
        raise NotAvailable(
            f"no seccomp filter is written for {platform.machine()}", "use x86_64 or aarch64"
        )
    return machine


def program(machine: Machine, *, inet: bool) -> bytes:
    """The filter as `struct sock_filter[]`; `inet`: whether IP sockets may be made at all."""
    refuse, allow = _Step(_RETURN, _ERRNO | _EPERM), _Step(_RETURN, _ALLOW)
    steps = [
        _Step(_LOAD, _ARCH),
        _Step(_EQUAL, machine.audit, yes=1),
        _Step(_RETURN, _KILL),
        _Step(_LOAD, _NUMBER),
    ]
    if machine.x32:
        steps += [_Step(_AT_LEAST, _X32_BIT, no=1), _Step(_RETURN, _KILL)]
    for number in machine.denied.values():
        steps += [_Step(_EQUAL, number, no=1), refuse]
    # Its flags lie behind a pointer. "No such call" makes the C library take clone instead.
    steps += [_Step(_EQUAL, CLONE3, no=1), _Step(_RETURN, _ERRNO | _ENOSYS)]
    steps += _case(machine.clone, [_Step(_LOAD, _FIRST), _Step(_ANY_BIT, _NEW_NAMESPACES, no=1),
                                   refuse, allow])  # fmt: skip
    families = (_AF_INET, _AF_INET6) if inet else ()
    steps += _case(machine.socket, [*_only(families), refuse])
    steps += _case(machine.socketpair, [*_only((_AF_UNIX,)), refuse])
    steps += _case(machine.ioctl, [
        _Step(_LOAD, _SECOND),
        _Step(_EQUAL, _TIOCSTI, no=1), refuse,
        _Step(_EQUAL, _TIOCLINUX, no=1), refuse,
        allow,
    ])  # fmt: skip
    steps.append(allow)
    return b"".join(struct.pack("<HBBI", one.code, one.yes, one.no, one.value) for one in steps)


def _case(number: int, body: list[_Step]) -> list[_Step]:
    """What is done for one call; the body always returns."""
    return [_Step(_EQUAL, number, no=len(body)), *body]


def _only(families: tuple[int, ...]) -> list[_Step]:
    steps = [_Step(_LOAD, _FIRST)]
    for family in families:
        steps += [_Step(_EQUAL, family, no=1), _Step(_RETURN, _ALLOW)]
    return steps
