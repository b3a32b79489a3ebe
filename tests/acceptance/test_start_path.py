"""What one turn costs to start: which modules it loads, and its processor time beside Python's."""

import json
import subprocess
import sys

import pytest
from stranger import call

from benchmarks.measure import HERMES, median, run

HEAVY = {
    *("pydantic", "httpx", "httpcore2", "h11", "mcp", "nostr_sdk", "llama_cpp", "xllamacpp"),
    *("torch", "numpy", "prompt_toolkit", "rich", "pygments", "tree_sitter", "tree_sitter_bash"),
    *("pathspec", "http.client", "urllib.request", "multiprocessing"),
}
PYTHON = [sys.executable, "-c", "pass"]
MOST = 40  # times the processor time of a Python that does nothing; 18 to 20 were measured
TELL = """
import json, os, sys
sys.argv = ["hermes", *sys.argv[1:]]
from hermes.cli.main import main
code = main()
with open(os.environ["HERMES_MODULES"], "w") as file:
    json.dump(sorted(sys.modules), file)
sys.exit(code)
"""


def modules(stranger, *words):
    """The modules that a command has loaded at its end."""
    path = stranger.base / "modules.json"
    subprocess.run(
        [sys.executable, "-c", TELL, *words],
        env=stranger.env | {"HERMES_MODULES": str(path)},
        cwd=stranger.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return set(json.loads(path.read_text()))


def test_a_scripted_turn_loads_nothing_heavy(stranger):
    stranger.write("a.txt", "walrus\n")
    model = stranger.script(call("FileRead", path="a.txt"), {"text": "hi"})
    loaded = modules(stranger, "chat", "-m", "hi", *model)
    assert loaded & HEAVY == set()
    assert "hermes.conversation.turn" in loaded


def test_a_turn_on_the_shipped_model_has_no_engine_in_its_process(stranger):
    loaded = modules(stranger, "chat", "-m", "hi")
    assert loaded & (HEAVY - {"httpcore2", "h11"}) == set()


@pytest.mark.parametrize("words", [["doctor"], ["conversations", "list"], ["jobs", "list"]])
def test_short_commands_load_nothing_heavy(stranger, words):
    stranger.run("chat", "-m", "hi", *stranger.script({"text": "hi"}), check=True)
    allowed = {"rich", "pygments", "httpcore2", "h11"} if words == ["doctor"] else set()
    assert modules(stranger, *words) & (HEAVY - allowed) == set()


def test_a_scripted_turn_costs_a_few_starts_of_python(stranger):
    command = [HERMES, "chat", "-m", "hi", *stranger.script({"text": "hi"})]
    run(command, stranger.env)  # the store is made once
    ours, bare = [], []
    for _ in range(5):
        sample = run(command, stranger.env)
        assert sample.code == 0
        ours.append(sample.cpu)
        bare.append(run(PYTHON, stranger.env).cpu)
    assert median(ours) <= MOST * median(bare)
