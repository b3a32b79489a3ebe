"""What the scheduler asks of the owner: run a job, and say how it ended.

A task is a turn in a conversation of its own, with nobody there to approve: it may do what
policy allows without asking. A command was ordered by the person in these very words.
"""

from collections.abc import Mapping
from pathlib import Path

from hermes.conversation.kit import Kit
from hermes.core.event import Notice, TurnFailed, TurnFinished
from hermes.core.ids import TurnId, uuid7
from hermes.core.request import TurnRequest
from hermes.errors import ToolFailure, TurnError
from hermes.node.intake import Intake
from hermes.sandbox.shell import Command, Shell
from hermes.scheduler.jobs import details_of
from hermes.store.jobs import Job, RunState
from hermes.tools.shell import told

_RESULT_CHARS = 2_000
_COMMAND_S = 600.0


class Chores:
    """Runs jobs on this owner (`scheduler.runner.Work`)."""

    def __init__(
        self, kit: Kit, intake: Intake, shell: Shell, program: str, env: Mapping[str, str]
    ) -> None:
        self._kit = kit
        self._intake = intake
        self._shell = shell
        self._program = program
        self._env = env

    async def execute(self, job: Job) -> str:
        """Run a job and return what it reports; raises HermesError when it failed."""
        details = details_of(job)
        if details.command:
            return await self._command(job, details.command)
        return await self._task(job, private=details.private)

    async def report(self, job: Job, slot: int, state: RunState, text: str) -> None:
        """Tell whoever watches the conversation in which the job was ordered."""
        self._kit.bus.publish(
            Notice(
                conversation_id=job.conversation,
                turn_id=TurnId(""),
                at=slot,
                text=f"job {job.id} {state}: {text}",
            )
        )

    async def failed(self, error: Exception) -> None:
        """Write down an error that belongs to nobody's run."""
        self._kit.report("scheduler", error)

    async def _command(self, job: Job, command: str) -> str:
        finished = await self._shell.run(
            Command(
                (self._program, "-c", command),
                Path(job.cwd),
                self._env,
                timeout_s=_COMMAND_S,
                cap_bytes=_RESULT_CHARS * 4,
            )
        )
        outcome = told(finished, _COMMAND_S, _RESULT_CHARS)
        if finished.status:
            raise ToolFailure(outcome.text)
        return outcome.text

    async def _task(self, job: Job, *, private: bool) -> str:
        request = TurnRequest(
            turn_id=TurnId(uuid7()),
            conversation_id=self._intake.shards.fresh(),
            text=job.task,
            cwd=job.cwd,
            root=job.root,
            private=private,
            typed=0,
        )
        with self._kit.bus.watch(request.conversation_id) as events:
            await self._intake.turn(request, lambda _event: None)
            try:
                async for event in events:
                    match event:
                        case TurnFinished():
                            return event.text
                        case TurnFailed():
                            raise TurnError(event.error, event.remedy)
                        case _:
                            continue
            finally:
                await self._intake.stop(request.conversation_id)
        raise TurnError("the turn ended without an answer")
