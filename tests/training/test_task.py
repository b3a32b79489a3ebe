import json
import random
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
from hermes.errors import DataInvalid, Usage, WeightsInvalid  # noqa: E402 - after the skip
from hermes.models.gguf import read_gguf  # noqa: E402
from training.checkpoint import load  # noqa: E402
from training.conversations import Conversation, read_conversations  # noqa: E402
from training.convert import convert  # noqa: E402
from training.curriculum.dialogue import exchange  # noqa: E402
from training.curriculum.values import Values  # noqa: E402
from training.evaluate.cases import read_cases  # noqa: E402
from training.generate import Order, write, write_lines  # noqa: E402
from training.gguf_weights import load_gguf, vocabulary  # noqa: E402
from training.held_out import split  # noqa: E402
from training.held_out_cases import write_cases  # noqa: E402
from training.task import Task, train  # noqa: E402

torch.set_num_threads(1)
CALL = {"name": "FileRead", "arguments": {"path": "a.txt"}}
TALK = (
    {"role": "user", "content": "read a.txt"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "milk"},
    {"role": "assistant", "content": "It says milk."},
)


@pytest.fixture
def task(tmp_path):
    return Task(
        out=tmp_path / "run",
        size="1m",
        intents=("FileRead",),
        count=120,
        vocabulary=700,
        tokens=1_600,
        batch=400,
        bf16=False,
    )


@pytest.fixture
def own(tmp_path):
    lines = [json.dumps({"messages": TALK}).replace("a.txt", f"{n}.txt") for n in range(30)]
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_nothing_and_on_with_replay(task, own):
    first = train(task)
    assert (first.finished, first.steps, first.before) == (True, 4, {})
    info = read_gguf(task.out / "model.gguf")
    assert (info.architecture, info.profile, info.name) == ("llama", "native", "ember")
    assert json.loads((task.out / "report.json").read_text())["after"] == first.after

    again = replace(
        task, origin=task.out / "model.gguf", data=(own,), out=task.out / "on", rate=2e-3
    )
    second = train(again)
    assert second.before.keys() == second.after.keys() == {"curriculum", "data"}
    assert second.before["curriculum"] == pytest.approx(first.after["curriculum"], rel=0.01)
    assert second.after["data"] < second.before["data"]
    cases = read_cases(task.out / "on" / "held_out_cases.jsonl")
    assert [case.intent for case in cases] == ["FileRead"] * 3
    assert vocabulary(task.out / "on" / "model.gguf").digest == vocabulary(again.origin).digest


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(task):
    whole = train(replace(task, out=task.out / "whole"))
    stops = iter([True, False])

    def watch(trainer):
        step = trainer.step

        def once():
            loss = step()
            trainer.stop = next(stops, False)
            return loss

        trainer.step = once

    assert not train(task, watch).finished
    resumed = train(replace(task, resume=True))
    assert (resumed.finished, resumed.steps) == (True, whole.steps)
    one, two = (load(place / "checkpoint.pt").weights for place in (task.out, task.out / "whole"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_is_exported_in_every_kind(task, tmp_path):
    train(task)
    sizes = {}
    for kind in ("f16", "q8_0", "q4_0"):
        out = tmp_path / f"{kind}.gguf"
        convert(task.out, out, kind=kind)
        sizes[kind] = out.stat().st_size
        assert load_gguf(out).shape.vocab == 700
    assert sizes["f16"] > sizes["q8_0"] > sizes["q4_0"]
    convert(tmp_path / "f16.gguf", tmp_path / "again.gguf", kind="q8_0")
    assert (tmp_path / "again.gguf").stat().st_size == sizes["q8_0"]

    (task.out / "tokenizer.json").rename(tmp_path / "words.json")
    with pytest.raises(WeightsInvalid, match=r"checkpoint\.pt has no vocabulary beside it"):
        convert(task.out, tmp_path / "x.gguf", kind="f16")
    convert(task.out, tmp_path / "x.gguf", kind="f16", words=tmp_path / "words.json")
    other = Order(tmp_path / "shard", 50, intents=("Bash",), vocabulary=700)
    write(other)
    with pytest.raises(WeightsInvalid, match="is not that of"):
        convert(task.out, tmp_path / "y.gguf", kind="f16", words=other.out)
    assert not (tmp_path / "y.gguf").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_shard_is_data_too(task, tmp_path):
    shard = Order(tmp_path / "shard", 200, intents=("ListDir",), vocabulary=650)
    assert write(shard).conversations == 200
    trained = train(replace(task, data=(shard.out,)))
    assert len(vocabulary(task.out / "model.gguf")) == 650
    assert trained.after.keys() == {"curriculum"}
    with pytest.raises(DataInvalid, match="vocabulary"):
        train(
            replace(
                task, origin=task.out / "model.gguf", data=(damaged(shard.out),), out=tmp_path / "z"
            )
        )


def damaged(shard):
    about = json.loads((shard / "shard.json").read_text())
    (shard / "shard.json").write_text(json.dumps(about | {"tokenizer": "sha256:0"}))
    return shard


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tokens": 0}, "needs a budget"),
        ({"minutes": 1.0}, "one of the two"),
        ({"size": "7m"}, "no size '7m'"),
        ({"replay": 1.0}, "no share"),
        ({"intents": ("Fly",)}, "no intent 'Fly'"),
        ({"vocabulary": 100}, "a vocabulary needs at least"),
    ],
)
def test_what_cannot_be_asked(task, changes, said):
    with pytest.raises(Usage, match=said):
        train(replace(task, **changes))
    assert not (task.out / "checkpoint.pt").exists()


def test_several_shards_are_refused(task, tmp_path, own):
    with pytest.raises(Usage, match="a shard stands alone"):
        train(replace(task, data=(tmp_path, own)))


def test_what_is_held_out_stays_held_out():
    talks = [Conversation(({"role": "user", "content": str(n)},)) for n in range(95)]
    learnt, held = split(talks)
    assert (len(learnt), len(held)) == (86, 9)
    assert not {str(one) for one in learnt} & {str(one) for one in held}
    again, _ = split(list(reversed(talks)))
    assert {str(one) for one in again} == {str(one) for one in learnt}
    assert split(talks[:9]) == (talks[:9], [])


def test_what_was_held_out_becomes_cases(tmp_path):
    path = tmp_path / "cases.jsonl"
    assert write_cases(path, [Conversation(TALK), Conversation(TALK[:1])]) == 1
    (case,) = read_cases(path)
    assert (case.asked, case.accept[0][0].args) == ("read a.txt", {"path": "a.txt"})
    path.unlink()
    assert write_cases(path, [Conversation(TALK[:1])]) == 0
    assert not path.exists()


def test_lines_that_were_written_are_read(tmp_path):
    made = [exchange(Values(random.Random(seed))) for seed in range(30)]
    write_lines(tmp_path / "a.jsonl", made)
    read = read_conversations([tmp_path / "a.jsonl"])
    assert [[m["role"] for m in one.messages] for one in read] == [
        [m["role"] for m in one] for one in made
    ]
