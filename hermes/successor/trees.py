"""Two versions of this runtime as trees of files: what differs, and by which digest each is known.

A patch is judged, shown and signed by what it makes of the tree, never by its own text: nobody
has to trust that two programs read a diff alike. Trees hold plain files only (`build` sees to it).
"""

import difflib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hermes.sandbox.changes import Delta, Node

Files = Mapping[str, Node]
"""Every file of a tree by its path, compiled ones left out."""

_SHOWN = 400_000


def digest(tree: Path) -> str:
    """SHA-256 over a tree: of each file its path, whether it can be executed, and its content."""
    return digest_of(read(tree))


def digest_of(files: Files) -> str:
    """The digest of a tree of these files."""
    return _digest((path, files[path]) for path in sorted(files, key=_order))


def read(tree: Path) -> Files:
    """All of it, into memory; blocking."""
    return dict(_files(tree))


def own_digest(version: Path) -> str:
    """The digest of a version from its own folder, where `versions` laid one file more: `.git`."""
    return _digest(one for one in _files(version) if one[0] != ".git")


def compare(parent: Path, candidate: Path) -> tuple[Delta, ...]:
    """What became of each place, in the order of paths; blocking."""
    before, after = read(parent), read(candidate)
    return differences(before, after, {*before, *after})


def differences(before: Files, after: Files, paths: Iterable[str]) -> tuple[Delta, ...]:
    """What became of these places, in their order."""
    return tuple(
        Delta(path, before.get(path), after.get(path))
        for path in sorted(paths)
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
    top = os.fspath(tree)
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        inside = f"{folder[len(top) + 1 :]}/" if folder != top else ""
        for name in sorted(names):
            with open(f"{folder}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - many, and quick
                kept = 0o755 if os.fstat(file.fileno()).st_mode & 0o100 else 0o644
                yield f"{inside}{name}", Node("file", file.readall(), kept)


def _order(path: str) -> tuple[object, ...]:
    """As a walk comes by: a folder's own files, then its folders, each in order."""
    *folders, name = path.split("/")
    key: list[object] = []
    for one in folders:
        key += [1, one]
    return (*key, 0, name)
