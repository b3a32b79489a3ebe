import os
import tempfile
from collections.abc import Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from git_words import git

from hermes.core.candidate import CANDIDATE_KIND, Candidate
from hermes.core.canonical import encode
from hermes.core.clock import SystemClock
from hermes.core.ids import Cid, uuid7
from hermes.core.verdict import Verdict
from hermes.errors import Halted
from hermes.successor.books import Submission, Trial
from hermes.successor.source import find_source
from hermes.successor.trial import Workshop
from hermes.successor.ward import ward_of

ROOT = Path(__file__).parents[2]


class ShelfBook:
    """A book in memory, that tells what was written in which order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.reached: list[str] = []
        self.trials: dict[str, Trial] = {}
        self.candidates: list[Candidate] = []
        self.verdicts: dict[str, Verdict] = {}
        self.records: dict[str, bytes] = {}

    async def known(self, candidate: Candidate, judge: str, tier: str) -> Trial | None:
        for one, trial in zip(self.candidates, self.trials.values(), strict=True):
            same = (one.shape, one.parent, one.task) == (
                candidate.shape, candidate.parent, candidate.task
            )  # fmt: skip
            if same and trial.tier == tier and trial.id in self.verdicts:
                return trial
        return None

    async def begin(self, submission: Submission) -> Trial:
        self.told.append("intent")
        self.candidates.append(submission.candidate)
        fields = {name: getattr(submission.candidate, name) for name in Candidate.__struct_fields__}
        cid = encode({"t": CANDIDATE_KIND, **fields}).cid
        trial = Trial(uuid7(), cid, submission.tier, submission.seed, submission.judge, "intent", 1)
        self.trials[trial.id] = trial
        return trial

    async def verdict(self, trial: str, verdict: Verdict, records: Mapping[str, bytes]) -> Cid:
        self.told.append(verdict.word)
        self.verdicts[trial] = verdict
        self.records |= records
        return Cid(trial)

    async def read(self, candidate: Cid, verdict: str) -> Verdict:
        return next(one for one in self.verdicts.values() if one.candidate == candidate)

    async def fail(self, trial: str, why: str) -> None:
        self.told.append(f"failed: {why}")

    def reach(self, trial: str, stage: str) -> None:
        self.reached.append(stage)


class Lever:
    """Stops that a test pulls."""

    def __init__(self) -> None:
        self.reason = ""

    async def check(self, what: str) -> None:
        if self.reason:
            raise Halted(self.reason)

    def flagged(self) -> bool:
        return bool(self.reason)


@pytest.fixture(scope="session")
def open_data():
    """A data directory that the sandbox's user can pass into; its trees serve every test."""
    with tempfile.TemporaryDirectory(prefix="hermes-open-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for folder, _, _ in os.walk(name):
            Path(folder).chmod(0o755)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """This package, as the one commit of a checkout of its own."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("hermes", "relay", "training", "skins", "soul", "ci", "pyproject.toml"):
        _copy(ROOT / name, root / name)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "parent")
    return root


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        return
    for one in source.iterdir():
        if one.name != "__pycache__" and one.suffix != ".gguf":
            _copy(one, target / one.name)


@pytest.fixture
def lever():
    return Lever()


@pytest.fixture
def book():
    return ShelfBook()


@pytest.fixture
def workshop_with(standing, open_data, checkout, book, lever):
    """Opens a workshop with these stages."""

    def make(*stages):
        @asynccontextmanager
        async def opened():
            source = await find_source(str(checkout))
            ward = await ward_of(standing)
            yield Workshop(open_data, source, standing, ward, stages, book, lever, SystemClock())

        return opened

    return make
