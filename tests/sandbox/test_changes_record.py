"""Changes that are made while the process is killed: all of them or none, whoever comes next."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from hermes.errors import ToolFailure
from hermes.sandbox.changes import Changes, Delta, Node
from hermes.sandbox.changes_apply import apply_changes, finish_changes
from hermes.sandbox.changes_record import write_record

MANY = 200
APPLY = """
import sys, anyio
from functools import partial
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_changes_record import deltas
from hermes.sandbox.changes import Changes
from hermes.sandbox.changes_apply import apply_changes
print("ready", flush=True)
sys.stdin.readline()
anyio.run(apply_changes, Changes(deltas()), Path(sys.argv[1]), Path(sys.argv[2]))
"""


def deltas():
    """Files that change and come, a directory that goes, kinds that change."""
    found = [Delta(f"f{n:04}", _file("old"), _file(f"new {n}")) for n in range(MANY)]
    found += [Delta("gone", _folder(), None), Delta("gone/x", _file("x"), None)]
    found += [Delta("kind", _file("k"), _folder(0o700)), Delta("kind/in", None, _file("in"))]
    found += [Delta("new", None, _folder()), Delta("new/l", None, Node("link", b"../f0000", 0o777))]
    return tuple(sorted(found, key=lambda one: one.path))


def in_order(some):
    """As they are made: what goes from the deepest, then what comes."""
    gone = [one for one in some if one.after is None]
    return [*reversed(gone), *(one for one in some if one.after is not None)]


def _file(text):
    return Node("file", text.encode(), 0o644)


def _folder(mode=0o755):
    return Node("directory", b"", mode)


def fill(work):
    work.mkdir()
    (work / "gone").mkdir(mode=0o755)
    for one in deltas():
        if one.before is not None and one.before.kind == "file":
            (work / one.path).write_bytes(one.before.data)
            (work / one.path).chmod(0o644)


def is_as(work, after):
    """Whether every place is as it was, or as it shall be."""
    for one in deltas():
        node, path = (one.after if after else one.before), work / one.path
        if node is None:
            good = not os.path.lexists(path)
        elif node.kind == "directory":
            good = path.is_dir() and path.stat().st_mode & 0o777 == node.mode
        elif node.kind == "link":
            good = path.is_symlink() and os.fsencode(path.readlink()) == node.data
        else:
            good = path.is_file() and path.read_bytes() == node.data
        if not good:
            return False
    return True


@pytest.fixture
def work(tmp_path):
    fill(tmp_path / "work")
    return tmp_path / "work"


@pytest.mark.parametrize("done", [0, 1, MANY // 2, MANY - 1])
def test_a_kill_in_the_midst_leaves_all_or_nothing(work, tmp_path, done):
    record = tmp_path / "state" / "record"
    words = [sys.executable, "-c", APPLY, work, record, Path(__file__).parent]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        child.stdin.write(b"go\n")
        child.stdin.flush()
        watched = work / f"f{done:04}"
        while (
            child.poll() is None
            and watched.read_bytes() == b"old"
            and not (done == 0 and record.exists())
        ):
            pass
        child.send_signal(signal.SIGKILL)
    begun = record.exists()
    anyio.run(finish_changes, record)
    assert is_as(work, after=begun or done > 0)
    assert not record.exists()
    assert not list(work.rglob(".hermes*"))


def test_each_place_is_gone_on_with_from_wherever_it_ended(tmp_path):
    """Every prefix of the work, and the steps within a change of kind."""
    record = tmp_path / "record"
    order = in_order([one for one in deltas() if not one.path.startswith("f0")])
    for count in range(len(order) + 1):
        work = tmp_path / f"work{count}"
        fill(work)
        anyio.run(apply_changes, Changes(tuple(order[:count])), work, tmp_path / "other")
        if count and order[count - 1].path == "kind":
            (work / "kind").rmdir()  # removed, and not yet made
        write_record(record, work, order)
        anyio.run(finish_changes, record)
        assert not record.exists()
        assert (work / "kind/in").read_text() == "in"
        assert not (work / "gone").exists()
        assert (work / "new/l").is_symlink()


def test_what_somebody_changed_since_stays(work, tmp_path):
    record = tmp_path / "record"
    write_record(record, work, in_order(deltas()))
    (work / "f0001").write_text("mine")
    anyio.run(finish_changes, record)
    assert (work / "f0001").read_text() == "mine"
    assert (work / "f0002").read_text() == "new 2"


def test_the_next_one_finishes_it_first(work, tmp_path):
    record = tmp_path / "record"
    write_record(record, work, in_order(deltas()))
    late = Changes((Delta("f0000", _file("old"), _file("late")),))
    with pytest.raises(ToolFailure, match="f0000 changed since"):
        anyio.run(apply_changes, late, work, record)
    assert is_as(work, after=True)


def test_a_record_of_a_place_that_is_gone_bars_nobody(work, tmp_path):
    record = tmp_path / "record"
    write_record(record, tmp_path / "lost", deltas())
    anyio.run(apply_changes, Changes(deltas()), work, record)
    assert is_as(work, after=True)
