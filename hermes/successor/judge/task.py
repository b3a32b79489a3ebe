"""The evaluation task itself: its commands run on the candidate, or the candidate is asked it.

A line of the task that begins with `$ ` is a command; all must end with 0. Without one, and with a
model at hand, the candidate runs the task as a turn, and how that ended is told, deciding nothing.
"""

import os

import msgspec

from hermes.core.verdict import Evidence, Outcome
from hermes.errors import ModelError
from hermes.sandbox.box import Ended, Wires
from hermes.sandbox.environment import PATH
from hermes.successor.broker import PORT, broker, with_model
from hermes.successor.workbench import REPO, View, Workbench

NAME = "task"
_PROMPT = "$ "
_SAID = 4_000


class Task:
    """The stage."""

    name = NAME
    decides = True

    async def judge(self, bench: Workbench) -> Evidence:
        """Run it."""
        commands = [
            line.strip().removeprefix(_PROMPT)
            for line in bench.task.splitlines()
            if line.strip().startswith(_PROMPT)
        ]
        if commands:
            return await self._commands(bench, commands)
        if bench.model is None or not bench.task.strip():
            return Evidence(NAME, "skipped", "the task has no command: `$ …` on a line of its own")
        return await self._turn(bench)

    async def _commands(self, bench: Workbench, commands: list[str]) -> Evidence:
        for number, command in enumerate(commands, 1):
            python = bench.python()[0]
            path = f"{python.rpartition('/')[0]}:{PATH}"
            view = View(cwd=REPO, state=True, env={"PYTHON": python, "PATH": path})
            ended = await bench.run("candidate", ["sh", "-c", command], view)
            if not ended.ok:
                if ended.why == "wall clock":
                    bench.spend.check()  # the trial's time, not the command's
                why = f"exit code {ended.status}" if ended.why == "exit" else ended.why
                says = f"command {number} of {len(commands)} ends by {why}: {command[:100]}"
                nobodys = ended.why == "machine memory" or (ended.why == "wall clock" and _busy())
                word: Outcome = "inconclusive" if nobodys else "fail"
                says += "; the machine is busy" if nobodys else ""
                return Evidence(NAME, word, says, (command,), record=await _kept(bench, ended))
        many = "the command" if len(commands) == 1 else f"all {len(commands)} commands"
        return Evidence(NAME, "pass", f"{many} ended well", tuple(commands))

    async def _turn(self, bench: Workbench) -> Evidence:
        assert bench.model is not None
        try:
            model = await bench.model()
        except ModelError as error:
            return Evidence(NAME, "advisory", f"there is no model to ask: {error.message}")
        async with broker(model, bench.spend) as fd:
            chat = ["-m", "hermes.cli.main", "chat", "-m", bench.task, "--mode", "read-only"]
            named = ["--model", f"http://127.0.0.1:{PORT}#parent"]
            argv, needed = with_model(bench, fd, bench.python(*chat, *named))
            view = View(read=needed, state=True)
            ended = await bench.run("candidate", argv, view, Wires(keep=(fd,)))
        word = "answers the task" if ended.ok else "does not answer the task"
        says = f"with a model it {word}, in {bench.spend.tokens} tokens"
        return Evidence(NAME, "advisory", says, record=await _kept(bench, ended))


def _busy() -> bool:
    return os.getloadavg()[0] > (os.cpu_count() or 1)


async def _kept(bench: Workbench, ended: Ended) -> str:
    said = {
        "why": ended.why,
        "status": ended.status,
        "stdout": ended.stdout[-_SAID:].decode(errors="replace"),
        "stderr": ended.stderr[-_SAID:].decode(errors="replace"),
    }
    return await bench.keep(msgspec.json.encode(said))
