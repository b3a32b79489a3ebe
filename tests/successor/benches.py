"""Trees to judge: this checkout's code, and copies of it with something planted."""

import compileall
import os
import py_compile
import shutil
from pathlib import Path

from hermes.successor.budget import Budget, Spend
from hermes.successor.workbench import Workbench

ROOT = Path(__file__).resolve().parents[2]
_PARTS = ("hermes", "relay", "training", "skins", "soul")


def tree(place: Path, planted: tuple[tuple[str, str, str], ...] = ()) -> Path:
    """A copy of what runs, compiled; `planted`: (file, text, what stands there instead)."""
    for part in _PARTS:
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in planted:
        path = place / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name} does not hold {old!r} once"
        path.write_text(text.replace(old, new))
    shutil.copy(ROOT / "pyproject.toml", place)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(
        place, quiet=1, invalidation_mode=mode, stripdir=str(place), prependdir="/box/repo"
    )
    for folder, _, names in os.walk(place):
        Path(folder).chmod(0o755)
        for name in names:
            Path(folder, name).chmod(0o644)
    return place


def bench(
    standing, parent: Path, candidate: Path, seed: str = "1", task: str = "", **budget
) -> Workbench:
    """A trial's material without the trial."""
    given = Budget(**budget)
    return Workbench(
        commit="0" * 40,
        parent=parent,
        candidate=candidate,
        deltas=(),
        state=b"{}",
        state_file=parent / "README",
        task=task,
        goal="same",
        effort="fast",
        budget=given,
        seed=seed,
        standing=standing,
        spend=Spend(given),
    )
