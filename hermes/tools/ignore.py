"""A walk over a tree as git and ripgrep see it: .gitignore honoured, links not followed.

Runs only in the search process (`hermes.tools.scan`): a hostile .gitignore can make its own
matching arbitrarily slow, and there it can be killed.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

from hermes.errors import ToolFailure
from hermes.load import load
from hermes.tools.disk import open_regular

_MAX_RULES = 1_000_000


class _Found(Protocol):
    match: re.Match[str]


class _Rule(Protocol):
    include: bool | None

    def match_file(self, file: str) -> _Found | None: ...


class _Spec(Protocol):
    patterns: Sequence[_Rule]


Chain = tuple[tuple[str, _Spec], ...]
"""Directories with their rules, the deepest last."""


def walk(top: Path) -> Iterator[str]:
    """Relative paths of the files below a directory, sorted by name at each level."""
    base = str(top)
    chain = _above(top)
    waiting = [(base, True, chain)]
    while waiting:
        path, is_directory, chain = waiting.pop()
        if is_directory:
            waiting += reversed(_inside(path, chain))
        else:
            yield os.path.relpath(path, base)


def _inside(directory: str, chain: Chain) -> list[tuple[str, bool, Chain]]:
    chain += _rules(directory, ".gitignore")
    found: list[tuple[str, bool, Chain]] = []
    try:
        with os.scandir(directory) as scan:
            entries = sorted(scan, key=lambda entry: os.fsencode(entry.name))
    except OSError:
        return found
    for entry in entries:
        is_directory = entry.is_dir(follow_symlinks=False)
        if entry.name == ".git" or not (is_directory or entry.is_file(follow_symlinks=False)):
            continue
        if not _ignored(entry.path, chain, is_directory=is_directory):
            found.append((entry.path, is_directory, chain))
    return found


def _above(top: Path) -> Chain:
    """The rules of the directories above, up to the one that holds the repository."""
    chain: Chain = ()
    here = top
    while not (here / ".git").exists() and here.parent != here:
        here = here.parent
        chain = _rules(str(here), ".gitignore") + chain
    chain = _rules(str(here), ".git/info/exclude") + chain
    inside_ignored = any(
        _ignored(str(part), chain, is_directory=True)
        for part in (top, *top.parents)
        if part.is_relative_to(here) and part != here
    )
    return () if inside_ignored else chain  # asked for by name: so it is wanted


def _rules(directory: str, name: str) -> Chain:
    try:
        with open_regular(Path(directory, name)) as file:
            lines = file.read(_MAX_RULES).decode("utf-8", "replace").splitlines()
    except (ToolFailure, OSError):
        return ()
    return ((directory, _compiled(lines)),)


def _compiled(lines: list[str]) -> _Spec:
    make = load("pathspec").GitIgnoreSpec.from_lines
    try:
        return cast("_Spec", make(lines))
    except ValueError:
        return cast("_Spec", make([line for line in lines if _is_valid(line)]))


def _is_valid(line: str) -> bool:
    try:
        load("pathspec").GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _ignored(path: str, chain: Chain, *, is_directory: bool) -> bool:
    for base, spec in reversed(chain):
        relative = os.path.relpath(path, base) + ("/" if is_directory else "")
        verdict = _verdict(relative, spec)
        if verdict is not None:
            return verdict
    return False


def _verdict(relative: str, spec: _Spec) -> bool | None:
    """The last rule that speaks of a path itself.

    A directory that is out is never walked into; what let one in says nothing of what it holds.
    """
    for rule in reversed(spec.patterns):
        if rule.include is None or (found := rule.match_file(relative)) is None:
            continue
        if not _means_above(found.match, relative):
            return rule.include
    return None


def _means_above(match: re.Match[str], relative: str) -> bool:
    """Whether a rule for a directory matched one that the path lies in (pathspec's `ps_d`)."""
    if not match.groupdict().get("ps_d"):
        return False
    if not match.re.pattern.startswith("^"):  # `*/`: any directory
        return not relative.endswith("/")
    return match.end("ps_d") != len(relative)
