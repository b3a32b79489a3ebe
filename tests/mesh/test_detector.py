import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hermes.mesh import detector
from hermes.mesh.detector_values import (
    MOST_STRAIN,
    Asked,
    Changed,
    Detector,
    Pace,
    Present,
    Send,
    Tick,
    Told,
    Twin,
)
from hermes.mesh.gossip_wire import Ack, Ping, PingFor
from hermes.mesh.members import Card, Member, Members, Report, Standing, changed

NOW = 1_760_000_000_000
PACE = Pace()


def view(*others, me="me"):
    known = {name: Member(NOW, Standing.ALIVE, NOW) for name in (me, *others)}
    members = changed(Members(), known)
    return Detector(me, NOW, 7, members=members, probe_at=NOW, reach_at=NOW + 10**9)


def run_alone(state, until, answers=()):
    """Tick to an instant; pings to those who answer are answered at once."""
    sent, changes, now = [], [], NOW
    while (now := max(now, detector.due(state))) <= until:
        state, actions = detector.step(state, now, Tick())
        for action in actions:
            if isinstance(action, Changed):
                changes.append((now, action.report))
            elif isinstance(action, Send):
                sent.append((now, action.to, action.message))
                if action.to in answers and isinstance(action.message, Ping):
                    ack = Ack(action.message.nonce, action.to, NOW)
                    state, _ = detector.step(state, now, Asked(action.to, ack))
    return state, sent, changes


def test_who_answers_is_never_suspected():
    state, sent, changes = run_alone(view("a", "b", "c"), NOW + 120_000, {"a", "b", "c"})
    assert changes == []
    assert {to for _, to, _ in sent} == {"a", "b", "c"}
    assert state.members.alive == ("a", "b", "c", "me")


def test_the_silent_are_asked_through_others_then_suspected_then_dead():
    _, sent, changes = run_alone(view("a", "b", "c", "d"), NOW + 45_000, {"a", "b", "c"})
    silent = [(at, report.standing) for at, report in changes if report.node == "d"]
    assert [standing for _, standing in silent] == [Standing.SUSPECT, Standing.DEAD]
    helpers = {to for _, to, message in sent if isinstance(message, PingFor)}
    assert helpers == {"a", "b", "c"}
    first = min(at for at, to, message in sent if to == "d")
    assert silent[0][0] == first + PACE.helped_ms
    assert silent[1][0] >= silent[0][0] + PACE.suspicion_ms


def test_a_helper_asks_and_passes_the_answer_on():
    state, (send,) = detector.step(view("a", "b"), NOW, Asked("a", PingFor(5, "b")))
    assert send.to == "b"
    _, (answer,) = detector.step(state, NOW + 9, Asked("b", Ack(send.message.nonce, "b", NOW)))
    assert answer == Send("a", Ack(5, "b", NOW))


def test_an_answer_through_a_helper_counts():
    state, actions = detector.step(view("a"), NOW, Tick())
    nonce = actions[0].message.nonce
    state, _ = detector.step(state, NOW + 1_100, Tick())
    state, _ = detector.step(state, NOW + 1_200, Asked("b", Ack(nonce, "a", NOW)))
    assert state.probe is None


def test_a_foreign_answer_does_not_count():
    state, actions = detector.step(view("a"), NOW, Tick())
    nonce = actions[0].message.nonce
    for ack in (Ack(nonce + 1, "a", NOW), Ack(nonce, "b", NOW)):
        state, _ = detector.step(state, NOW + 10, Asked("b", ack))
    assert state.probe


def test_a_suspicion_of_oneself_is_refuted():
    for event in (
        Told((Report("me", NOW, Standing.SUSPECT),)),
        Asked("a", Ping(1, NOW, NOW, Standing.DEAD)),
    ):
        state, actions = detector.step(view("a"), NOW, event)
        assert state.incarnation == NOW + 1
        assert Changed(Report("me", NOW + 1, Standing.ALIVE)) in actions


def test_a_refutation_ends_a_suspicion():
    suspect = Told((Report("a", NOW, Standing.SUSPECT),))
    state, _ = detector.step(view("a", "b"), NOW, suspect)
    assert "a" in state.suspects
    state, actions = detector.step(state, NOW, Told((Report("a", NOW + 1, Standing.ALIVE),)))
    assert actions == (Changed(Report("a", NOW + 1, Standing.ALIVE)),)
    _, _, changes = run_alone(state, NOW + 60_000, {"a", "b"})
    assert changes == []


def test_a_twin_is_noticed_and_not_outbid():
    state, actions = detector.step(view("a"), NOW, Told((Report("me", NOW + 5, Standing.ALIVE),)))
    assert actions == (Twin(NOW + 5),)
    assert state.incarnation == NOW + 5


def test_a_twin_of_the_same_life_is_noticed_by_its_cards():
    state = view("a")
    for at in (0, 1_000, 2_000):
        state, _ = detector.step(state, NOW, Present(Card(NOW + at, NOW + 60_000)))

    def told(at, incarnation=state.incarnation):
        report = Report("me", incarnation, Standing.ALIVE, Card(NOW + at, NOW + 60_000))
        return detector.step(state, NOW, Told((report,)))[1]

    assert told(3_000) == told(1_500) == (Twin(state.incarnation),)
    assert told(0) == told(1_000) == told(2_000) == told(-1) == told(10**9) == ()
    assert told(3_000, state.incarnation - 1) == ()


def test_the_dead_are_asked_now_and_then_and_come_back():
    dead = Told((Report("a", NOW, Standing.DEAD),))
    state, _ = detector.step(view("a", "b"), NOW, dead)
    state = detector.Detector(**{f: getattr(state, f) for f in state.__struct_fields__})
    state, actions = detector.step(
        Detector("me", NOW, 7, members=state.members, probe_at=NOW + 10**9), NOW, Tick()
    )
    asked = [one for one in actions if one.to == "a"]
    assert asked[0].message.standing is Standing.DEAD
    ack = Ack(asked[0].message.nonce, "a", NOW + 1)
    state, actions = detector.step(state, NOW, Asked("a", ack))
    assert Changed(Report("a", NOW + 1, Standing.ALIVE)) in actions


def test_the_long_dead_are_forgotten():
    members = changed(Members(), {"a": Member(NOW, Standing.DEAD, NOW)})
    state = Detector("me", NOW, 7, members=members)
    state, _ = detector.step(state, NOW + PACE.forget_ms, Tick())
    assert "a" not in state.members.table


def test_a_card_is_told():
    card = Card(NOW, NOW + 1_000, ("chat",))
    state, actions = detector.step(view(), NOW, Present(card))
    assert actions == (Changed(Report("me", NOW, Standing.ALIVE, card)),)
    assert state.members.table["me"].card == card


messages = (
    st.builds(
        Ping, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.sampled_from(Standing)
    )
    | st.builds(Ack, st.integers(0, 9), st.sampled_from("abm"), st.integers(0, 9))
    | st.builds(PingFor, st.integers(0, 9), st.sampled_from(["a", "b", "me"]))
)
events = st.one_of(
    st.just(Tick()),
    st.builds(Asked, st.sampled_from("abx"), messages),
    st.builds(
        Told,
        st.lists(
            st.builds(
                Report,
                st.sampled_from(["a", "b", "me"]),
                st.integers(NOW - 3, NOW + 9),
                st.sampled_from(Standing),
            ),
            max_size=4,
        ).map(tuple),
        st.booleans(),
    ),
)


@given(st.lists(st.tuples(st.integers(0, 5_000), events), max_size=60))
def test_whatever_comes_this_node_lives_and_time_goes_on(course):
    state, now = view("a", "b"), NOW
    for pause, event in course:
        now += pause
        before = state.incarnation
        state, _ = detector.step(state, now, event)
        assert state.incarnation >= before
        assert state.members.table["me"].standing is Standing.ALIVE
        assert set(state.suspects) <= {
            n for n, m in state.members.table.items() if m.standing is Standing.SUSPECT
        }
    state, _ = detector.step(state, now, Tick())
    assert detector.due(state) > now


def test_late_answers_make_it_ask_less_and_wait_longer():
    state, (asked,) = detector.step(view("a"), NOW, Tick())
    now = NOW
    while state.probe:
        now = max(now, detector.due(state))
        state, _ = detector.step(state, now, Tick())
    assert state.strain == 1  # silence may be its own fault
    late = Asked("a", Ack(asked.message.nonce, "a", NOW))
    state, _ = detector.step(state, now + 1, late)
    assert state.strain == 2
    again, _ = detector.step(state, now + 2, late)
    assert again.strain == 2  # a copy says nothing new
    for incarnation in range(20):
        doubt = Report("me", state.incarnation + incarnation, Standing.SUSPECT)
        state, _ = detector.step(state, now + 3, Told((doubt,)))
    assert state.strain == MOST_STRAIN
    state, _ = detector.step(state, now + 4, Told((Report("a", NOW + 9, Standing.ALIVE),)))
    while not state.probe:
        now = max(now, detector.due(state))
        state, _ = detector.step(state, now, Tick())
    assert detector.due(state) == now + PACE.ack_ms * (1 + MOST_STRAIN)
    assert state.probe_at >= now + PACE.probe_ms * (1 + MOST_STRAIN) * 0.7


def test_answers_in_time_ease_it():
    state = msgspec.structs.replace(view("a", "b", "c"), strain=MOST_STRAIN)
    state, sent, _ = run_alone(state, NOW + 600_000, {"a", "b", "c"})
    assert state.strain == 0
    assert min(b[0] - a[0] for a, b in itertools.pairwise(sent)) < 2 * PACE.probe_ms


def test_the_dead_alone_strain_it_little():
    state, _, changes = run_alone(view(*"abcdefgh"), NOW + 60_000, {"a", "b"})
    assert state.strain <= 2
    assert sum(report.standing is Standing.DEAD for _, report in changes) == 6
