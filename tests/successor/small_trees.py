"""A workbench over two small trees, for tests of single stages."""

import tempfile
from pathlib import Path

from anyio import to_thread

from hermes.sandbox.standing import Standing
from hermes.successor.budget import Budget, Effort, Spend
from hermes.successor.trees import compare
from hermes.successor.workbench import Workbench

Files = dict[str, str | bytes | None]


def plant(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        if data is None:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    for one in [folder, *folder.rglob("*")]:
        if not one.is_symlink():
            one.chmod(0o755 if one.is_dir() else 0o644)
    return folder


async def bench_of(
    standing: Standing,
    data: Path,
    parent: Files,
    change: Files,
    *,
    effort: Effort = "micro",
    wall_s: float = 60.0,
) -> Workbench:
    """`change`: what the candidate has instead; None: it lacks the file."""

    def lay():
        folder = Path(tempfile.mkdtemp(dir=data))
        folder.chmod(0o755)
        old = plant(folder / "parent", parent)
        new = plant(folder / "candidate", {**parent, **change})
        (folder / "state.json").write_bytes(b"{}")
        return folder, old, new, compare(old, new)

    folder, old, new, deltas = await to_thread.run_sync(lay)
    budget = Budget(wall_s=wall_s, tests_s=30.0)
    return Workbench(
        commit="0" * 40,
        parent=old,
        candidate=new,
        deltas=deltas,
        state=b"{}",
        state_file=folder / "state.json",
        task="",
        goal="same",
        effort=effort,
        budget=budget,
        seed="00",
        standing=standing,
        spend=Spend(budget),
    )
