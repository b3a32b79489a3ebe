"""`hermes train sync` in processes of its own: a directory, and a hub on a unix socket."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("torch")
from tests.training import small_model
from training.export import export
from training.gguf_weights import load_gguf

DIALS = "--rounds 2 --workers 2 --inner-steps 2 --rows 1 --length 128 --from base.gguf --json"


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="hv2-") as short:  # a socket's path is short
        place = Path(short)
        tokenizer = small_model.tokenizer()
        export(small_model.model(len(tokenizer)), tokenizer, place / "base.gguf", kind="f32")
        for name in ("a", "b"):
            talks = small_model.conversations(60, seed=ord(name))
            lines = (json.dumps({"messages": talk}) for talk in talks)
            (place / f"{name}.jsonl").write_text("\n".join(lines))
        (place / "tokens").write_text("a secret-of-a\nb secret-of-b\n")
        yield place


def start(place, *words, **environ):
    command = [sys.executable, "-m", "hermes.cli.main", "train", "sync", *words]
    environ = os.environ | {"HERMES_V2_HOME": str(place / "home")} | environ
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=place, env=environ, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("at", ["rounds", "unix:hub.sock"])
def test_two_workers_end_with_the_same_weights(place, at):
    hub = None
    if at.startswith("unix:"):
        words = ("--at", at, "--serve", "kept", "--tokens", "tokens", "--from", "base.gguf")
        hub = start(place, *words)
    workers = {}
    for name in ("a", "b"):
        words = ("--at", at, "--worker", name, "--data", f"{name}.jsonl", "--out", f"out-{name}")
        token = {"HERMES_V2_SYNC_TOKEN": f"secret-of-{name}"}
        workers[name] = start(place, *words, *DIALS.split(), **token)
    digests = set()
    for name, worker in workers.items():
        out, err = worker.communicate(timeout=500)
        assert worker.returncode == 0, err
        report = json.loads(out)
        assert (report["rounds"], report["refused"]) == (2, {})
        digests.add(report["digest"])
        assert load_gguf(place / f"out-{name}" / "model.gguf").shape.width == 64
    assert len(digests) == 1
    if hub:
        hub.send_signal(signal.SIGTERM)
        assert hub.wait(30) == 143
        hub.communicate()
