"""Whether a version works at all: started like any other, with a store of its own.

What runs here was approved; it has the rights of this user, and nothing of this user's data.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.errors import SuccessorError

_WORDS = "The self-test has passed."
_WAIT_S = 90.0
_SAID = 400

Command = Sequence[str]


async def rehearse(command: Command, env: Mapping[str, str]) -> None:
    """Let a version say its name, take a turn, verify its log; raises SuccessorError.

    `command` runs its `hermes`, words follow. `env`: what commands may see of the environment.
    """
    folder = await anyio.to_thread.run_sync(lambda: tempfile.TemporaryDirectory(prefix="hermes-v"))
    try:
        base = Path(folder.name)
        # Sockets lie where those of this machine lie: below this folder their paths grow too long.
        home = {"HERMES_V2_HOME": str(base / "home")}
        script = base / "script.jsonl"
        await anyio.to_thread.run_sync(script.write_text, f'{{"text": "{_WORDS}"}}\n')
        model = f"scripted:{script}"
        whole = {**env, **home}
        await _said([*command, "--version"], whole, "hermes ")
        await _said([*command, "chat", "-m", "Well?", "--model", model], whole, _WORDS)
        await _said([*command, "log", "verify"], whole, "")
    finally:
        await anyio.to_thread.run_sync(folder.cleanup)


async def _said(command: Command, env: Mapping[str, str], words: str) -> None:
    what = " ".join(command[5:8]) or Path(sys.executable).name
    try:
        with anyio.fail_after(_WAIT_S):
            done = await anyio.run_process(list(command), env=dict(env), cwd="/", check=False)
    except TimeoutError as error:
        raise SuccessorError(f"the new version does not answer: {what}") from error
    if done.returncode or words not in done.stdout.decode(errors="replace"):
        last = done.stderr.decode(errors="replace").strip()[-_SAID:]
        raise SuccessorError(
            f"the new version fails its self-test ({what}, exit code {done.returncode}): {last}",
            "where it lacks a library: make setup, then approve it again",
        )
