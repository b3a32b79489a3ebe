import importlib
import itertools
import math
import pkgutil
import sys

import pytest

import hermes.mesh
import hermes.testing.mesh_sim
from hermes.testing.mesh_sim.figures import (
    agreed,
    answered,
    cost,
    delivery,
    quantile,
    seen_ms,
    twice,
    until_agreed,
)
from hermes.testing.mesh_sim.network import Faults, Network
from hermes.testing.mesh_sim.peer import Peer
from hermes.testing.mesh_sim.world import World

HOUR = 3_600_000
MACHINES = ("detector", "gossip", "swarm", "lease", "routing", "outbox", "inbox", "intents")
LIVE = {
    "hermes.node.meshing": ("detector", "gossip", "swarm", "outbox", "inbox"),
    "hermes.node.homes": ("lease", "routing", "intents"),
}
"""What drives the machines in a live node."""


def used_by(module, through="hermes.mesh."):
    """Every module of hermes.mesh that a module of ours reaches by the names it holds.

    `through`: the modules whose own names are followed further.
    """
    found, ahead = set(), [module]
    while ahead:
        one = ahead.pop()
        for value in vars(one).values():
            name = getattr(value, "__name__", "") if isinstance(value, type(sys)) else ""
            name = name or getattr(value, "__module__", None) or ""
            if name.startswith(("hermes.mesh.", through)) and name not in found:
                found.add(name)
                ahead.append(sys.modules[name])
    return found


def simulated():
    names = [one.name for one in pkgutil.iter_modules(hermes.testing.mesh_sim.__path__)]
    modules = [importlib.import_module(f"hermes.testing.mesh_sim.{name}") for name in names]
    return set().union(*map(used_by, modules))


def test_the_simulator_runs_the_machines_of_the_house():
    used = simulated()
    assert {f"hermes.mesh.{name}" for name in MACHINES} <= used
    for name in used:
        assert sys.modules[name].__file__.startswith(hermes.mesh.__path__[0])
    for one in pkgutil.iter_modules(hermes.testing.mesh_sim.__path__):
        module = sys.modules[f"hermes.testing.mesh_sim.{one.name}"]
        steps = [value for name, value in vars(module).items() if name == "step"]
        assert steps == []


@pytest.mark.parametrize("module", LIVE)
def test_the_live_node_runs_the_same(module):
    live = used_by(importlib.import_module(module), "hermes.node.")
    assert {f"hermes.mesh.{name}" for name in LIVE[module]} <= live & simulated()


def test_every_machine_has_a_live_driver():
    assert sorted(MACHINES) == sorted(name for names in LIVE.values() for name in names)


def happened(seed):
    world = World(seed, 20, fleet=4)
    world.churn(0.2, 40_000)
    world.publish_often(5_000, 40_000)
    world.say_often(4_000, 40_000, 60_000)
    world.run(40_000)
    traffic = world.network.traffic
    return traffic.messages, traffic.size, world.items, world.sink.effects, world.sink.held


def test_one_seed_one_course():
    assert happened(1) == happened(1)
    assert happened(1) != happened(2)


def test_the_network_does_what_its_faults_say():
    network, heard = Network(1, Faults(loss=0.2, duplicate=0.1), 0), []
    network.attach("b", lambda sender, message: heard.append((sender, message)))
    for number in range(2_000):
        network.send("a", "b", number)
    network.run(10_000)
    assert 0.75 < len({number for _, number in heard}) / 2_000 < 0.85
    assert 150 < len(heard) - len(set(heard)) < 250
    assert [number for _, number in heard] != sorted(number for _, number in heard)
    network.cut(["a"], ["b"])
    before = len(heard)
    for number in range(100):
        network.send("a", "b", number)
    network.run(20_000)
    assert len(heard) == before
    assert network.traffic.messages["a"] == 2_100


def test_strangers_meet_through_one():
    network = Network(7, Faults(loss=0.05), 1_760_000_000_000)
    names = [f"{place:02}" for place in range(20)]
    peers = {one: Peer(one, network, lambda *_: None, lambda *_: None) for one in names}
    for one, peer in peers.items():
        network.attach(one, peer.arrived)
        peer.start((names[0],))
    network.run(network.now + 60_000)
    for peer in peers.values():
        assert peer.swarm.members.alive == tuple(names)
        assert all(member.card for member in peer.swarm.members.table.values())


def test_a_churning_mesh():
    world = World(1, 40, fleet=5)
    world.churn(0.1, 90_000)
    world.publish_often(2_000, 60_000)
    world.say_often(1_500, 60_000, 120_000)
    world.run(180_000)
    assert delivery(world).share >= 0.999
    assert delivery(world).pairs > 1_000
    assert max(seen_ms(world)) <= 45_000
    assert world.wrongly_dead == 0
    assert (twice(world), answered(world)) == (0, 1.0)
    assert len(world.sink.effects) + len(world.sink.interrupted) >= len(world.said)
    assert len(world.sink.effects) >= 0.9 * len(world.said)


def test_a_third_vanishes():
    world = World(2, 60)
    world.run(5_000)
    for name in world.random.sample(world.names, 18):
        world.kill(name)
    world.publish_often(500, 8_000)
    world.run(80_000)
    assert delivery(world).share >= 0.99
    assert max(seen_ms(world)) <= 45_000
    assert agreed(world) == 1.0


def test_a_partition_heals():
    world = World(3, 40, fleet=4)
    world.run(5_000)
    assert agreed(world) == 1.0
    world.network.cut(list(world.names[::2]), list(world.names[1::2]))
    world.run(90_000)
    assert agreed(world) == 0.5
    world.say_often(2_000, 20_000, 120_000)
    world.run(20_000)
    world.network.cut()
    assert until_agreed(world, 60_000) <= 60_000
    world.run(60_000)
    assert (twice(world), answered(world)) == (0, 1.0)


def test_without_time_to_see_nobody_is_seen():
    world = World(4, 10)
    world.kill(world.names[0])
    world.run(1_000)
    assert seen_ms(world) == []
    assert math.isnan(quantile([], 0.99))
    world.run(60_000)
    assert len(seen_ms(world)) == 9


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_holders_never_overlap(seed):
    world = World(seed, 10, fleet=5, faults=Faults(loss=0.1, duplicate=0.1))
    world.churn(0.6, 120_000, back_ms=15_000)
    world.say_often(500, 120_000, 120_000)
    world.run(240_000)
    assert twice(world) == 0
    spans = {}
    for key, fence, since, until in world.sink.held:
        spans.setdefault(key, {}).setdefault(fence, []).append((since, until))
    for fences in spans.values():
        assert len({fence.epoch for fence in fences}) == len(fences)
        for one, other in itertools.pairwise(sorted(fences)):
            if one.holder != other.holder:
                assert max(until for _, until in fences[one]) <= min(s for s, _ in fences[other])
    assert max(len(fences) for fences in spans.values()) > 1
    assert cost(world, 240_000).messages > 0


@pytest.mark.parametrize("seed", [1, 4, 6, 9])
def test_clocks_that_are_set_double_nothing(seed):
    """By an hour, either way, in mid-turn and in mid-lease, and back again."""
    world = World(seed, 10, fleet=5)
    world.say_often(400, 120_000, 10 * HOUR)
    for at in range(7_000, 120_000, 9_000):
        resident = world.residents[world.random.choice(world.names)]
        by = world.random.choice((-HOUR, HOUR))
        world.network.at(world.network.now + at, resident.leap, by)
        world.network.at(world.network.now + at + 4_000, resident.leap, -by)
    world.run(240_000)
    assert (twice(world), answered(world)) == (0, 1.0)
    assert len(world.sink.effects) + len(world.sink.interrupted) >= len(world.said)
    assert len(world.sink.effects) >= 0.9 * len(world.said)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_hundred_nodes():
    world = World(6, 300, fleet=5)
    world.churn(0.05, 180_000)
    world.publish_often(3_000, 150_000)
    world.say_often(1_000, 120_000, 120_000)
    world.run(240_000)
    assert delivery(world).share >= 0.999
    assert delivery(world).p99_ms < 2_000
    assert quantile(seen_ms(world), 0.99) <= 45_000
    assert (twice(world), answered(world)) == (0, 1.0)
    assert cost(world, 240_000).mean_kb < 500
    world.network.cut(list(world.names[::2]), list(world.names[1::2]))
    world.run(600_000)
    world.network.cut()
    assert until_agreed(world, 60_000) <= 60_000
