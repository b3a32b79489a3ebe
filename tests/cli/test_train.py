import re
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest

from hermes.cli.parser import build_parser
from hermes.cli.train_work import long_work
from hermes.cli.world import this_world

VERBS = ("curate", "curriculum", "run", "export", "sync", "eval")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb, capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["train", verb, "--help"])
    assert f"example:\n  hermes train {verb}" in capsys.readouterr().out


def test_the_shell_knows_the_verbs(shell):
    assert shell.run("completion", "bash") == 0
    assert '"train") words="--help curate curriculum run export sync eval"' in shell.out


@pytest.mark.parametrize("library", ["torch", "gguf", "numpy"])
def test_without_the_extra_the_remedy_is_said(library, tmp_path):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from hermes.cli.run import main\n"
        "sys.exit(main(['train', 'curriculum', '--count', '1', '--out', 'x.jsonl']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert re.search(r"this needs \w+, which is not installed", done.stderr)
    assert "make train-setup" in done.stderr
    assert "make train-setup, or: pip install 'hermes-v2[train]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_loaded_before_a_verb_runs():
    heavy = ("torch", "numpy", "gguf", "tokenizers", "training.curriculum", "hermes.tools.builtin")
    code = f"import sys, hermes.cli.run; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def world():
    return this_world()


class Trainer:
    def __init__(self):
        self.asked = threading.Event()

    @property
    def stop(self):
        return self.asked.is_set()

    @stop.setter
    def stop(self, value):
        if value:
            self.asked.set()


async def test_work_that_ends_gives_its_result(world):
    with anyio.fail_after(30):
        assert await long_work(Path(), lambda watch: watch(Trainer()) or "done", world) == "done"


async def test_work_that_is_cancelled_saves_before_it_ends(world):
    trainer, begun, saved = Trainer(), threading.Event(), threading.Event()

    def begin(watch):
        watch(trainer)
        begun.set()
        assert trainer.asked.wait(30)
        saved.set()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(long_work, Path(), begin, world)
            await anyio.to_thread.run_sync(begun.wait)
            tasks.cancel_scope.cancel()
    assert saved.is_set()


async def test_a_wish_to_end_before_there_is_a_trainer_reaches_it(world):
    trainer, begun, cancelled = Trainer(), threading.Event(), threading.Event()

    def begin(watch):
        begun.set()
        assert cancelled.wait(30)
        watch(trainer)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(long_work, Path(), begin, world)
            await anyio.to_thread.run_sync(begun.wait)
            tasks.cancel_scope.cancel()
            cancelled.set()
    assert trainer.stop
