"""The parts that remember, put together: recall, skills, compaction and the background work."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio.abc import TaskGroup

from hermes.config import Settings
from hermes.conversation.bus import Bus
from hermes.core.clock import Clock
from hermes.core.tool import Tool
from hermes.memory.compaction import Compactor
from hermes.memory.dreamer import Dreamer
from hermes.memory.historian import Historian
from hermes.memory.project import project_hash
from hermes.memory.recall import Recaller
from hermes.memory.skills.catalog import Catalog
from hermes.memory.summary import Summariser
from hermes.node.desk import Query
from hermes.node.dreams import Dreams
from hermes.node.law import Law
from hermes.node.likeness import open_likeness
from hermes.node.memories import Memories, Notebook
from hermes.node.recollection import Recollection
from hermes.node.remembering import Remembering, Shift
from hermes.node.shelf import Shelf
from hermes.node.sideline import Sideline
from hermes.node.skills import Skills
from hermes.store.store import Store
from hermes.tools.recall import memory_tools, session_search
from hermes.tools.skill import skill_tool

_HISTORIAN_S = 60.0
_HOUR_S = 3_600.0


@dataclass(frozen=True)
class Mind:
    """What one owner knows, and what works on it."""

    recollection: Recollection
    skills: Skills
    compactor: Compactor
    remembering: Remembering
    tools: tuple[Tool, ...]
    queries: Mapping[str, Query]


@asynccontextmanager
async def open_mind(
    settings: Settings,
    store: Store,
    clock: Clock,
    around: tuple[Bus, Shelf, Law],
    report: Callable[[str, BaseException], None],
    tasks: TaskGroup,
) -> AsyncGenerator[Mind]:
    """Build them; `around`: the bus that tells when to give way, the models, the policy."""
    (bus, shelf, law), wanted = around, settings.memory
    async with open_likeness(settings, store, clock, report, tasks) as likeness:
        recaller = Recaller(store, clock, likeness)
        skills = Skills(Catalog(store.skills, settings.config_dir / "skills"), law)
        summariser = Summariser(wanted.summaries, bus, shelf.shares)
        compactor = Compactor(
            store.views, store.turns.typed, summariser, report, enabled=wanted.compaction
        )
        tasks.start_soon(compactor.run)
        aside = Sideline(settings, bus, shelf.beside, report)
        historian = Historian(store, clock, aside, wanted.idle_minutes)
        dreamer = Dreamer(store, clock, aside, settings)
        shifts = (
            Shift(historian, _HISTORIAN_S, wanted.historian),
            Shift(dreamer, wanted.dream_hours * _HOUR_S, wanted.dreamer),
        )
        remembering = Remembering(shifts, store.chores, bus, clock, report)
        yield Mind(
            recollection=Recollection(store, recaller, wanted, tasks, report),
            skills=skills,
            compactor=compactor,
            remembering=remembering,
            tools=(
                *memory_tools(Notebook(store, recaller), project_hash),
                session_search(store.search),
                skill_tool(skills),
            ),
            queries={
                **Memories(store, recaller, wanted.recall_least).queries(),
                **skills.queries(),
                **Dreams(store.drafts, skills.catalog).queries(),
                **remembering.queries(),
            },
        )
