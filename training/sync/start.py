"""A worker, or the hub, from options: what `hermes train sync` calls.

Everything that a run needs is built here: model, batches, transport, the way of training. Under
torchrun each process calls `work`; all but rank 0 only follow.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
import torch
from torch import Tensor

from hermes.errors import SyncRefused
from training.dataset import Batches, Shard
from training.device import bf16_pays, lower_precision, pick_device
from training.export import export
from training.gguf_weights import load_gguf
from training.model import Model, loss_of
from training.schedule import Rate
from training.sizes import sized
from training.sync.directory import Directory
from training.sync.group import Group, enter_group, follow, leave_group
from training.sync.hub import Address, Hub
from training.sync.inner import Inner, Steps
from training.sync.round import Report, Rounds, Trained, Worker
from training.sync.sockets import Sockets
from training.sync.state import largest_state
from training.sync.transport import Transport

MODEL = "model.gguf"

Meet = Callable[[int], AbstractAsyncContextManager[Transport]]


@dataclass(frozen=True)
class Options:
    """What one worker is to do.

    Args:
        shard: this worker's conversations, as `write_shard` left them.
        place: a directory; or `unix:PATH` or `HOST:PORT` of a hub; not looked at with `meet`.
        worker: this worker's name.
        out: a directory for the model that the run ends with.
        rounds: the dials of the run; `outer` and `guard` alike for all workers.
        origin: the GGUF to go on from; without it a fresh model of `size`.
        token: what the hub knows this worker by.
        inner_steps: steps between two rounds.
        inner_seconds: a slow worker sends what it has after this long; 0: no limit.
        rate: peak learning rate; 0: that of `size`, a third of it with `origin`.
        length: tokens of a row. rows: rows of a step.
        meet: opens the way to the others, given the most bytes of a state: a run over the mesh.
    """

    shard: Path
    place: str
    worker: str
    out: Path
    rounds: Rounds = field(default_factory=lambda: Rounds(20, 2))
    origin: Path | None = None
    size: str = "6m"
    token: str = ""
    inner_steps: int = 50
    inner_seconds: float = 0.0
    rate: float = 0.0
    length: int = 256
    rows: int = 12
    seed: int = 1
    device: str = ""
    meet: Meet | None = None


async def work(options: Options) -> Report:
    """Take part in a run to its end, and write the model; followers of a group report nothing."""
    rank, ranks = enter_group()
    try:
        shard = await anyio.to_thread.run_sync(Shard, options.shard)
        model = await anyio.to_thread.run_sync(_model, options, shard)
        # Aside, too: torch's first optimizer imports its compiler, for seconds.
        loss, steps = _loss(options, model, shard, rank, ranks), _steps(options)
        inner = await anyio.to_thread.run_sync(Inner, model, loss, steps)
        if rank:
            await anyio.to_thread.run_sync(follow, inner)
            return Report()
        if ranks == 1:
            report = await _take_part(options, inner, model)
        else:
            with Group(inner) as group:
                report = await _take_part(options, group, model)
        options.out.mkdir(parents=True, exist_ok=True)
        target = options.out / MODEL
        await anyio.to_thread.run_sync(export, model, shard.tokenizer, target)
        return report
    finally:
        leave_group()


async def serve(
    rounds: Path,
    tokens: Mapping[str, str],
    place: str,
    parameters: int,
    *,
    ready: Callable[[Address], None] = lambda _: None,
) -> None:
    """Be the hub until cancelled; `parameters` of the model bound what workers may send."""
    directory = Directory(rounds, largest_state(parameters))
    async with Hub(directory, tokens, address_of(place)) as hub:
        ready(hub.address)
        await anyio.sleep_forever()


def address_of(place: str) -> Address:
    """The hub's address in `unix:PATH` or `HOST:PORT`."""
    if place.startswith("unix:"):
        return Path(place.removeprefix("unix:"))
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        raise SyncRefused(f"{place!r} is no hub's address", "write HOST:PORT or unix:PATH")
    return host, int(port)


def transport_of(options: Options, parameters: int) -> Transport:
    """The way to the place where this run meets."""
    place = options.place
    if place.startswith("unix:") or (":" in place and place.rpartition(":")[2].isdecimal()):
        return Sockets(address_of(place), options.worker, options.token)
    return Directory(Path(place), largest_state(parameters))


async def _take_part(options: Options, trained: Trained, model: Model) -> Report:
    parameters = model.shape.parameters()
    if options.meet is None:
        transport = transport_of(options, parameters)
        return await Worker(options.worker, trained, transport, options.rounds).run()
    async with options.meet(largest_state(parameters)) as transport:
        return await Worker(options.worker, trained, transport, options.rounds).run()


def _model(options: Options, shard: Shard) -> Model:
    torch.manual_seed(options.seed)
    if options.origin:
        model = load_gguf(options.origin, shard.tokenizer)
    else:
        size = sized(options.size, len(shard.tokenizer))
        model = Model(size.shape, checkpointing=size.checkpointing)
    return model.to(pick_device(options.device)).train()


def _steps(options: Options) -> Steps:
    peak = options.rate or sized(options.size, 1).rate / (3 if options.origin else 1)
    total = options.rounds.count * options.inner_steps
    rate = Rate(peak, warmup=min(80, math.ceil(total / 20)), decay=0.5)
    return Steps(
        options.inner_steps, lambda step: rate.at(step, step / total), options.inner_seconds
    )


def _loss(
    options: Options, model: Model, shard: Shard, rank: int, ranks: int
) -> Callable[[int], Tensor]:
    device = next(model.parameters()).device
    batches = Batches(shard, options.length, options.rows, options.seed)
    low = bf16_pays(model, max(1, options.rows // 4), options.length)

    def loss(step: int) -> Tensor:
        batch = batches.batch(step * ranks + rank)
        targets = torch.from_numpy(batch.targets).to(device)
        with lower_precision(device, on=low):
            hidden = model.hidden(torch.from_numpy(batch.tokens).to(device))
            return loss_of(hidden, model.head, targets)

    return loss
