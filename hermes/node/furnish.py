"""Puts the parts of the house together on an open store; called once, by `owner`."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import anyio.to_thread
from anyio.abc import TaskGroup

from hermes.config import Settings
from hermes.conversation.approvals import Approvals
from hermes.conversation.bus import Bus
from hermes.conversation.export import around
from hermes.conversation.kit import Kit
from hermes.conversation.shards import Shards
from hermes.core.clock import Clock
from hermes.core.event import Notice
from hermes.core.ids import TurnId
from hermes.core.request import TurnRequest
from hermes.errors import HermesError
from hermes.models.model import Model
from hermes.node.alarms import Alarms
from hermes.node.architecture import Draught, record_architecture
from hermes.node.archive import Archive
from hermes.node.bundles import Bundles, bundles_of
from hermes.node.changing import Changing, House
from hermes.node.chores import Chores
from hermes.node.continuity import Continuity, open_continuity
from hermes.node.desk import Desk
from hermes.node.inquiries import Inquiries
from hermes.node.intake import Intake
from hermes.node.law import Law
from hermes.node.mind import Mind, open_mind
from hermes.node.opening import Opening
from hermes.node.pairing import Doorbell
from hermes.node.proposing import Proposing
from hermes.node.shelf import Shelf
from hermes.node.state import State
from hermes.node.toolbox import find, open_tools
from hermes.scheduler.runner import Scheduler, WallTimer, Work
from hermes.scheduler.tools import scheduler_tools
from hermes.store.store import Store
from hermes.successor.propose import propose_tool
from hermes.telemetry.log import Log
from hermes.tools.more import more_tools
from hermes.tools.registry import Registry
from hermes.tools.router import Router
from hermes.tools.status import status

_RESULT_SHARE = 6  # one result takes about a sixth of the window at most
_RESULT_MOST = 8_000
_RESULT_LEAST = 600
_BYTES_PER_TOKEN = 3


@dataclass(frozen=True)
class Rooms:
    """What the owner runs."""

    desk: Desk
    shards: Shards
    state: State
    scheduler: Scheduler
    warm: Callable[[], Coroutine[None, None, None]]
    continuity: Continuity
    mind: Mind
    draw: Callable[[], Coroutine[None, None, None]]
    store: Store
    alarms: Alarms
    bundles: Bundles
    changing: Changing
    proposing: Proposing


@asynccontextmanager
async def furnish(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    store: Store,
    tasks: TaskGroup,
) -> AsyncGenerator[Rooms]:
    """Build every part and hand each what it needs; closed in the opposite order."""
    found = await anyio.to_thread.run_sync(find, settings, environ)
    bus, log = Bus(), Log(settings.data_dir / "hermes.log")

    async def write_down(where: str, error: BaseException) -> None:
        with suppress(OSError):  # a full disk must not turn a bug into the owner's end
            await anyio.to_thread.run_sync(log.write, clock.now_ms(), where, error)

    def report(where: str, error: BaseException) -> None:
        tasks.start_soon(write_down, where, error)

    def tell(text: str) -> None:
        for loop in shards.busy():
            turn = loop.running.turn_id if loop.running else TurnId("")
            place = loop.session.conversation
            bus.publish(Notice(conversation_id=place, turn_id=turn, at=clock.now_ms(), text=text))

    async with AsyncExitStack() as stack:
        shell, registry = await open_tools(settings, found, stack)
        shelf, alarms = await stack.enter_async_context(Shelf(settings, tell)), Alarms(tell)
        state = State(settings, store, shelf, alarms)
        law = Law(settings)
        mind = await stack.enter_async_context(
            open_mind(settings, store, clock, (bus, shelf, law), report, tasks)
        )
        continuity = await stack.enter_async_context(
            open_continuity(settings, store, clock, alarms, report, tasks)
        )
        for tool in (*mind.tools, status(state.lines)):
            registry.add(tool)
        kit = Kit(
            store=store,
            bus=bus,
            approvals=Approvals(store, bus, clock, settings.limits.approval_s),
            router=lambda request, model: _router(settings, registry, request, model),
            gate=mind.skills.gate,
            models=shelf,
            recollection=mind.recollection,
            opening=Opening(
                registry, mind.recollection, found.soul, found.skins, settings.skin, mind.skills
            ),
            clock=clock,
            limits=settings.limits,
            report=report,
            news=alarms.news,
            compaction=mind.compactor,
            surroundings=lambda: around(settings, registry.specs),
        )
        shards = state.shards = Shards(kit, tasks)
        chores = Chores(
            kit, intake := Intake(shards, kit.approvals), shell, found.programs.bash, found.env
        )
        scheduler = Scheduler(
            store.jobs, WallTimer(), Work(chores.execute, chores.report, chores.failed)
        )
        proposing = Proposing(
            settings, store, clock, continuity.warrants.agent, found.env, (shards, shelf)
        )
        for tool in (
            *scheduler_tools(scheduler, found.zone), propose_tool(proposing), more_tools(registry),
        ):  # fmt: skip
            registry.add(tool)
        inquiries = Inquiries(kit, shards, shelf, law, scheduler, found.skins)
        changing = Changing(
            House(settings, environ, store, clock, continuity.warrants.agent, alarms, report, bus)
        )
        queries = {
            **changing.queries(),
            **Archive(store, shards).queries(),
            **Doorbell(store, clock).queries(),
            **mind.queries,
            **inquiries.queries(),
            **continuity.queries,
            **(bundles := bundles_of(settings, store, clock, continuity.warrants)).queries(),
        }
        await continuity.warrants.look(report)
        model = settings.model or shelf.shipped
        desk = Desk(kit, intake, queries, state.facts, str(settings.data_dir), model)

        async def warm() -> None:
            try:
                await shelf.warm()
            except HermesError as error:  # the first turn says it to the person
                report("warming the model", error)

        draw = partial(
            record_architecture, store, Draught(settings, found.soul, found.skins, registry), report
        )
        yield Rooms(
            desk, shards, state, scheduler, warm, continuity, mind, draw, store, alarms, bundles,
            changing, proposing,
        )  # fmt: skip


def _router(settings: Settings, registry: Registry, _request: TurnRequest, model: Model) -> Router:
    room = model.window * _BYTES_PER_TOKEN // _RESULT_SHARE
    return Router(
        registry,
        limit=settings.limits.parallel_reads,
        result_chars=max(_RESULT_LEAST, min(_RESULT_MOST, room)),
    )
