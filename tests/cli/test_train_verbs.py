import json
import subprocess
import sys

import pytest

from hermes.cli.train_run import SIZES

torch = pytest.importorskip("torch")
from tests.training import small_model  # noqa: E402 - after the skip
from training.export import export  # noqa: E402
from training.sizes import SIZES as KNOWN  # noqa: E402

NOBODY = """relays = ["ws://127.0.0.1:9"]
[workers]
a.key = "1111111111111111111111111111111111111111111111111111111111111111"
a.blobs = "http://127.0.0.1:7450"
b.key = "2222222222222222222222222222222222222222222222222222222222222222"
b.blobs = "http://127.0.0.1:7451"
"""
NARROW = ("--intent", "FileRead", "--count", "60", "--vocabulary", "700")


def test_the_sizes_are_the_trainers():
    assert tuple(KNOWN) == SIZES


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("run", 2, "a model from nothing needs a budget"),
        ("run --minutes 1 --tokens 5", 2, "one of the two"),
        ("run --size 7m", 2, "invalid choice"),
        ("run --lora 4 --minutes 1", 2, "--lora fine-tunes a Hugging Face directory"),
        ("run --from . --minutes 1", 2, "fine-tuning needs --data"),
        ("run --from . --data own.jsonl", 1, "config.json is missing"),
        ("run --from gone.gguf --data own.jsonl", 1, "gone.gguf"),
        ("run --from own.jsonl --data own.jsonl", 1, "own.jsonl"),
        ("run --out own.jsonl --minutes 1", 2, "own.jsonl is no directory"),
        ("run --out old --minutes 1", 2, "old holds a run already"),
        ("run --minutes 1 --data gone.jsonl", 1, "gone.jsonl cannot be read"),
        ("run --minutes 1 --data own.jsonl --replay 1", 2, "a replay of 1.0"),
        ("curriculum --count 3 --intent Fly --out x.jsonl", 2, "no intent 'Fly'"),
        ("curriculum --count 3 --vocabulary 9 --intent Bash --out x", 2, "a vocabulary needs"),
        ("export gone --out x.gguf", 1, "gone is no checkpoint"),
        ("export own.jsonl --out x.gguf", 1, "own.jsonl is no checkpoint"),
        ("export ember --type q9 --out x.gguf", 2, "invalid choice"),
        ("sync --worker a --data own.jsonl", 2, "say where the workers meet"),
        ("sync --at p --mesh own.jsonl --worker a", 2, "say where the workers meet"),
        ("sync --mesh p --serve rounds", 2, "say where the workers meet"),
        ("sync --mesh own.jsonl --worker a --data own.jsonl", 2, "is no roster"),
        ("sync --mesh nobody.toml --worker a --data own.jsonl", 2, "machine's key"),
        ("sync --at place", 2, "a worker needs --worker NAME and --data FILE"),
        ("sync --at place --worker a --data own.jsonl", 2, "no vocabulary of their own"),
        ("sync --at place --serve rounds", 2, "a hub needs --tokens FILE"),
        ("sync --at p --serve rounds --tokens own.jsonl", 2, "no lines of NAME TOKEN"),
        ("sync --at p --worker a --data own.jsonl --from ember --trim 0.9", 2, "trim is in"),
        ("eval gone.gguf", 1, "gone.gguf"),
        ("eval ember --cases gone.jsonl", 2, "gone.jsonl cannot be read"),
        ("eval ember --set nothing", 2, "no set named 'nothing'"),
        ("eval ember --min x", 2, "'x' is no threshold"),
        ("curate --out set", 4, "hermes.db"),
    ],
)
def test_what_cannot_be_is_said(shell, words, code, said, tmp_path, capsys):
    line = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    (tmp_path / "own.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "nobody.toml").write_text(NOBODY)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "checkpoint.pt").touch()
    before = sorted(tmp_path.iterdir())
    assert shell.run("train", *words.split()) == code
    assert said in shell.err + capsys.readouterr().err
    made = {path.name for path in set(tmp_path.iterdir()) - set(before)}
    assert not {name for name in made if name.endswith((".gguf", ".jsonl"))}


def test_a_curriculum_is_the_same_for_a_seed(shell, tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        words = ["--count", "20", "--seed", seed, "--out", f"{name}.jsonl", "--json"]
        assert shell.run("train", "curriculum", *words) == 0
        assert json.loads(shell.out)["conversations"] == 20
    a, b, c = ((tmp_path / f"{name}.jsonl").read_text() for name in "abc")
    assert a == b != c
    assert all(json.loads(line)["messages"] for line in a.splitlines())


def test_a_shard_takes_the_vocabulary_of_another(shell, tmp_path):
    words = ["--intent", "FileRead", "--vocabulary", "700"]
    assert shell.run("train", "curriculum", "--count", "50", *words, "--out", "one") == 0
    more = ["--copying", "--count", "9", "--like", "one", "--out", "two", "--json"]
    assert shell.run("train", "curriculum", *more) == 0
    assert json.loads(shell.out)["tokens"] > 9
    one, two = (json.loads((tmp_path / n / "shard.json").read_text()) for n in ("one", "two"))
    assert one["tokenizer"] == two["tokenizer"]


@pytest.mark.parametrize(
    ("words", "bytes_left"),
    [
        (["curriculum", "--count", "50", "--out", "full.jsonl"], 2_000),
        (["curriculum", "--copying", "--count", "50", "--like", "like", "--out", "full"], 2_000),
        (["run", *NARROW, "--tokens", "400", "--batch", "400", "--out", "full"], 300_000),
        (["export", "like/base.gguf", "--out", "full/out.gguf"], 5_000),
    ],
)
def test_a_full_disk_is_named_and_leaves_nothing_half(shell, tmp_path, words, bytes_left):
    assert shell.run("train", "curriculum", *NARROW, "--out", "like") == 0
    tokenizer = small_model.tokenizer()
    export(small_model.model(len(tokenizer)), tokenizer, tmp_path / "like" / "base.gguf")
    code = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes_left}, -1))\n"
        f"from hermes.cli.run import main; sys.exit(main(['train', *{words!r}]))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "full" in done.stderr
    assert "cannot be written" in done.stderr
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    left.remove("base.gguf")
    assert not [name for name in left if name.endswith((".part", "full.jsonl", ".gguf", ".pt"))]
    assert not (tmp_path / "full" / "shard.json").exists()


def test_an_estimate_writes_nothing(shell, tmp_path):
    assert shell.run("train", "run", "--size", "1m", "--estimate", "--json") == 0
    found = json.loads(shell.out)
    assert found["parameters"] == KNOWN["1m"].shape.parameters()
    assert found["fits"]
    assert found["tokens_per_s"] > 0
    assert list(tmp_path.iterdir()) == []
    assert shell.run("train", "run", "--size", "1m", "--estimate") == 0
    assert "parameters" in shell.out
