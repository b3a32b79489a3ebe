"""Who is counted on: also those who were members when a turn was noted."""

from hermes.mesh.lease_values import Leases
from hermes.mesh.members import Member, Standing
from hermes.node.home_circle import Circle
from hermes.node.home_letters import TTL_MS
from hermes.store.homes import ParcelRow


class Fleet:
    """What a circle asks: the others, how they stand, the time."""

    def __init__(self, *others):
        self.others = others
        self.alive = set(others)
        self.now = 1_000_000

    def now_ms(self):
        return self.now

    def member(self, node):
        return Member(1, Standing.ALIVE if node in self.alive else Standing.DEAD, 0)


def row(forwarded):
    return ParcelRow("t", "c", "a", "", b"", 0, forwarded=forwarded)


def test_a_majority_of_who_is_left_goes_on():
    fleet = Fleet("b", "c", "d")
    circle = Circle("a", fleet, fleet.member, fleet)
    circle.missed(Leases("a"))
    fleet.alive, fleet.others = {"b"}, ("b",)
    circle.missed(Leases("a"))
    assert circle.may_begin(row("")._replace(origin="b"))


def test_who_is_let_go_may_still_have_noted_what_a_home_began():
    fleet = Fleet("b", "c")
    circle = Circle("a", fleet, fleet.member, fleet)
    circle.missed(Leases("a"))
    assert circle.may_begin(row("b"))
    # b began it, noted by b and c; b dies, and c is let go: nobody is left who could tell.
    fleet.alive, fleet.others = set(), ("b",)
    circle.missed(Leases("a"))
    assert not circle.may_begin(row("b"))
    assert circle.may_begin(row(""))
    fleet.now += 2 * TTL_MS + 1
    circle.missed(Leases("a"))
    assert circle.may_begin(row("b"))  # of a fleet of two each knows what was noted


def test_who_spoke_a_moment_ago_may_tell_though_it_is_doubted():
    fleet = Fleet("b", "c")
    circle = Circle("a", fleet, fleet.member, fleet)
    fleet.now += 10_000
    fleet.alive = {"c"}
    assert not circle.may_tell("b")
    circle.heard("b")
    assert circle.may_tell("b")
    fleet.now += 4_000
    assert not circle.may_tell("b")
    assert not circle.may_tell("")


def test_after_a_cut_those_who_come_back_last_are_waited_for():
    fleet = Fleet("b", "c")
    circle = Circle("a", fleet, fleet.member, fleet)
    fleet.now += 10_000
    for there in (set(), {"c"}):
        fleet.alive = there
        assert circle.may_tell("b")
        circle.missed(Leases("a"))
        assert circle.may_tell("b")
    fleet.now += 20_000
    assert not circle.may_tell("b")
