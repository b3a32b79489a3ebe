"""A thousand nodes on one machine: the live node's state machines over a made-up network.

Hops of 50 ms (log-normal), 1 % lost, 0.5 % doubled; virtual time, so the machine's load changes
nothing but how long it takes. Failure: held for dead by one who was there throughout; traffic is
what a node sends, as JSON, and inside its two wraps.
"""

import gc
import time
from collections.abc import Iterator

from benchmarks import Row, at_least, at_most, told
from hermes.testing.mesh_sim.figures import (
    answered,
    cost,
    delivery,
    quantile,
    seen_ms,
    twice,
    until_agreed,
)
from hermes.testing.mesh_sim.world import World

COUNT, QUICK = 1_000, 200
MOST_KB = 500


def quiet(count: int) -> Iterator[Row]:
    """Nothing happens: what being there costs."""
    world = World(1, count)
    world.run(60_000)
    spent = cost(world, 60_000)
    yield told(f"mesh of {count}, quiet: sent a node and minute", spent.mean_kb, "kB")
    yield told(f"mesh of {count}, quiet: messages a node and minute", spent.messages, "")


def churn(count: int, ms: int) -> Iterator[Row]:
    """Five in a hundred die each minute and come back a minute later; fleets of five talk."""
    world, name = World(2, count, fleet=5), f"mesh of {count}, churn 5 %/min"
    world.churn(0.05, ms)
    world.publish_often(3_000, ms - 30_000)
    world.say_often(500, ms - 30_000, 120_000)
    world.run(ms)
    spent = cost(world, ms)
    world.run(90_000)
    got, seen = delivery(world), seen_ms(world)
    yield at_least(f"{name}: delivered", 100 * got.share, "%", 99.9)
    yield at_most(f"{name}: spread p99", got.p99_ms / 1000, "s", 2)
    yield at_most(f"{name}: failure seen p99", quantile(seen, 0.99) / 1000, "s", 45)
    yield told(f"{name}: failure seen, median", quantile(seen, 0.5) / 1000, "s")
    yield at_most(f"{name}: wrongly held for dead", world.wrongly_dead, "", 0)
    yield at_most(f"{name}: duplicate effects", twice(world), "", 0)
    yield at_least(f"{name}: messages answered", 100 * answered(world), "%", 100)
    yield told(f"{name}: shown as interrupted", len(world.sink.interrupted), "")
    yield at_most(f"{name}: sent a node and minute", spent.mean_kb, "kB", MOST_KB)
    yield told(f"{name}: the same, of the busiest node", spent.most_kb, "kB")
    yield told(f"{name}: the same, sealed", spent.sealed_kb, "kB")
    yield told(f"{name}: messages a node and minute", spent.messages, "")


def vanish(count: int) -> Iterator[Row]:
    """Thirty in a hundred go at once; what is said before anybody has noticed."""
    world, name = World(3, count), f"mesh of {count}, 30 % vanish"
    world.run(5_000)
    for one in world.random.sample(world.names, int(0.3 * count)):
        world.kill(one)
    world.publish_often(500, 8_000)
    world.run(70_000)
    got, seen = delivery(world), seen_ms(world)
    yield at_least(f"{name}: delivered", 100 * got.share, "%", 99)
    yield at_most(f"{name}: spread p99", got.p99_ms / 1000, "s", 2)
    yield at_most(f"{name}: failure seen p99", quantile(seen, 0.99) / 1000, "s", 45)


def partition(count: int, ms: int) -> Iterator[Row]:
    """Two halves for ten minutes; until everybody holds everybody for alive again."""
    world = World(4, count)
    world.run(5_000)
    world.network.cut(list(world.names[::2]), list(world.names[1::2]))
    world.run(ms)
    world.network.cut()
    took = until_agreed(world, 120_000)
    name = f"mesh of {count}, parted {ms // 1000} s"
    yield at_most(f"{name}: until all agree", took / 1000, "s", 60)


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """All four, one after another."""
    count = QUICK if quick else COUNT
    gc.disable()  # frozen values make no cycles: the collector would walk millions for nothing
    start, rows = time.process_time(), []
    for part in (quiet(count), churn(count, 120_000), vanish(count), partition(count, 600_000)):
        rows += part
        gc.collect()  # a world that is done with
    took = time.process_time() - start
    return [*rows, told(f"mesh of {count}: CPU for all of it", took, "s")]
