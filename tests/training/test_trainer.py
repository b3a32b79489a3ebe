import json
import signal
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
from hermes.errors import DataInvalid, TrainingError, Usage, WeightsInvalid  # noqa: E402
from tests.training import small_model as small  # noqa: E402
from training.checkpoint import Progress, load  # noqa: E402
from training.dataset import write_shard  # noqa: E402
from training.gguf_weights import load_gguf  # noqa: E402
from training.metrics import read_metrics  # noqa: E402
from training.mixture import Added  # noqa: E402
from training.model import Model  # noqa: E402
from training.schedule import Phase, Rate  # noqa: E402
from training.trainer import CHECKPOINT, Plan, Trainer, fresh  # noqa: E402

torch.set_num_threads(1)
TOKENIZER = small.tokenizer()
PHASES = (Phase(64, 0.6), Phase(128, 1.0))


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    talk = small.conversations(300)
    return write_shard(tmp_path_factory.mktemp("shard"), talk, TOKENIZER)


def plan(**given):
    default = {
        "tokens": 512,
        "rate": Rate(3e-3, warmup=5),
        "phases": PHASES,
        "steps": 10,
        "compiled": False,
        "bf16": False,
    }
    return Plan(**(default | given))


def model(seed=1):
    return fresh(small.shape(len(TOKENIZER)), seed)


def weights(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns(shard, tmp_path):
    trainer = Trainer(model(), shard, plan(steps=60, rate=Rate(1e-2, warmup=5)), tmp_path)
    first = trainer.step()
    assert trainer.run().loss < first
    assert trainer.step() < first / 2


def test_a_seed_decides_the_weights(shard, tmp_path):
    runs = [Trainer(model(), shard, plan(), tmp_path / name) for name in "ab"]
    for one in runs:
        one.run()
    other = Trainer(model(), shard, plan(seed=2), tmp_path / "c")
    other.run()
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(other))


@pytest.mark.parametrize("stop_at", [3, 6, 8])
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(shard, tmp_path, stop_at):
    whole = Trainer(model(), shard, plan(), tmp_path / "whole")
    whole.run()
    first = Trainer(model(), shard, plan(), tmp_path / "cut")
    for _ in range(stop_at):
        first.step()
    first.stop = True
    tmp_path.joinpath("cut").mkdir()
    first.run()
    second = Trainer(model(seed=9), shard, plan(), tmp_path / "cut")
    assert second.resume()
    assert second.progress.step == stop_at
    second.run()
    assert same(weights(whole), weights(second))


def test_pieces_of_a_batch_learn_what_the_whole_learns(shard, tmp_path):
    runs = [Trainer(model(), shard, plan(micro=m), tmp_path / str(m)) for m in (0, 128)]
    losses = [one.step() for one in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, value in runs[0].model.state_dict().items():
        assert torch.allclose(value, runs[1].model.state_dict()[name], atol=1e-5), name


def test_checkpointing_changes_nothing_but_memory(shard, tmp_path):
    shape = small.shape(len(TOKENIZER))
    runs = [
        Trainer(fresh(shape, 1, checkpointing=on), shard, plan(), tmp_path / str(on))
        for on in (False, True)
    ]
    for one in runs:
        one.step()
        one.step()
    assert same(*map(weights, runs))


def test_masks_keep_conversations_apart():
    torch.manual_seed(1)
    net = Model(small.shape(len(TOKENIZER))).eval()
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    tokens = torch.randint(0, len(TOKENIZER), (1, 40))
    documents = torch.tensor([[1] * 25 + [2] * 15])
    apart = net(tokens, documents)
    changed = tokens.clone()
    changed[0, :25] = 5
    assert torch.allclose(apart[0, 25:], net(changed, documents)[0, 25:], atol=1e-6)
    assert not torch.allclose(net(tokens)[0, 25:], net(changed)[0, 25:], atol=1e-3)


def test_short_and_long_rows_attend_alike():
    torch.manual_seed(1)
    net = Model(small.shape(len(TOKENIZER)))
    tokens = torch.randint(0, len(TOKENIZER), (1, 300))
    with torch.no_grad():
        kernel = net(tokens)
    assert torch.allclose(net(tokens), kernel, atol=1e-5)  # plain products where gradients flow


def test_what_is_added_is_learnt(shard, tmp_path):
    told = [{"role": "user", "content": "Z"}, {"role": "assistant", "content": "ZZZZZZ"}]
    other = write_shard(tmp_path / "other", [told] * 50, TOKENIZER)
    trainer = Trainer(model(), shard, plan(), tmp_path / "a", [Added(other, 0.5)])
    plain = Trainer(model(), shard, plan(), tmp_path / "b")
    trainer.step()
    plain.step()
    ids = [TOKENIZER.ids["Z"]]
    moved = trainer.model.token_embd.weight - plain.model.token_embd.weight
    assert moved[ids].abs().max() > 0


def test_minutes_end_a_run(shard, tmp_path):
    trainer = Trainer(model(), shard, plan(steps=0, minutes=0.001), tmp_path)
    assert trainer.run().seconds >= 0.06
    assert trainer.spent == 1


def test_metrics_of_steps_that_are_done_again_are_dropped(shard, tmp_path):
    trainer = Trainer(model(), shard, plan(steps=40), tmp_path)
    trainer.run()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 60, "loss": 1}\n{"step": 8')
    Trainer(model(), shard, plan(steps=40), tmp_path).run()
    again = Trainer(model(), shard, plan(steps=40), tmp_path)
    again.resume()
    again.run()
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [20, 40]


@pytest.mark.parametrize("budget", [{}, {"steps": 3, "minutes": 1.0}])
def test_a_budget_is_steps_or_minutes(shard, tmp_path, budget):
    with pytest.raises(Usage, match="one of the two"):
        Trainer(model(), shard, plan(**({"steps": 0} | budget)), tmp_path)


def test_rows_longer_than_the_context_are_refused(shard, tmp_path):
    with pytest.raises(Usage, match="512"):
        Trainer(model(), shard, plan(phases=(Phase(1024, 1.0),)), tmp_path)


def test_another_vocabulary_is_refused(shard, tmp_path):
    with pytest.raises(DataInvalid, match="vocabularies"):
        Trainer(fresh(small.shape(650), 1), shard, plan(), tmp_path)


def test_a_checkpoint_of_another_shape_is_refused(shard, tmp_path):
    Trainer(model(), shard, plan(), tmp_path).run()
    wider = fresh(small.shape(len(TOKENIZER)).__class__(vocab=len(TOKENIZER), width=32, heads=2), 1)
    with pytest.raises(DataInvalid, match="checkpoint"):
        Trainer(wider, shard, plan(phases=(Phase(64, 1.0),)), tmp_path).resume()


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_checkpoint_is_refused_by_name(shard, tmp_path, damage):
    trainer = Trainer(model(), shard, plan(), tmp_path)
    trainer.save()
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:5000] if damage is None else damage)
    with pytest.raises(WeightsInvalid, match=CHECKPOINT):
        trainer.resume()


def test_a_checkpoint_runs_no_code(tmp_path):
    path = tmp_path / CHECKPOINT
    torch.save({"version": 1, "shape": subprocess.Popen}, path)
    with pytest.raises(WeightsInvalid, match=CHECKPOINT):
        load(path)


def test_a_full_disk_leaves_the_checkpoint_before(shard, tmp_path):
    code = (
        "import resource, sys, torch; from pathlib import Path\n"
        "from tests.training import small_model as small\n"
        "from training.dataset import Shard; from training.trainer import *\n"
        "shard = Shard(Path(sys.argv[1])); out = Path(sys.argv[2])\n"
        "model = fresh(small.shape(len(shard.tokenizer)), 1)\n"
        "plan = Plan(tokens=512, steps=4, compiled=False, bf16=False, phases=(Phase(64, 1.0),))\n"
        "trainer = Trainer(model, shard, plan, out); trainer.save(); trainer.step()\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: trainer.save()\n"
        "except TrainingError as error: print(error)\n"
    )
    out = tmp_path / "run"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, shard.directory, out],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{out / CHECKPOINT} cannot be written" in done.stdout
    assert load(out / CHECKPOINT).progress == Progress()
    assert [path.name for path in out.iterdir()] == [CHECKPOINT]


def test_a_loss_that_is_no_number_ends_the_run_before_the_weights_are_spoilt(shard, tmp_path):
    trainer = Trainer(model(), shard, plan(), tmp_path)
    with torch.no_grad():
        trainer.model.output_norm.weight.fill_(float("inf"))
    with pytest.raises(TrainingError, match="loss"):
        trainer.step()


def command(shard, out, *more):
    given = ["--shard", shard.directory, "--out", out, "--size", "1m", "--threads", "1", "--eager"]
    given += ["--tokens", "256", "--phases", "128:1", "--precision", "fp32", *more]
    return [sys.executable, "-m", "training.trainer", *map(str, given)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_trains_stops_at_sigterm_and_goes_on(shard, tmp_path):
    out = tmp_path / "run"
    running = subprocess.Popen(
        command(shard, out, "--minutes", 5), stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert running.stderr is not None
    running.stderr.read(1)  # the first line of progress
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=280)
    assert running.returncode == 0
    stopped = load(out / CHECKPOINT).progress.step
    assert stopped >= 20
    subprocess.run(
        command(shard, out, "--steps", stopped + 2), check=True, capture_output=True, timeout=280
    )
    assert load(out / CHECKPOINT).progress.step == stopped + 2
    assert (out / "curve.svg").read_text().startswith("<svg")
    assert load_gguf(out / "model.gguf", TOKENIZER).shape.width == 128
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == stopped + 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_is_wrong_is_said_in_a_line(tmp_path, shard):
    bad = command(shard, tmp_path, "--steps", 2, "--from", tmp_path / "none.gguf")
    done = subprocess.run(bad, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "none.gguf cannot be trained on" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_under_torchrun_learn_what_one_learns(shard, tmp_path):
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    run += ["--standalone", "--local-addr", "127.0.0.1", "-m", "training.trainer"]
    one, two = tmp_path / "one", tmp_path / "two"

    def both(directories, steps):
        options = ("--steps", steps, "--warmup", 2, "--device", "cpu", "--optimizer", "adamw")
        alone, shared = (command(shard, out, *options) for out in directories)
        subprocess.run(alone, check=True, capture_output=True, timeout=280)
        subprocess.run([*run, *shared[3:]], check=True, capture_output=True, timeout=280)
        learnt = load(one / CHECKPOINT), load(two / CHECKPOINT)
        assert [state.progress.step for state in learnt] == [steps, steps]
        assert learnt[0].progress.tokens == learnt[1].progress.tokens
        for name, value in learnt[0].weights.items():
            assert torch.allclose(value, learnt[1].weights[name], atol=1e-4), name

    both((one, two), 3)
    both((two, one), 5)  # each goes on from what the other kind of run has left
