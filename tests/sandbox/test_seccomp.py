"""The filter as the kernel reads it: run by an interpreter of BPF, for both kinds of machine."""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.sandbox.seccomp import program
from hermes.sandbox.syscalls import AARCH64, MACHINES, X86_64

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
EITHER = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=["x86_64", "aarch64"])


def judge(code, number, *, audit, first=0, second=0):
    """What the filter says of a call: classic BPF with the four instructions that it uses."""
    data = struct.pack("<IIQQQ", number, audit, 0, first, second)
    lines = list(struct.iter_unpack("<HBBI", code))
    at, value = 0, 0
    while True:
        op, yes, no, k = lines[at]
        at += 1
        match op:
            case 0x20:
                value = struct.unpack_from("<I", data, k)[0]
            case 0x06:
                return k
            case 0x15:
                at += yes if value == k else no
            case 0x35:
                at += yes if value >= k else no
            case 0x45:
                at += yes if value & k else no
            case _:
                raise AssertionError(op)


def verdict(machine, number, first=0, second=0, *, inet=True):
    code = program(machine, inet=inet)
    return judge(code, number, audit=machine.audit, first=first, second=second)


@EITHER
def test_what_is_named_is_refused(machine):
    for number in machine.denied.values():
        assert verdict(machine, number) == EPERM
    assert verdict(machine, 435) == ENOSYS


@EITHER
@given(number=st.integers(0, 600), first=st.integers(0, 2**32 - 1))
def test_everything_else_passes(machine, number, first):
    special = {435, machine.clone, machine.socket, machine.socketpair, machine.ioctl}
    if number not in special | set(machine.denied.values()):
        assert verdict(machine, number, first) == ALLOW


@EITHER
def test_sockets(machine):
    for family in range(50):
        wanted = ALLOW if family in {2, 10} else EPERM
        assert verdict(machine, machine.socket, family) == wanted
        assert verdict(machine, machine.socket, family, inet=False) == EPERM
        assert verdict(machine, machine.socketpair, family) == (ALLOW if family == 1 else EPERM)


@EITHER
def test_arguments(machine):
    for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, machine.clone, bit | 17) == EPERM
    assert verdict(machine, machine.clone, 0x3D0F00) == ALLOW  # a thread
    assert verdict(machine, machine.clone, 17) == ALLOW  # a fork
    assert verdict(machine, machine.ioctl, 0, 0x5412) == EPERM
    assert verdict(machine, machine.ioctl, 0, 0x541C) == EPERM
    assert verdict(machine, machine.ioctl, 0, 0x5401) == ALLOW


@EITHER
def test_calls_of_another_kind_of_machine_are_the_end(machine):
    code = program(machine, inet=True)
    assert judge(code, 1, audit=0x40000003) == KILL
    if machine.x32:
        assert judge(code, 0x40000001, audit=machine.audit) == KILL


def test_machines_have_both_names():
    assert MACHINES["x86_64"] is MACHINES["amd64"]
    assert MACHINES["aarch64"] is MACHINES["arm64"]


HEADERS = (
    (X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+)\s+(\d+)"),
    (AARCH64, "/usr/include/asm-generic/unistd.h", r"#define __NR(?:3264)?_(\w+)\s+(\d+)"),
)


@pytest.mark.parametrize(("machine", "header", "form"), HEADERS, ids=["x86_64", "aarch64"])
def test_numbers_are_the_kernels(machine, header, form):
    if not Path(header).exists():
        pytest.skip("the kernel's headers are not installed")
    known = {name: int(number) for name, number in re.findall(form, Path(header).read_text())}
    ours = dict(machine.denied) | {
        "clone": machine.clone,
        "socket": machine.socket,
        "socketpair": machine.socketpair,
        "ioctl": machine.ioctl,
    }
    assert {name: known[name] for name in ours if name in known} == {
        name: number for name, number in ours.items() if name in known
    }
    assert len(set(ours) - set(known)) < 12  # newer than the header, or gone from it
