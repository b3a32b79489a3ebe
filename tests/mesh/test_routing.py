from hypothesis import given
from hypothesis import strategies as st

from hermes.mesh import routing
from hermes.mesh.rendezvous import ranked
from hermes.mesh.routing import (
    MOST_HELD,
    MOST_HOPS,
    Came,
    Claim,
    Fleet,
    Forward,
    Handle,
    Home,
    Parcel,
    Routes,
    Settled,
    Tick,
    Undelivered,
    Unsettled,
)

NODES = ("a", "b", "c")
BEST, SECOND, THIRD = ranked("k", NODES)


def parcel(name="p", **other):
    return Parcel(**({"id": name, "conversation": "k", "origin": "a", "expires_at": 9_000} | other))


def node(me, **homes):
    state, _ = routing.step(Routes(me), 0, Fleet(NODES))
    for holder, (epoch, until) in homes.items():
        state, _ = routing.step(state, 0, Settled("k", Home(holder, epoch, until)))
    return state


def test_home_handles_and_others_send_it_there():
    _, actions = routing.step(node("a", a=(3, 5_000)), 0, Came(parcel()))
    assert actions == (Handle(parcel(), 3),)
    _, actions = routing.step(node("a", b=(3, 5_000)), 0, Came(parcel()))
    assert actions == (Forward(parcel(hops=1), "b"),)


def test_without_a_home_the_best_claims_and_the_rest_send_it_there():
    _, actions = routing.step(node(SECOND), 0, Came(parcel()))
    assert actions == (Forward(parcel(hops=1), BEST),)
    state, actions = routing.step(node(BEST), 0, Came(parcel()))
    assert actions == (Claim("k"),)
    state, actions = routing.step(state, 10, Settled("k", Home(BEST, 1, 5_000)))
    assert actions == (Handle(parcel(), 1),)
    assert routing.due(state) is None


def test_a_home_that_expired_or_died_is_none():
    _, actions = routing.step(node(BEST, **{SECOND: (3, 5_000)}), 5_000, Came(parcel()))
    assert actions == (Claim("k"),)
    state, _ = routing.step(node(BEST, **{SECOND: (3, 5_000)}), 0, Fleet((BEST, THIRD)))
    assert routing.step(state, 0, Came(parcel()))[1] == (Claim("k"),)


def test_a_lease_of_the_dead_is_waited_for_not_asked_for_again():
    state, _ = routing.step(node(BEST), 0, Fleet((BEST, THIRD)))
    state, actions = routing.step(state, 0, Came(parcel()))
    assert actions == (Claim("k"),)
    state, actions = routing.step(state, 0, Settled("k", Home(SECOND, 3, 5_000)))
    assert actions == ()
    assert routing.step(state, routing.due(state), Tick())[1] == (Claim("k"),)


def test_an_older_home_does_not_replace_a_newer_one():
    state = node(THIRD, **{SECOND: (4, 5_000), BEST: (3, 5_000)})
    assert routing.step(state, 0, Came(parcel()))[1] == (Forward(parcel(hops=1), SECOND),)


def test_who_lost_the_lease_handles_nothing_more():
    state, _ = routing.step(node(SECOND, **{SECOND: (3, 5_000)}), 10, Unsettled("k"))
    _, actions = routing.step(state, 10, Came(parcel()))
    assert actions == (Forward(parcel(hops=1), BEST),)


def test_what_waits_keeps_its_order_is_tried_again_and_expires():
    state = node(BEST)
    for name in "pqr":
        state, _ = routing.step(state, 0, Came(parcel(name)))
    state, actions = routing.step(state, routing.due(state), Tick())
    assert actions == (Claim("k"),)
    _, actions = routing.step(state, 1_500, Settled("k", Home(BEST, 1, 5_000)))
    assert [one.parcel.id for one in actions] == ["p", "q", "r"]
    _, actions = routing.step(state, 9_000, Tick())
    assert actions == tuple(Undelivered(parcel(name), "expired") for name in "pqr")


def test_a_circle_ends():
    sides = {"a": node("a", b=(3, 5_000)), "b": node("b", a=(3, 5_000))}
    where, one, hops = "a", parcel(), 0
    while True:
        sides[where], actions = routing.step(sides[where], 0, Came(one))
        if not actions:
            break
        where, one, hops = actions[0].to, actions[0].parcel, hops + 1
    assert hops == MOST_HOPS
    assert routing.due(sides[where]) is not None


def test_a_flood_is_bounded_and_told():
    state = node(BEST)
    for number in range(MOST_HELD):
        state, _ = routing.step(state, 0, Came(parcel("p", conversation=f"{number}")))
        if state.count == MOST_HELD:
            break
    while state.count < MOST_HELD:
        state, _ = routing.step(state, 0, Came(parcel(str(state.count))))
    _, actions = routing.step(state, 0, Came(parcel("one more")))
    assert Undelivered(parcel("one more"), "too many wait") in actions


events = st.one_of(
    st.builds(Came, st.builds(parcel, st.sampled_from("pqr"), hops=st.integers(0, 9))),
    st.builds(
        lambda holder, epoch, until: Settled("k", Home(holder, epoch, until)),
        st.sampled_from(NODES),
        st.integers(1, 3),
        st.integers(0, 9_000),
    ),
    st.just(Unsettled("k")),
    st.just(Tick()),
    st.lists(st.sampled_from(NODES), unique=True).map(lambda live: Fleet(tuple(live))),
)


@given(st.lists(st.tuples(st.integers(0, 900), events), max_size=40))
def test_no_parcel_is_lost_and_only_a_valid_home_handles(course):
    state, now, came, gone = node("a"), 0, 0, 0
    for pause, event in course:
        now += pause
        before = {one.id for there in state.held.values() for one in there}
        state, actions = routing.step(state, now, event)
        if isinstance(event, Came) and event.parcel.id not in before:
            came += 1
        for action in actions:
            if isinstance(action, Handle):
                home = state.homes["k"]
                assert (home.holder, home.epoch) == ("a", action.epoch)
                assert home.until > now
            left = isinstance(action, Handle | Forward | Undelivered)
            gone += left and not (isinstance(event, Came) and event.parcel.id in before)
        waiting = [one for there in state.held.values() for one in there]
        assert len(waiting) == state.count == came - gone
