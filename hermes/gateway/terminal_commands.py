"""The slash commands: one table of name, arguments, help and function."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import anyio.lowlevel

from hermes.gateway import terminal_history, terminal_memory
from hermes.gateway import terminal_settings as choices
from hermes.gateway.render_text import one_line
from hermes.gateway.terminal_skills import WORDS, skills
from hermes.gateway.terminal_state import Chat
from hermes.gateway.terminal_successor import WORDS as GATE_WORDS
from hermes.gateway.terminal_successor import GateCommands
from hermes.gateway.terminal_turns import Turns

Run = Callable[[Chat, str], Awaitable[None]]


@dataclass(frozen=True)
class Command:
    """One slash command; `idle`: only while no turn runs. `words` complete its argument."""

    name: str
    arguments: str
    says: str
    run: Run
    idle: bool = False
    words: tuple[str, ...] = ()


class Commands:
    """The table, and how a line becomes a call of one of its functions."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        table = (
            Command("help", "", "what there is", self._help),
            Command("status", "", "model, engine, running turns", choices.status),
            Command("context", "", "what fills the window", choices.context),
            Command("model", "[NAME]", "list models or take one", choices.model),
            Command("skin", "[NAME]", "list skins or take one", choices.skin),
            Command("mode", "[MODE]", "next mode, or that one", choices.mode, words=choices.MODES),
            Command("private", "[off]", "never train on this", choices.private, words=("off",)),
            Command("new", "", "start a new conversation", terminal_history.new, idle=True),
            Command("resume", "[ID]", "go back to one", terminal_history.resume, idle=True),
            Command("fork", "", "go on in a copy", terminal_history.fork, idle=True),
            Command("undo", "", "take back the last turn", terminal_history.undo, idle=True),
            Command("search", "WORDS", "find messages", terminal_history.search),
            Command(
                "memory",
                "[add TEXT | forget ID | why | WORDS]",
                "what it remembers here",
                terminal_memory.memory,
                words=("add", "forget", "why"),
            ),
            Command(
                "skills",
                "[show | approve | reject | disable NAME]",
                "instructions for tasks",
                skills,
                words=WORDS,
            ),
            Command(
                "successor",
                "[ID | yes ID | no ID REASON]",
                "changes of Hermes itself",
                GateCommands().run,
                words=GATE_WORDS,
            ),
            Command("export", "FILE.md|.json", "write it to a file", terminal_history.export),
            Command("stop", "", "stop the running turn", self._stop),
            Command("quit", "", "leave (Ctrl-D)", _quit),
        )
        self.table = {command.name: command for command in table}

    async def run(self, chat: Chat, line: str) -> None:
        """Run a line that starts with a slash."""
        name, _, rest = line[1:].partition(" ")
        command = self.table.get(name)
        marks = chat.view.marks
        await chat.screen.commit("\n" + chat.screen.paint.line(f"{marks.prompt} {line}", "dim"))
        if command is None:
            await chat.screen.say(
                f"there is no /{one_line(name, 30)}; /help lists what there is "
                "(a space before the slash says it to the agent)",
                "warn",
            )
        elif command.idle and chat.view.busy:
            await chat.screen.say(f"a turn runs; /stop it before /{name}", "warn")
        else:
            await command.run(chat, rest.strip())
            await self._turns.refresh()

    def words(self, before: str) -> Iterable[tuple[str, str]]:
        """Completions for what stands before the cursor."""
        name, space, _ = before[1:].partition(" ")
        if not space:
            return [(f"/{command.name}", command.says) for command in self.table.values()]
        command = self.table.get(name)
        return [(word, "") for word in command.words] if command else []

    async def interrupt(self, chat: Chat) -> None:
        """Stop the turn; queued messages go back into the input."""
        chat.draft = "\n".join([*chat.take_back(), *([chat.draft] if chat.draft else [])])
        await self._turns.stop()

    async def _help(self, chat: Chat, _: str) -> None:
        width = max(len(f"/{c.name} {c.arguments}") for c in self.table.values())
        for command in self.table.values():
            await chat.screen.say(
                f"  {f'/{command.name} {command.arguments}':<{width}}  {command.says}"
            )
        await chat.screen.say(
            "  Alt-Enter or a trailing \\ makes a new line; what you type while a turn runs is "
            "queued; Ctrl-C stops the turn and gives the queue back; Up brings back earlier lines",
            "dim",
        )

    async def _stop(self, chat: Chat, _: str) -> None:
        if chat.view.busy:
            await self.interrupt(chat)
        else:
            await chat.screen.say("no turn runs", "dim")


async def _quit(chat: Chat, _: str) -> None:
    chat.done = True
    await anyio.lowlevel.checkpoint()
