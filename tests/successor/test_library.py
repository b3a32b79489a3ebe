"""The seed's own words, in a program of its own: nothing but what the environment names."""

import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.store.lock import OwnerLock

PROGRAM = """
import sys
from hermes.successor.fork import fork_successor
assert "hermes.store.store" not in sys.modules
successor = fork_successor(
    current_state=b"{}",
    architecture_patch=open(sys.argv[1]).read(),
    evaluation_task="Verify that it still starts",
)
verdict = successor.run_until_complete()
print(verdict.word, [one.stage for one in verdict.evidence])
"""
CHANGED = "hermes/cli/main.py"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def library(tmp_path, open_data, checkout):
    home = open_data / "home"
    (home / "config").mkdir(parents=True, exist_ok=True)
    text = f'[successor]\nsource = "{checkout}"\neffort = "micro"\n'
    (home / "config" / "config.toml").write_text(text)
    before = (checkout / CHANGED).read_text()
    lines = [
        text.splitlines(keepends=True)
        for text in (
            before,
            before.replace('print(f"hermes {__version__}")', "raise SystemExit(7)"),
        )
    ]
    diff = "".join(difflib.unified_diff(*lines, f"a/{CHANGED}", f"b/{CHANGED}"))
    (tmp_path / "patch.md").write_text(f"# Shorter\n\n```diff\n{diff}```\n")

    def call():
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "patch.md")],
            env={"HERMES_V2_HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip

    call.home = home
    return call


@pytest.mark.timeout(180)
def test_a_program_forks_a_successor(standing, library):
    done = library()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "reject ['build', 'lint', 'starts']\n"


def test_a_store_that_is_owned_is_not_opened(library):
    lock = OwnerLock(library.home / "data")
    assert lock.try_acquire()
    try:
        done = library()
    finally:
        lock.release()
    assert done.returncode == 1
    assert "StoreOwned: another process owns the store" in done.stderr
