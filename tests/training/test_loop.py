"""The whole loop through the command line, as its owner walks it: chat, curate, run, eval, chat."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")
from hermes.models.gguf import read_gguf
from training.gguf_weights import vocabulary

KEY = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"
NAMES = [
    "milk",
    "bread",
    "tax",
    "garden",
    "router",
    "invoice",
    "holiday",
    "recipe",
    "lesson",
    "budget",
    "boiler",
    "bicycle",
]
TINY = ("--batch", "400", "--precision", "fp32", "--threads", "1", "--no-scores", "--json")


@pytest.fixture
def hermes(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    environ = os.environ | {"HERMES_V2_HOME": str(tmp_path / "home")}

    def run(*words, codes=(0,)):
        command = [sys.executable, "-m", "hermes.cli.main", *words]
        done = subprocess.run(
            command, cwd=project, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode in codes, (words, done.stdout[-2_000:], done.stderr[-2_000:])
        return done.stdout

    run.project = project
    return run


def talk(hermes, name):
    """A conversation in which a file is read and told of; one of them holds a key."""
    path = hermes.project / f"{name}.txt"
    path.write_text(f"the {name} is done" + (f"\ntoken {KEY}" if name == "router" else ""))
    call = {"name": "FileRead", "arguments": {"path": path.name}}
    lines = [{"text": "", "tool_calls": [call]}, {"text": f"The {name} is done, it says."}]
    script = hermes.project / "script.jsonl"
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = f"please look into {name}.txt and tell me about the {name}"
    hermes("chat", "-m", asked, "--model", f"scripted:{script}", "--yes", "--json")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_chat_curate_run_eval_chat(hermes):
    for name in NAMES:
        talk(hermes, name)
    told = json.loads(hermes("train", "curate", "--out", "set", "--held-out", "0.3", "--json"))
    written = [p.read_text() for p in (hermes.project / "set").iterdir()]
    assert told["lines"]["train"] >= 3
    assert KEY not in "".join(written)

    narrow = ("--intent", "FileRead", "--count", "150", "--vocabulary", "700", "--size", "1m")
    hermes("train", "run", *narrow, "--tokens", "1200", "--out", "base", *TINY)
    on = ("--data", "set/train.jsonl", "--held-out", "set/heldout.jsonl", "--tokens", "2000")
    again = ("train", "run", "--from", "base/model.gguf", *on, "--count", "100", "--out", "better")
    trained = json.loads(hermes(*again, *TINY))
    assert trained["after"]["data"] < trained["before"]["data"]
    hermes(*again, *TINY, codes=(2,))  # a run stands there

    evaluated = ("better/model.gguf", "--cases", "better/held_out_cases.jsonl", "--limit", "2")
    report = json.loads(hermes("train", "eval", *evaluated, "--grammar", "on", "--json"))
    assert report["sets"][0]["cases"] >= 1
    assert report["speed"]["tokens_per_s"] > 0
    words = ("--model", "better/model.gguf", "--max-steps", "2", "--yes", "--json")
    said = hermes("chat", "-m", "hello", *words, codes=(0, 1)).splitlines()
    assert json.loads(said[-1])["usage"]["completion_tokens"] > 0  # no more: it learnt for seconds
    hermes("train", "export", "better", "--type", "q4_0", "--out", "small.gguf")
    small, large = (hermes.project / p for p in ("small.gguf", "better/model.gguf"))
    assert read_gguf(small).parameters == read_gguf(large).parameters
    assert small.stat().st_size < large.stat().st_size
    assert vocabulary(small).digest == vocabulary(large).digest
