"""What a node may do with few others there, checked against partitions in any order."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hermes.mesh import intents
from hermes.mesh.quorum import Way, is_quorate, majority, may_begin, quorum, way, would_know

FIVE = ("a", "b", "c", "d", "e")
FLEETS = st.integers(1, 6).map(lambda count: tuple("abcdef"[:count]))


@given(FLEETS, st.data())
def test_two_majorities_always_meet(voters, data):
    sides = st.sets(st.sampled_from(voters), min_size=majority(voters))
    assert data.draw(sides) & data.draw(sides)


def test_a_side_without_a_majority_agrees_among_itself_unless_strict():
    assert quorum("a", FIVE, ("b",), strict=True) == 3
    assert quorum("a", FIVE, ("b",), strict=False) == 2
    assert quorum("a", FIVE, ("b", "c", "d"), strict=False) == 3
    assert not is_quorate("a", FIVE, ("b",))
    assert not is_quorate("a", FIVE, ("b", "stranger"))


def test_half_of_all_would_know():
    assert would_know("a", "ab", ())
    assert not would_know("a", "abc", ())
    assert would_know("a", "abcd", ("b",))


class World:
    """One parcel, its origin `a`; who has a copy of it, who noted it, who began it."""

    def __init__(self, voters):
        self.voters = voters
        self.copies = {"a": False}
        self.forwarded, self.alone = "", False
        self.noted = set()
        self.began = []
        self.lost = False

    def send(self, side, to):
        """The origin, in a side, takes `to` for home."""
        if "a" not in side or to not in side or to == "a" or "a" in self.began:
            return
        how = way(
            to,
            forwarded=self.forwarded,
            alone=self.alone,
            quorate=is_quorate("a", self.voters, side),
        )
        if how in {Way.SEND, Way.ALONE}:
            self.forwarded, self.alone = to, how is Way.ALONE
            self.copies.setdefault(to, self.alone)
        if how is Way.AGAIN:
            self.copies.setdefault(to, self.alone)

    def pass_on(self, side, giver, to):
        """A node that is not home passes its copy on."""
        plain = giver in self.copies and giver != "a" and not self.copies[giver]
        if plain and to != "a" and {giver, to} <= side and giver not in self.began:
            self.copies.setdefault(to, False)

    def begin(self, side, home, asked, told):
        """A node is home of a side: of those it asks it hears what was noted, then it notes."""
        if home not in self.copies or home not in side or home in self.began:
            return
        alone = self.alone if home == "a" else self.copies[home]
        given_to = self.forwarded if home == "a" else ""
        if not may_begin(home, self.voters, side, origin="a", forwarded=given_to, alone=alone):
            return
        if is_quorate(home, self.voters, side):
            asked = self._enough(side, home, asked)
            told = self._enough(side, home, told)
        else:
            asked = told = side
        if self.noted & asked:
            return  # begun: its outcome is asked for
        self.noted |= told
        self.began.append(home)

    def _enough(self, side, home, wanted):
        """Any majority of the side with the home in it: the wanted ones first."""
        order = [home, *sorted(wanted & side - {home}), *sorted(side - wanted - {home})]
        return set(order[: majority(self.voters)])


def steps(voters):
    sides = st.sets(st.sampled_from(voters), min_size=1)
    one = st.sampled_from(voters)
    return st.lists(
        st.one_of(
            st.tuples(st.just("send"), sides, one),
            st.tuples(st.just("pass_on"), sides, one, one),
            st.tuples(st.just("begin"), sides, one, sides, sides),
        ),
        max_size=12,
    )


@settings(max_examples=200)
@given(FLEETS.flatmap(lambda voters: st.tuples(st.just(voters), steps(voters))))
@example(
    (
        FIVE,
        [
            ("send", {"a", "b"}, "b"),
            ("begin", {"a", "b"}, "b", {"b"}, {"b"}),
            ("begin", {"a", "c", "d"}, "a", {"c", "d"}, {"c", "d"}),
        ],
    )
)
@example(
    (
        FIVE,
        [
            ("send", {"a", "c", "d"}, "c"),
            ("send", {"a", "b"}, "b"),
            ("begin", {"a", "b"}, "b", {"b"}, {"b"}),
            ("begin", {"c", "d", "e"}, "c", {"d"}, {"d"}),
        ],
    )
)
def test_no_order_of_partitions_lets_two_begin_the_same(told):
    voters, course = told
    world = World(voters)
    for name, *arguments in course:
        getattr(world, name)(*arguments)
    assert len(world.began) <= 1, course


@given(FLEETS, st.data())
def test_with_all_there_or_alone_its_origin_may_begin(voters, data):
    live = data.draw(st.sets(st.sampled_from(voters)))
    assert may_begin("a", voters, live, origin="a", forwarded="", alone=False)
    assert way("b", forwarded="", alone=False, quorate=bool(live)) is not Way.NEVER


def test_intents_without_a_majority_ask_all_who_are_there():
    state = intents.Intents("a", strict=False)
    state, _ = intents.step(state, 0, intents.Fleet(("a", "b", "c", "d"), ("a", "b")))
    state, actions = intents.step(state, 0, intents.Began("talk", 3))
    assert not [one for one in actions if isinstance(one, intents.Ready)]
    recalled = intents.Recalled("talk", 3, ("old",))
    state, actions = intents.step(state, 1, intents.Heard("b", recalled))
    assert intents.Ready("talk", 3) in actions
    # Too few noted it for a majority, but a side without one begins with fewer.
    state, actions = intents.step(state, 2, intents.Propose("talk", 3, "old"))
    assert actions == (intents.Already("talk", "old"),)
    state, actions = intents.step(state, 2, intents.Propose("talk", 3, "new"))
    assert not [one for one in actions if isinstance(one, intents.Go)]
    _, actions = intents.step(state, 3, intents.Heard("b", intents.Noted("talk", 3, "new")))
    assert intents.Go("talk", "new") in actions


def test_intents_of_one_that_is_alone_need_nobody():
    state = intents.Intents("a", strict=False)
    state, _ = intents.step(state, 0, intents.Fleet(("a", "b"), ("a",)))
    state, actions = intents.step(state, 0, intents.Began("talk", 1))
    assert intents.Ready("talk", 1) in actions
    _, actions = intents.step(state, 0, intents.Propose("talk", 1, "turn"))
    assert intents.Go("talk", "turn") in actions
