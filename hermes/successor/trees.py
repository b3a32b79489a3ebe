"""Two versions of this runtime as trees of files: what differs, and by which digest each is known.

A patch is judged, shown and signed by what it makes of the tree, never by its own text: nobody
has to trust that two programs read a diff alike. Trees hold plain files only (`build` sees to it).
"""

import difflib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hermes.sandbox.changes import Delta, Node

_SHOWN = 400_000


def digest(tree: Path) -> str:
    """SHA-256 over a tree: of each file its path, whether it can be executed, and its content."""
    return _digest(_files(tree))


def own_digest(version: Path) -> str:
    """The digest of a version from its own folder, where `versions` laid one file more: `.git`."""
    return _digest(one for one in _files(version) if one[0] != ".git")


def compare(parent: Path, candidate: Path) -> tuple[Delta, ...]:
    """What became of each place, in the order of paths; blocking."""
    before, after = dict(_files(parent)), dict(_files(candidate))
    return tuple(
        Delta(path, before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def shown(deltas: Sequence[Delta], most: int = _SHOWN) -> str:
    """The difference as unified diff for a person: control and invisible characters are named."""
    text = "".join(_plain(line) for one in deltas for line in _diff(one))
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[{len(text) - most} more characters]\n"


def _digest(files: Iterable[tuple[str, Node]]) -> str:
    found = hashlib.sha256(b"hermes/tree/1\0")
    for path, node in files:
        head = f"{path}\0{'x' if node.mode & 0o100 else '-'}\0{len(node.data)}\0"
        found.update(head.encode(errors="surrogateescape") + node.data)
    return found.hexdigest()


def _diff(one: Delta) -> Iterator[str]:
    old, new = _lines(one.before), _lines(one.after)
    if old is None or new is None:
        yield f"--- {one.path}\n+++ {one.path}\n[{one.word}: not text]\n"
        return
    if one.before and one.after and one.before.mode != one.after.mode:
        yield f"[{one.path}: mode {one.before.mode:o} becomes {one.after.mode:o}]\n"
    names = (
        f"a/{one.path}" if one.before else "/dev/null",
        f"b/{one.path}" if one.after else "/dev/null",
    )
    for line in difflib.unified_diff(old, new, *names):
        yield line if line.endswith("\n") else f"{line}\n[no newline at its end]\n"


def _plain(line: str) -> str:
    if line[:-1].isprintable():
        return line
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in line
    )


def _lines(node: Node | None) -> list[str] | None:
    if node is None:
        return []
    try:
        text = node.data.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return [line for line in lines if line]


def _files(tree: Path) -> Iterator[tuple[str, Node]]:
    """Every file below, compiled ones left out: they follow from the others."""
    for folder, folders, names in os.walk(tree):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for name in sorted(names):
            path = Path(folder, name)
            info = path.lstat()
            kept = 0o755 if info.st_mode & 0o100 else 0o644
            yield path.relative_to(tree).as_posix(), Node("file", path.read_bytes(), kept)
