"""One turn without a terminal: the answer on standard output, or its events as JSON lines."""

import argparse
import contextlib
import signal
from collections.abc import AsyncIterator

import anyio
import msgspec

from hermes import errors
from hermes.cli.output import print_json_line, print_text
from hermes.cli.settings import request_of
from hermes.cli.world import World
from hermes.config import Settings
from hermes.core.event import (
    Compacted,
    Event,
    Json,
    Notice,
    TextDelta,
    ToolCalled,
    ToolFinished,
    TurnFailed,
    TurnFinished,
    to_plain,
)
from hermes.core.ids import CallId, ConversationId
from hermes.gateway.render_event import call_line, compacted_line, marks_for, result_line
from hermes.gateway.render_text import clean
from hermes.gateway.terminal_door import Door

_REFUSED = errors.Refused.exit_code
_INTERRUPTED = 130


async def run_once(text: str, args: argparse.Namespace, world: World, settings: Settings) -> int:
    """Run one turn and return the exit code."""
    asked = request_of(args, world, settings)
    request = msgspec.structs.replace(asked, text=text, typed=len(args.message or ""))
    async with world.open_client(settings, interactive=False, environ=world.environ) as door:
        printer = _JsonLines(world) if args.json else _Answer(world)
        interrupt = _Interrupt(door, request.conversation_id)
        async with anyio.create_task_group() as tasks:
            interrupt.scope = tasks.cancel_scope
            tasks.start_soon(interrupt.watch)
            async with door.turn(request) as events:
                final = await _print_all(events, printer, interrupt)
            tasks.cancel_scope.cancel()
        if not args.json and not world.stderr.isatty():
            await _alarm(door, world)  # who is at a terminal has had the notice
        if interrupt.count:
            return _INTERRUPTED
        return _exit_code(final, world, said=args.json)


async def _alarm(door: Door, world: World) -> None:
    """What must not go unseen in a log of a script either: the first line of each alarm."""
    with contextlib.suppress(errors.OwnerGone):  # the answer is there
        for line in (await door.status()).get("alarms") or ():
            world.complain(clean(str(line).partition("\n")[0]))


async def _print_all(
    events: AsyncIterator[Event], printer: "_JsonLines | _Answer", interrupt: "_Interrupt"
) -> Event | None:
    event: Event | None = None
    async for event in events:
        interrupt.conversation = event.conversation_id
        printer.take(event)
    return event


def _exit_code(final: Event | None, world: World, *, said: bool) -> int:
    match final:
        case TurnFinished():
            return _REFUSED if final.denied else 0
        case TurnFailed():
            if not said:
                world.complain(clean(final.error), clean(final.remedy))
            kind = getattr(errors, final.kind, errors.TurnError)
            return _REFUSED if final.denied else int(getattr(kind, "exit_code", 1))
        case _:
            world.complain("the turn ended without an answer", "hermes doctor")
            return 1


class _Interrupt:
    """Ctrl-C stops the turn; a second one does not wait for it."""

    def __init__(self, door: Door, conversation: ConversationId) -> None:
        self.count = 0
        self.conversation = conversation
        self.scope: anyio.CancelScope
        self._door = door

    async def watch(self) -> None:
        """Wait for Ctrl-C, until cancelled."""
        with anyio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                self.count += 1
                if self.count > 1 or not self.conversation:
                    self.scope.cancel()
                    return
                await self._door.stop(self.conversation)


class _JsonLines:
    """One event a line."""

    def __init__(self, world: World) -> None:
        self._out = world.stdout

    def take(self, event: Event) -> None:
        """Print an event."""
        print_json_line(to_plain(event), self._out)


class _Answer:
    """The answer; at a terminal line by line as it comes, with the tools beside it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._live = world.stdout.isatty()
        self._marks = marks_for(getattr(world.stderr, "encoding", None))
        self._line = ""
        self._streamed = False
        self._arguments: dict[CallId, Json] = {}

    def take(self, event: Event) -> None:
        """Print what an event brings."""
        match event:
            case TextDelta():
                self._stream(event.text)
            case TurnFinished():
                self._finish(event.text)
            case ToolCalled():
                self._arguments[event.call_id] = event.arguments
                self._aside(call_line(event.name, event.arguments, self._marks))
            case ToolFinished():
                self._result(event)
            case Notice():
                self._aside(f"{self._marks.notice} {clean(event.text)}")
            case Compacted():
                self._aside(compacted_line(event, self._marks))
            case TurnFailed():
                self._end_line()
            case _:
                pass

    def _stream(self, text: str) -> None:
        if not self._live:
            return
        self._streamed = True
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            print_text(line, self._world.stdout)

    def _finish(self, text: str) -> None:
        if self._streamed:
            self._end_line()
        elif text:
            print_text(text.rstrip("\n"), self._world.stdout)

    def _result(self, event: ToolFinished) -> None:
        line = result_line(event, self._marks, self._arguments.pop(event.call_id, None))
        self._aside(line)
        if event.denied and not self._world.stderr.isatty():  # or exit code 3 says too little
            self._world.complain(line, "--yes, --mode or a rule may allow it: see docs/policy.md")

    def _aside(self, line: str) -> None:
        self._end_line()
        self._world.note(line)

    def _end_line(self) -> None:
        if self._line:
            print_text(self._line, self._world.stdout)
            self._line = ""
