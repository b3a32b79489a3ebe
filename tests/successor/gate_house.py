"""A checkout of what runs here, a candidate on it with a verdict, and the gate around them."""

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread

from hermes.config import Successor
from hermes.core.candidate import Candidate
from hermes.core.clock import SystemClock
from hermes.core.verdict import Evidence, Ratio, Spent, Verdict, Ward
from hermes.errors import IdentityMissing
from hermes.store.store import Store
from hermes.successor.adoption import Adopting, Found, Gatehouse
from hermes.successor.books import Submission
from hermes.successor.pointer import Notes
from hermes.successor.records import Records, Word
from hermes.successor.signing import Signing
from hermes.successor.stops import StopRules
from hermes.successor.trees import compare, digest, shown
from hermes.successor.versions import Versions

HERE = Path(__file__).resolve().parents[2]
off = anyio.to_thread.run_sync
GIT = ["git", "-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]


def git(folder: Path, *words: str) -> str:
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        [*GIT, "-C", str(folder), *words], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def little(folder: Path) -> Path:
    """A checkout with just enough to be taken for one."""
    for name, text in {
        "hermes/__init__.py": '__version__ = "0.1.0"\n',
        "hermes/cli/main.py": "def begin(): return 0\n",
        "pyproject.toml": "[project]\nname = 'x'\n",
        "run.sh": "#!/bin/sh\n",
        ".gitattributes": "*.py text eol=crlf\nrun.sh export-ignore\n",
    }.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (folder / "run.sh").chmod(0o755)
    return checked_in(folder)


def whole(folder: Path) -> Path:
    """A checkout of the code that is tested, as it lies in the working tree."""
    for name in ("hermes", "relay", "training", "skins", "soul"):
        ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(HERE / name, folder / name, ignore=ignore)
    shutil.copy(HERE / "pyproject.toml", folder)
    return checked_in(folder)


def checked_in(folder: Path) -> Path:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def tree_of(checkout: Path, place: Path, changes: dict[str, str]) -> Path:
    """The checkout's files with some replaced; an empty text removes one."""
    shutil.copytree(checkout, place, ignore=shutil.ignore_patterns(".git", "__pycache__"))
    for name, text in changes.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def verdict_on(candidate: str, word="approve", **more) -> Verdict:
    told = {
        "candidate": candidate,
        "word": word,
        "reasons": ("it is faster",),
        "evidence": (
            Evidence("acceptance", "pass", "as before", ids=("chat", "search")),
            Evidence(
                "benchmarks", "pass", "faster", ratios=(Ratio("s", "faster", 700, 650, 750, 20),)
            ),
        ),
        "spent": Spent(1000, 900, 1024, 3, 0),
        "limits": (),
        "ward": Ward("A", "6.1", 7, "0.8.0", "ab" * 32),
        "person_only": (),
        "judge": "0" * 40,
        "seed": "ab",
        "at": 1_700_000_000_000,
    }
    return Verdict(**(told | more))


async def nobody():
    raise IdentityMissing("there is no identity yet")


class GateHouse:
    """The gate on a store; `ground` plays the house: what was switched to, and who was tested."""

    def __init__(self, base: Path, checkout: Path, store: Store, signer=nobody, **settings) -> None:
        self.base, self.checkout, self.store = base, checkout, store
        self.data = base / "data"
        clock = SystemClock()
        self.records = Records(store, Signing(signer, clock))
        self.stops = StopRules(Successor(**settings), self.data, store, clock, dict(os.environ))
        self.versions = Versions(self.data)
        self.ground = Ground(self)
        quorum = settings.get("quorum", 0)
        self.steps: list[str] = []
        gate = Gatehouse(
            self.records, self.stops, self.versions, self.ground, clock, quorum, self.trusted
        )
        self.keys: frozenset[str] = frozenset()
        self.adopting = Adopting(gate, self.step)

    async def trusted(self):
        return self.keys

    def step(self, name: str) -> None:
        self.steps.append(name)

    async def candidate(self, changes=None, task="make it faster", word="approve", **more) -> str:
        """A candidate with a verdict; its CID."""
        changes = changes or {"hermes/more.py": f"X = {task!r}\n"}
        found = await self.ground.running()
        name, diff = await off(self._made, found.source, changes)
        patch = diff.encode()
        candidate = Candidate(
            found.commit, hashlib.sha256(patch).hexdigest(), name, name, task, "person"
        )
        trial = await self.records.begin(
            Submission(candidate, patch, diff, "fast", "ab", found.commit)
        )
        if word:
            verdict = verdict_on(trial.candidate, word, **more)
            await self.records.verdict(trial.id, verdict, {})
        return trial.candidate

    def _made(self, source: Path, changes: dict[str, str]) -> tuple[str, str]:
        """The candidate's tree in its place: its name, and the difference."""
        folder = self.base / "trees"
        folder.mkdir(exist_ok=True)
        before, after = tree_of(source, folder / "old", {}), folder / "new"
        name = digest(tree_of(source, after, changes))
        diff = shown(compare(before, after))
        shutil.rmtree(before)
        if (folder / name).exists():
            shutil.rmtree(after)
        else:
            after.rename(folder / name)
        return name, diff

    async def current(self) -> str:
        return await off(self.versions.pointer.current)

    async def notes(self) -> Notes:
        return await off(self.versions.pointer.notes)

    async def diff_of(self, name: str) -> str:
        return (await self.records.candidate(name)).diff

    async def yes(self, name: str, door="terminal", **more) -> None:
        word = Word(**({"answer": "approve", "who": "me", "door": door} | more
                       | {"diff": more.get("diff") or await self.diff_of(name)}))  # fmt: skip
        await self.adopting.say(name, word)


class Ground:
    """`adoption.Ground` without processes."""

    def __init__(self, house: GateHouse) -> None:
        self.house = house
        self.tested: list[Path] = []
        self.fails: Exception | None = None
        self.came_back = 0

    async def running(self) -> Found:
        if tag := await self.house.current():
            leaf = await self.house.versions.running(tag)
            return Found(tag, tag, leaf.commit, self.house.versions.pointer.place(tag))
        commit = await off(git, self.house.checkout, "rev-parse", "HEAD")
        return Found("", "v0.1.0", commit, self.house.checkout)

    async def tree(self, candidate) -> Path:
        return self.house.base / "trees" / candidate.tree

    async def test(self, tree: Path) -> None:
        self.tested.append(tree)
        if self.fails:
            raise self.fails

    async def switch(self, tag: str) -> None:
        await off(self.house.versions.pointer.point, tag)
        await off(self.house.versions.pointer.mend)

    async def left(self) -> None:
        self.came_back += 1


@contextlib.asynccontextmanager
async def gate_house(base: Path, checkout: Path, **more) -> AsyncIterator[GateHouse]:
    async with Store.open(base / "data" / "hermes.db", SystemClock()) as store:
        yield GateHouse(base, checkout, store, **more)
