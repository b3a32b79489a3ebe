import heapq
import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.mesh import lease
from hermes.mesh.lease_values import (
    Claim,
    Deny,
    Drop,
    Fence,
    Fleet,
    Free,
    Gained,
    Grant,
    Heard,
    Known,
    LeaseMessage,
    Leases,
    Lost,
    Send,
    Store,
    Terms,
    Tick,
    Want,
)
from hermes.mesh.lease_votes import restored
from hermes.mesh.rendezvous import candidate, rank, ranked

NODES = ("a", "b", "c")
TERMS = Terms(lease_ms=5_000)


class Fleetlet:
    """Nodes with clocks of their own, a lossy network, and a record of who held when."""

    def __init__(self, seed, *, nodes=NODES, terms=TERMS, loss=0.0, double=0.0, delay=120):
        self.random = random.Random(seed)
        self.loss, self.double, self.delay = loss, double, delay
        self.terms, self.nodes = terms, nodes
        self.now, self.queue, self.count = 0, [], 0
        self.skew = {node: self.random.randrange(-3_600_000, 3_600_000) for node in nodes}
        self.disk = {node: {} for node in nodes}
        self.state = {}
        self.lives = dict.fromkeys(nodes, 0)
        self.held = []
        self.side = {}
        self.told = []
        for node in nodes:
            self.start(node)

    def clock(self, node):
        return 10_000_000 + self.now + self.skew[node]

    def start(self, node):
        self.lives[node] += 1
        promises = tuple(self.disk[node].values())
        turn = self.lives[node] << 32
        self.state[node] = restored(node, self.terms, promises, self.clock(node), turn=turn)
        self.take(node, Fleet(self.nodes, self.nodes))

    def kill(self, node):
        self.state.pop(node, None)

    def take(self, node, event):
        if node not in self.state:
            return
        self.state[node], actions = lease.step(self.state[node], self.clock(node), event)
        for action in actions:
            if isinstance(action, Store):
                self.disk[node][action.promise.key] = action.promise
            elif isinstance(action, Send):
                self.post(node, action)
            elif isinstance(action, Gained):
                until = action.until - self.skew[node] - 10_000_000
                self.held.append([action.key, action.fence, self.now, until])
            elif isinstance(action, Lost):
                for one in self.held:
                    if one[0] == action.key and one[1].holder == node:
                        one[3] = min(one[3], self.now)
                self.told.append((node, action.why))

    def post(self, node, action):
        copies = 1 + (self.random.random() < self.double)
        for _ in range(copies if self.random.random() >= self.loss else 0):
            self.count += 1
            at = self.now + self.random.randrange(1, self.delay)
            heapq.heappush(self.queue, (at, self.count, node, action.to, action.message))

    def run(self, ms):
        until = self.now + ms
        while self.now < until:
            self.now += 50
            while self.queue and self.queue[0][0] <= self.now:
                _, _, sender, to, message = heapq.heappop(self.queue)
                if self.side.get(sender) == self.side.get(to):
                    self.take(to, Heard(sender, message))
            for node in self.nodes:
                self.take(node, Tick())

    def holders(self, key="k"):
        return {one[1].holder for one in self.held if one[0] == key and one[3] > self.now}


def never_two(held):
    """No two nodes at one time, no two nodes under one epoch."""
    for place, (key, fence, since, until) in enumerate(held):
        for other_key, other, other_since, other_until in held[:place]:
            if key == other_key and fence.holder != other.holder:
                assert fence.epoch != other.epoch
                assert since >= other_until or other_since >= until


steps = st.lists(
    st.tuples(
        st.sampled_from(["want", "drop", "kill", "start", "cut", "heal"]),
        st.sampled_from(NODES),
        st.integers(0, 6_000),
    ),
    max_size=14,
)


def play(fleet, course):
    for what, node, pause in course:
        if what == "want":
            fleet.take(node, Want("k"))
        elif what == "drop":
            fleet.take(node, Drop("k"))
        elif what == "kill":
            fleet.kill(node)
        elif what == "start" and node not in fleet.state:
            fleet.start(node)
        elif what == "cut":
            fleet.side = {node: 1}
        elif what == "heal":
            fleet.side = {}
        fleet.run(pause)


@settings(max_examples=60)
@given(st.integers(0, 10_000), steps)
def test_never_two_valid_leases(seed, course):
    fleet = Fleetlet(seed, loss=0.2, double=0.2, delay=2_500)
    play(fleet, course)
    never_two(fleet.held)


@settings(max_examples=40)
@given(st.integers(0, 10_000), steps)
def test_no_two_leases_with_one_fence_where_each_side_goes_on(seed, course):
    fleet = Fleetlet(
        seed, loss=0.2, double=0.2, delay=800, terms=Terms(lease_ms=5_000, strict=False)
    )
    play(fleet, course)
    fences = {}
    for _, fence, since, until in fleet.held:
        fences.setdefault(fence, []).append((since, until))
    for fence, spans in fences.items():
        assert fence.holder in NODES
        assert all(a <= b for (a, _), (b, _) in itertools.pairwise(spans))


def test_the_check_finds_two():
    with pytest.raises(AssertionError):
        never_two([["k", Fence(1, "a"), 0, 9], ["k", Fence(1, "b"), 20, 29]])
    with pytest.raises(AssertionError):
        never_two([["k", Fence(1, "a"), 0, 9], ["k", Fence(2, "b"), 5, 29]])


def test_one_gets_it_and_keeps_it():
    fleet = Fleetlet(1)
    for node in NODES:
        fleet.take(node, Want("k"))
    fleet.run(30_000)
    assert fleet.holders() == {candidate("k", NODES)}
    assert {one[1] for one in fleet.held} == {Fence(1, candidate("k", NODES))}


@pytest.mark.parametrize("seed", range(8))
def test_another_takes_over_within_lease_and_two_seconds(seed):
    fleet = Fleetlet(seed)
    home, *others = ranked("k", NODES)
    fleet.take(home, Want("k"))
    fleet.run(7_000 + 100 * seed)
    assert fleet.holders() == {home}
    fleet.kill(home)
    for node in others:
        fleet.take(node, Fleet(NODES, tuple(others)))
    died = fleet.now
    fleet.run(TERMS.lease_ms + 2_000)
    gained = [one for one in fleet.held if one[1].holder != home]
    assert gained
    assert gained[0][2] - died <= TERMS.lease_ms + 2_000
    assert gained[0][1].epoch > 1
    fleet.start(home)
    fleet.run(20_000)
    assert fleet.holders() == {gained[0][1].holder}
    never_two(fleet.held)


def test_a_minority_gets_nothing_and_a_dropped_key_moves_at_once():
    fleet = Fleetlet(3)
    home, other, third = ranked("k", NODES)
    fleet.side = {third: 1}
    fleet.take(third, Want("k"))
    fleet.run(4_000)
    assert fleet.held == []
    assert (third, "no majority") in fleet.told
    fleet.side = {}
    fleet.take(home, Want("k"))
    fleet.run(1_000)
    assert fleet.holders() == {home}
    fleet.take(home, Drop("k"))
    fleet.run(1_000)
    fleet.take(other, Want("k"))
    fleet.run(1_500)
    assert fleet.holders() == {other}


def test_each_side_goes_on_and_one_yields_after_the_heal():
    fleet = Fleetlet(4, terms=Terms(lease_ms=5_000, strict=False))
    home, other, third = ranked("k", NODES)
    fleet.take(home, Want("k"))
    fleet.run(2_000)
    fleet.side = {home: 1}
    fleet.take(home, Fleet(NODES, (home,)))
    for node in (other, third):
        fleet.take(node, Fleet(NODES, (other, third)))
    fleet.run(12_000)
    assert fleet.holders() == {home, other}
    fleet.side = {}
    for node in NODES:
        fleet.take(node, Fleet(NODES, NODES))
    fleet.run(8_000)
    assert fleet.holders() == {other}


def test_a_holder_rises_above_what_a_lone_side_has_used_up():
    voters = ("a", "b", "c")
    for strict in (True, False):
        state = Leases("b", Terms(strict=strict))
        state, _ = lease.step(state, 0, Fleet(voters, voters))
        state, _ = lease.step(state, 0, Want("k", "b"))
        turn = state.tenures["k"].turn
        state, actions = lease.step(state, 1, Heard("c", Grant("k", 1, turn)))
        assert any(isinstance(one, Gained) for one in actions)
        state, _ = lease.step(state, 2, Heard("a", Deny("k", turn, 5, "a", 0)))
        _, actions = lease.step(state, 10, Tick())
        claims = [one.message.epoch for one in actions if isinstance(one, Send)]
        assert claims == ([] if strict else [6, 6])


def test_promises_outlive_an_end():
    state, now = restored("a", TERMS, (), 1_000), 1_000
    state, _ = lease.step(state, now, Fleet(NODES, NODES))
    state, (stored, sent, known) = lease.step(state, now, Heard("b", Claim("k", 4, 1, 5_000)))
    assert sent == Send("b", Grant("k", 4, 1))
    assert known == Known("k", Fence(4, "b"), now + 5_500)
    again = restored("a", TERMS, (stored.promise,), now + 5_400)
    again, _ = lease.step(again, now + 5_400, Fleet(NODES, NODES))
    _, (denied,) = lease.step(again, now + 5_600, Heard("c", Claim("k", 5, 1, 5_000)))
    assert denied.message == Deny("k", 1, 4, "b", 5_300)


def test_grants_of_an_earlier_question_do_not_count():
    state, _ = lease.step(restored("a", TERMS, (), 0), 0, Fleet(("a", "b", "c"), ("a",)))
    state, actions = lease.step(state, 0, Want("k"))
    first = next(a.message for a in actions if isinstance(a, Send))
    state, actions = lease.step(state, 600, Tick())
    second = next(a.message for a in actions if isinstance(a, Send))
    assert second.turn > first.turn
    state, actions = lease.step(state, 700, Heard("b", Grant("k", first.epoch, first.turn)))
    assert actions == ()
    _, actions = lease.step(state, 700, Heard("b", Grant("k", second.epoch, second.turn)))
    assert actions == (Gained("k", Fence(1, "a"), 600 + TERMS.lease_ms),)


def test_strangers_have_no_vote():
    state, _ = lease.step(restored("a", TERMS, (), 0), 0, Fleet(NODES, NODES))
    assert lease.step(state, 0, Heard("x", Claim("k", 1, 1, 5_000))) == (state, ())
    state, _ = lease.step(state, 0, Want("k"))
    assert lease.step(state, 0, Heard("x", Free("k", 1))) == (state, ())


def test_a_lone_node_needs_nobody():
    state, _ = lease.step(restored("a", TERMS, (), 0), 0, Fleet(("a",), ("a",)))
    _, actions = lease.step(state, 0, Want("k"))
    assert Gained("k", Fence(1, "a"), TERMS.lease_ms) in actions


@given(st.text(max_size=20), st.sets(st.text("ab1", min_size=1, max_size=3), min_size=2))
def test_a_death_moves_only_what_was_there(key, nodes):
    best, *rest = ranked(key, nodes)
    assert candidate(key, nodes) == best
    assert [rank(key, node, nodes) for node in (best, *rest)] == list(range(len(nodes)))
    for gone in rest:
        assert candidate(key, nodes - {gone}) == best


def test_messages_are_bounded_when_read():
    decoder = msgspec.json.Decoder(LeaseMessage)
    claim = Claim("k", 1, 1, 5_000)
    assert decoder.decode(msgspec.json.encode(claim)) == claim
    for bad in (
        b'{"t":"claim","key":"","epoch":1,"turn":1,"span_ms":1}',
        b'{"t":"free","key":"k"}',
    ):
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(bad)
