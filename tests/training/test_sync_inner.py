"""Inner steps with torch, alone and as a torchrun group; options for the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

torch = pytest.importorskip("torch")
from tests.training.sync_worker import LIMIT, rounds_of  # noqa: E402 - after the skip
from training.sync.directory import Directory  # noqa: E402
from training.sync.inner import Inner, Steps  # noqa: E402
from training.sync.round import Worker  # noqa: E402

NAMES = ("w0", "w1")
GROUP = Path(__file__).with_name("sync_group.py")


def inner_of(seed, steps=5):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 1))

    def loss(_):
        x = torch.randn(16, 4, generator=generator)
        return torch.nn.functional.mse_loss(model(x)[:, 0], x.sum(1))

    return Inner(model, loss, Steps(steps, lambda _: 0.01))


def test_weights_go_out_and_in_as_one_vector():
    inner = inner_of(1)
    before = inner.read().copy()
    assert before.shape == (4 * 3 + 3 + 3 + 1,)
    assert [name for name, _ in inner.layout] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    delta, steps = inner.run(before, 0, lambda: False)
    assert steps == 5
    assert abs(delta).max() > 0
    assert (inner.read() == before - delta).mean() > 0.5  # the rest differ by rounding
    inner.write(before)
    assert (inner.read() == before).all()


def test_a_round_ends_early_when_told():
    left = iter([False, False, True])
    inner = inner_of(1)
    assert inner.run(inner.read(), 0, lambda: next(left))[1] == 2


async def test_two_models_agree_over_a_directory(tmp_path):
    made = {name: inner_of(seed) for seed, name in enumerate(NAMES)}
    reports = {}

    async def one(name):
        it = Worker(name, made[name], Directory(tmp_path, LIMIT), rounds_of(3, 2, 30))
        reports[name] = await it.run()

    with anyio.fail_after(50):
        async with anyio.create_task_group() as tasks:
            for name in made:
                tasks.start_soon(one, name)
    assert reports["w0"].digest == reports["w1"].digest
    assert (made["w0"].read() == made["w1"].read()).all()


def start(command, env):
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_torchrun_group_is_one_worker(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    env = os.environ | {"PYTHONPATH": str(GROUP.parents[2]), "OMP_NUM_THREADS": "1"}
    workers = [start([*torchrun, GROUP, tmp_path / "run", name, tmp_path], env) for name in NAMES]
    try:
        for process in workers:
            out, _ = await anyio.to_thread.run_sync(process.communicate)
            # Gloo's threads may end a process like this when all is done; what was told counts.
            assert process.returncode == 0 or "terminate called without an active" in out, out
    finally:
        for process in workers:
            process.kill()
            process.stdout.close()
            process.wait()
    told = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("*.json"))]
    assert [one["name"] for one in told] == ["w0", "w1"]
    assert told[0]["digest"] == told[1]["digest"]
    assert {one["contributed"] for one in told} == {3}
    assert {one["ranks"] for one in told} == {2}
