"""The ten patches of `tests/patches`, each tried from end to end: five are good."""

import json
import shutil
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from hermes.core.clock import SystemClock
from hermes.successor.fork import fork_successor
from hermes.successor.judge.acceptance import Acceptance
from hermes.successor.judge.lint import Lint
from hermes.successor.judge.speed import Speed
from hermes.successor.judge.starts import Starts
from hermes.successor.order import Workshop
from hermes.successor.source import find_source
from hermes.successor.trial import Terms
from hermes.successor.ward import ward_of

ROOT = Path(__file__).parents[2]
PATCHES = ROOT / "tests" / "patches"
PARTS = ("hermes", "relay", "training", "skins", "soul", "benchmarks", "pyproject.toml")
NO_COPIES = shutil.ignore_patterns("__pycache__", "*.gguf")
BUDGET = {"wall_s": 1500, "cpu_s": 900, "pairs": 40, "acceptance_s": 40, "benchmarks_s": 900}
SHORT = BUDGET | {"acceptance_s": 8}
MEASURED = ["blocks", "prompt", "due", "stream", "words"]


class Line(NamedTuple):
    """One line of the table."""

    patch: str
    promise: str
    verdict: str
    stage: str
    ratio: str
    what: str


def table() -> list[Line]:
    lines = (PATCHES / "README.md").read_text().splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| ")][1:]
    return [Line(*(cell.strip() for cell in row)) for row in rows]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """This package with its benchmarks, as the one commit of a checkout, its budget small."""
    root = tmp_path_factory.mktemp("laboratory")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=NO_COPIES)
        else:
            shutil.copy(ROOT / name, root / name)
    (root / "ci").mkdir()
    measured = {"micro": MEASURED, "fast": MEASURED}
    budgets = {"tiers": {"micro": SHORT, "fast": BUDGET}, "benchmarks": measured}
    (root / "ci/budgets.json").write_text(json.dumps(budgets))
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t"]
    for words in ("init -q -b main", "add -A", "commit -q -m parent"):
        subprocess.run([*git, *words.split()], check=True, capture_output=True)
    return root


def test_the_table_and_the_patches_are_the_same_ten():
    named = [line.patch for line in table()]
    assert sorted(named) == sorted(one.stem for one in PATCHES.glob("*.patch"))
    assert len(named) == 10
    assert sum(line.verdict == "approve" for line in table()) == 5


@pytest.mark.parametrize("line", table(), ids=lambda line: line.patch)
def test_it_applies_to_the_code_as_it_is(line, laboratory):
    patch = PATCHES / f"{line.patch}.patch"
    argv = ["git", "-C", str(laboratory), "-c", "safe.directory=*", "apply", "--check", str(patch)]
    subprocess.run(argv, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("line", table(), ids=lambda line: line.patch)
async def test_its_verdict(line, laboratory, standing, open_data, book, lever):
    @asynccontextmanager
    async def opened():
        source = await find_source(str(laboratory))
        ward = await ward_of(standing)
        stages = (Lint(), Starts(), Acceptance(), Speed())
        yield Workshop(open_data, source, standing, ward, stages, book, lever, SystemClock())

    successor = fork_successor(
        current_state=b"{}",
        architecture_patch=(PATCHES / f"{line.patch}.patch").read_bytes(),
        evaluation_task=line.promise,
        workshop=opened,
        terms=Terms(
            effort="micro" if line.stage == "benchmarks" else "fast",
            goal="same" if line.promise == "none" else "better",
        ),
    )
    verdict = await successor.complete()
    last = verdict.evidence[-1]
    told = "\n".join(f"{one.stage} {one.outcome}: {one.says}" for one in verdict.evidence)
    assert (verdict.word, last.stage) == (line.verdict, line.stage), told
    if line.verdict == "approve":
        name = line.promise.split()[-1]
        (ratio,) = [one for one in last.ratios if one.name == name]
        assert (ratio.word, ratio.middle <= 750) == ("faster", True), ratio
