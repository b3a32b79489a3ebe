"""Remember, Recall and SessionSearch, over whatever keeps memories and messages."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import anyio.to_thread
import msgspec

from hermes.core.clock import rfc3339
from hermes.core.tool import Outcome, Subject, Tool, ToolContext
from hermes.errors import ToolFailure
from hermes.load import load
from hermes.tools.plain import listing

MAX_MEMORY = 4_000
RECALLED = 10
FOUND = 20


class Remembered(Protocol):
    """One memory."""

    @property
    def content(self) -> str:
        """What is known."""
        ...


class Memories(Protocol):
    """Keeps memories by project (`hermes.store.memory.ProjectMemory`)."""

    async def add(
        self,
        project_hash: str,
        memory_type: Literal["decision"],
        content: str,
        source_session_id: str,
    ) -> int:
        """Keep one; returns its id."""
        ...

    async def recall(self, project_hash: str, query: str, limit: int) -> Sequence[Remembered]:
        """Find some, the most telling first."""
        ...


class Hit(Protocol):
    """A message that was found."""

    @property
    def role(self) -> str:
        """Who said it."""
        ...

    @property
    def at(self) -> int:
        """When, in ms UTC."""
        ...

    @property
    def snippet(self) -> str:
        """The words around the match."""
        ...


class MessageSearch(Protocol):
    """Finds messages (`hermes.store.search.Search`)."""

    async def messages(self, query: str, *, limit: int) -> Sequence[Hit]:
        """Find some, newest first."""
        ...


class Remember(msgspec.Struct, frozen=True):
    """Arguments of Remember."""

    content: str


class Recall(msgspec.Struct, frozen=True):
    """Arguments of Recall."""

    query: str


class SessionSearch(msgspec.Struct, frozen=True):
    """Arguments of SessionSearch."""

    query: str


def memory_tools(memories: Memories, project: Callable[[Path], str]) -> tuple[Tool, Tool]:
    """Remember and Recall; `project` names the project of a root directory."""

    async def remember(context: ToolContext, args: Remember) -> Outcome:
        content = args.content.strip()
        if not content or len(content) > MAX_MEMORY:
            raise ToolFailure(f"content: 1 to {MAX_MEMORY} characters")
        if kind := await anyio.to_thread.run_sync(_secret_in, content):
            raise ToolFailure(
                f"not kept: it holds a secret ({kind}); say where it is stored instead"
            )
        name = await anyio.to_thread.run_sync(project, context.place.root)
        await memories.add(name, "decision", content, context.session)
        return Outcome("remembered")

    async def recall(context: ToolContext, args: Recall) -> Outcome:
        name = await anyio.to_thread.run_sync(project, context.place.root)
        found = await memories.recall(name, args.query, RECALLED)
        return listing([" ".join(memory.content.split()) for memory in found], context.result_chars)

    return (
        Tool(
            name="Remember",
            description="Keep a fact for later sessions.",
            arguments=Remember,
            effect="write",
            subject=lambda args: Subject("text", args.content),
            run=remember,
        ),
        Tool(
            name="Recall",
            description="Look up remembered facts.",
            arguments=Recall,
            effect="read",
            subject=lambda args: Subject("text", args.query),
            run=recall,
        ),
    )


def _secret_in(text: str) -> str:
    kind: str = load("secrets").secret_in(text)
    return kind


def session_search(search: MessageSearch) -> Tool:
    """SessionSearch, over every conversation of the store."""

    async def run(context: ToolContext, args: SessionSearch) -> Outcome:
        hits = await search.messages(args.query, limit=FOUND)
        lines = [
            f"{rfc3339(hit.at)[:10]} {hit.role}: {' '.join(hit.snippet.split())}" for hit in hits
        ]
        return listing(lines, context.result_chars)

    return Tool(
        name="SessionSearch",
        description="Search earlier conversations.",
        arguments=SessionSearch,
        effect="read",
        subject=lambda args: Subject("text", args.query),
        run=run,
        core=False,
    )
