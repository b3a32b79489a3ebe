import random

from hypothesis import example, given
from hypothesis import strategies as st

from hermes.mesh import intents
from hermes.mesh.intents import (
    KEPT,
    Already,
    Began,
    Book,
    Ended,
    Go,
    Heard,
    Intents,
    Note,
    Noted,
    Propose,
    Ready,
    Recall,
    Recalled,
    Send,
    Store,
    Tick,
)

FLEET = ("a", "b", "c")


def answers(state, *messages):
    found = []
    for sender, message in messages:
        state, actions = intents.step(state, 0, Heard(sender, message))
        found += actions
    return state, found


def ready(me="a", epoch=1, **books):
    state, _ = intents.step(Intents(me, FLEET, books), 0, Began("k", epoch))
    state, found = answers(state, ("b", Recalled("k", epoch)))
    assert Ready("k", epoch) in found
    return state


def test_a_home_works_once_most_have_noted():
    state, actions = intents.step(ready(), 0, Propose("k", 1, "x"))
    assert actions[0] == Store("k", Book(1, {"x": 1}))
    assert [one.to for one in actions[1:]] == ["b", "c"]
    assert intents.step(state, 0, Propose("k", 1, "x"))[1] == ()
    state, actions = answers(state, ("b", Noted("k", 1, "x")), ("c", Noted("k", 1, "x")))
    assert actions == [Go("k", "x")]
    assert intents.step(state, 0, Propose("k", 1, "x"))[1] == (Already("k", "x"),)


def test_nothing_is_done_before_the_recall_nor_after_the_end():
    state, _ = intents.step(Intents("a", FLEET), 0, Began("k", 1))
    assert intents.step(state, 0, Propose("k", 1, "x")) == (state, ())
    state, _ = intents.step(ready(), 0, Propose("k", 1, "x"))
    state, _ = intents.step(state, 0, Ended("k"))
    assert answers(state, ("b", Noted("k", 1, "x")))[1] == []
    assert intents.step(state, 0, Propose("k", 1, "y"))[1] == ()
    assert intents.due(state) is None


def test_a_recall_keeps_what_most_may_have_noted_and_drops_the_rest():
    mine = Book(1, {"only here": 1})
    state, _ = intents.step(Intents("a", FLEET, {"k": mine}), 0, Began("k", 2))
    state, found = answers(state, ("b", Recalled("k", 2, ("theirs",))))
    assert found == []
    # While c has not answered, either may stand there, too.
    late, found = intents.step(state, intents.due(state), Tick())
    assert found[-1] == Ready("k", 2)
    assert set(late.books["k"].ids) == {"only here", "theirs"}
    state, found = answers(state, ("c", Recalled("k", 2, ("theirs",))))
    assert found[-1] == Ready("k", 2)
    assert set(state.books["k"].ids) == {"theirs"}


def test_a_lone_home_knows_its_own():
    state = Intents("a", ("a",), {"k": Book(1, {"x": 1})})
    state, actions = intents.step(state, 0, Began("k", 2))
    assert actions[-1] == Ready("k", 2)
    assert intents.step(state, 0, Propose("k", 2, "x"))[1] == (Already("k", "x"),)
    assert Go("k", "y") in intents.step(state, 0, Propose("k", 2, "y"))[1]


def test_an_older_home_is_not_heard():
    state, _ = answers(Intents("c", FLEET), ("b", Recall("k", 4)))
    state, actions = answers(state, ("a", Note("k", 3, "x")), ("a", Recall("k", 3)))
    assert actions == []
    _, actions = answers(state, ("x", Recall("k", 9)))
    assert actions == []


def test_who_was_silent_is_asked_again():
    state, _ = intents.step(Intents("a", FLEET), 0, Began("k", 1))
    _, actions = intents.step(state, intents.due(state), Tick())
    assert [one.to for one in actions] == ["b", "c"]


def test_books_are_bounded():
    state = Intents("c", FLEET, {"k": Book(1, {str(number): 1 for number in range(KEPT)})})
    state, _ = answers(state, ("a", Note("k", 1, "x")))
    assert len(state.books["k"].ids) == KEPT
    assert "x" in state.books["k"].ids


def lived(seed, course, fleet=("a", "b", "c", "d", "e")):
    """Homes one after another over a bad network; what they did."""
    chance = random.Random(seed)
    states = {name: Intents(name, fleet) for name in fleet}
    queue, done = [], []

    def take(name, event, now=0):
        states[name], actions = intents.step(states[name], now, event)
        for action in actions:
            if isinstance(action, Send):
                queue.extend([(name, action)] * chance.choice([0, 1, 1, 2]))
            elif isinstance(action, Go):
                done.append(action.id)

    epoch, home = 0, "a"
    for new_home, name, steps in course:
        if new_home or not epoch:
            if chance.random() < 0.5:
                take(home, Ended("k"))  # else it does not know yet
            epoch, home = epoch + 1, chance.choice(fleet)
            take(home, Began("k", epoch))
        for _ in range(steps):
            take(home, Propose("k", epoch, name))
            if queue:
                sender, action = queue.pop(chance.randrange(len(queue)))
                take(action.to, Heard(sender, action.message))
            else:
                take(home, Tick(), intents.due(states[home]) or 0)
    return done


@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.booleans(), st.sampled_from("xyz"), st.integers(0, 40)), max_size=12),
)
# An older home's recall ended after this node had noted for a newer one.
@example(
    78_482,
    [(False, "x", 16)]
    + [(True, name, steps) for name, steps in zip("xxxzxz", (9, 2, 3, 17, 0, 19), strict=True)],
)
def test_nothing_is_begun_twice_whoever_is_home(seed, course):
    done = lived(seed, course)
    assert len(done) == len(set(done))


def test_most_is_done_in_the_end():
    course = [(False, name, 60) for name in "xyz"] + [(True, "x", 60)]
    assert max(len(lived(seed, course)) for seed in range(20)) == 3
