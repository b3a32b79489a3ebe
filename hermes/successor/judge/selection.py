"""Which of the parent's test files a change is tried by: nearest first, then by chance.

A file that mirrors or names what changed is nearest, one of the same room next. Only the
parent's tree is read.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hermes.sandbox.changes import Delta
from hermes.successor.budget import Effort

_NEAREST = 10
_MOST: dict[Effort, int | None] = {"micro": 4, "fast": 16, "full": None}


def select_tests(
    parent: Path, deltas: Sequence[Delta], effort: Effort, chance: random.Random
) -> tuple[str, ...]:
    """Paths of test files, as the tree has them; blocking."""
    files = sorted(one.relative_to(parent) for one in (parent / "tests").rglob("test_*.py"))
    texts = {one: (parent / one).read_text(errors="replace") for one in files}
    changed = [Path(one.path) for one in deltas]
    ranked: dict[Path, None] = {}
    mirrored = [one for one in files if any(_mirrors(one, path) for path in changed)]
    naming = [one for one in files if any(_names(texts[one], path) for path in changed)]
    ranked.update(dict.fromkeys([*mirrored, *naming][:_NEAREST]))
    rooms = {path.parts[1] for path in changed if len(path.parts) > 2}  # noqa: PLR2004 - top, room, file
    for near in (True, False):
        rest = [one for one in files if one not in ranked and (one.parts[1] in rooms) is near]
        chance.shuffle(rest)
        ranked.update(dict.fromkeys(rest))
    return tuple(one.as_posix() for one in list(ranked)[: _MOST[effort]])


def _mirrors(test: Path, changed: Path) -> bool:
    """`hermes/a/b.py` has its tests in `tests/a/test_b….py`; a test has itself."""
    if test == changed:
        return True
    room = changed.parts[1:-1]
    return test.parts[1:-1] == room and test.stem.startswith(f"test_{changed.stem}")


def _names(text: str, changed: Path) -> bool:
    return any(re.search(pattern, text) for pattern in _patterns(changed))


def _patterns(changed: Path) -> Iterator[str]:
    if changed.suffix != ".py":
        yield rf"\b{re.escape(changed.name)}\b"
        return
    module = changed.with_suffix("")
    folder, name = ".".join(module.parts[:-1]), module.parts[-1]
    if name == "__init__":
        yield rf"\b{re.escape(folder)} import\b"
        return
    yield rf"\b{re.escape('.'.join(module.parts))}\b"
    if folder:
        yield rf"from {re.escape(folder)} import [^\n]*\b{re.escape(name)}\b"
