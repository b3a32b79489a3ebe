"""Which places a change may touch, by their paths, kinds and modes alone.

What is refused would act by being there (a hook, a start-up file, a module that is found before
another). What a person must see is what decides over changes: nothing adopts its own judge.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from hermes.sandbox.changes import Delta
from hermes.successor.judge.remark import Remark

_MOST_FILES = 400
_LONGEST = 200
_DEEPEST = 12
_EXECUTABLE = 0o111
_PART = re.compile(r"[A-Za-z0-9_.@+][A-Za-z0-9_.@+ -]*")
_ACTS = re.compile(
    r"""(?xi) (?: .*/)? (?: \.git | \.gitmodules | \.gitattributes | \.hg | \.svn | \.hermes-v2
    | __pycache__ | [^/]+\.dist-info | [^/]+\.egg-info | [^/]+\.data ) (?: /.* )?
    | (?: .*/)? (?: sitecustomize | usercustomize ) (?: \.py | /.* )
    | .*\.(?: pth | egg-link | pyc | pyo | pyd | so | dll | dylib | a | o | exe | whl | egg | zip )
    | .*\.so\.[0-9.]+"""
)
_CONFTEST = re.compile(r"(?i)(?!tests/)(?:.*/)?conftest\.py")
_PERSONS = tuple(
    (reason, re.compile(pattern, re.VERBOSE | re.IGNORECASE))
    for reason, pattern in (
        ("the tests", r"tests/.* | hermes/testing/.*"),
        ("the benchmarks", r"benchmarks/.*"),
        ("the judge and the gate", r"hermes/successor/.*"),
        ("the sandbox", r"hermes/sandbox/.*"),
        ("the policy", r"hermes/policy/.*"),
        ("identity and keys", r"hermes/identity/.* | hermes/chain/.* | soul/.*"),
        ("what is hidden from others", r"hermes/scrub/.*"),
        ("the tables of the store", r"hermes/store/(?:tables|migrat|schema)[^/]*"),
        (
            "how approval is asked and recorded",
            r".*(?:successor|verdict|candidate|approv|attestation|adoption|trials)[^/]*\.py",
        ),
        (
            "build files",
            r"""(?:ci|\.ci|scripts|\.github)/.* | (?:.*/)?(?:Makefile|pyproject\.toml
            |setup\.(?:py|cfg)|tox\.ini|pytest\.(?:ini|toml)|\.pytest\.(?:ini|toml)|\.coveragerc|\.gitignore)
            | .*\.lock | .*requirements[^/]*\.txt""",
        ),
    )
)


def look_at_places(parent: Path, candidate: Path, deltas: Sequence[Delta]) -> list[Remark]:
    """Everything that paths, kinds and modes say; blocking."""
    if not deltas:
        return [Remark("empty", "refused", "", "it changes nothing")]
    found = list(_look_at_tree(candidate, {one.path for one in deltas if one.before is None}))
    if len(deltas) > _MOST_FILES:
        says = f"it changes {len(deltas)} files; at most {_MOST_FILES} can be looked at"
        found.append(Remark("size", "refused", "", says))
    tops = {one.name for one in parent.iterdir()}
    for delta in deltas:
        found += _look_at_path(delta)
        found += _look_at_new(delta, tops)
    return found


def _look_at_tree(tree: Path, new: set[str]) -> Iterator[Remark]:
    """Kinds of everything there is; names that a file system may take for one another."""
    seen: dict[str, str] = {}
    for folder, folders, names in os.walk(tree):
        for name in sorted([*folders, *names]):
            place = Path(folder, name)
            path = place.relative_to(tree).as_posix()
            mode = place.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                yield Remark("kind", "refused", path, "neither a file nor a directory")
            elif mode & (stat.S_ISUID | stat.S_ISGID) and stat.S_ISREG(mode):
                yield Remark("mode", "refused", path, "it would run as somebody else")
            other = seen.setdefault(path.casefold(), path)
            if other != path and {other, path} & new:
                yield Remark("name", "refused", path, f"differs from {other} in case only")


def _look_at_path(delta: Delta) -> Iterator[Remark]:
    path = delta.path
    if delta.after is not None:
        if _ACTS.fullmatch(path):
            yield Remark("acts by itself", "refused", path, "a place that acts by being there")
        if _CONFTEST.fullmatch(path):
            yield Remark("acts by itself", "refused", path, "steers tests from outside of tests/")
    for reason, pattern in _PERSONS:
        if pattern.fullmatch(path):
            says = f"it {_WORDS[delta.word]} a part of {reason}"
            yield Remark(reason, "person", path, says)
            break
    before = delta.before.mode if delta.before else 0
    if delta.after is not None and delta.after.mode & ~before & _EXECUTABLE:
        yield Remark("mode", "person", path, "it can be executed now")


def _look_at_new(delta: Delta, tops: set[str]) -> Iterator[Remark]:
    """What only a place can be blamed for that was not there."""
    if delta.before is not None:
        return
    path = delta.path
    parts = path.split("/")
    if len(path) > _LONGEST or len(parts) > _DEEPEST:
        yield Remark("name", "refused", path[:_LONGEST], "too long or too deep")
    if any(_PART.fullmatch(part) is None for part in parts):
        yield Remark("name", "refused", ascii(path)[1:-1], "a name that can mislead")
    if parts[0] not in tops and (len(parts) > 1 or path.endswith(".py")):
        says = "a new name at the top would be found before others of that name"
        yield Remark("shadow", "refused", path, says)


_WORDS = {"added": "adds", "removed": "deletes", "changed": "changes", "replaced": "replaces"}
