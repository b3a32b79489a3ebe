import random

from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.mesh import outbox
from hermes.mesh.outbox import (
    LONGEST_MS,
    Acknowledged,
    Arrived,
    Failed,
    Letter,
    Links,
    Outbox,
    Present,
    Put,
    Tick,
    Transmit,
    Undelivered,
    Withdraw,
    pause,
)

LINKS = {"relay": 0.5, "direct": 0.9}


def start(*letters, links=LINKS):
    state, actions = Outbox(links=links), []
    for letter in letters:
        state, more = outbox.step(state, 0, Put(letter))
        actions += more
    return state, actions


def test_the_best_link_first_then_the_others():
    state, actions = start(Letter("x", "b", 10**6))
    used, now = [actions[0].link], 0
    for _ in range(3):
        now = outbox.due(state)
        state, actions = outbox.step(state, now, Tick())
        used.append(actions[0].link)
    assert used == ["direct", "relay", "direct", "relay"]


def test_without_a_link_it_waits_and_goes_when_one_is_there():
    state, actions = start(Letter("x", "b", 10**6), links={})
    assert actions == []
    _, actions = outbox.step(state, 500, Links({"relay": 0.1}))
    assert actions == (Transmit(Letter("x", "b", 10**6), "relay", 0),)


def test_what_does_not_arrive_is_reported_once():
    letter = Letter("x", "b", 5_000)
    state, _ = start(letter, links={})
    assert outbox.due(state) == 5_000
    state, actions = outbox.step(state, 5_000, Tick())
    assert actions == (Undelivered(letter, "not acknowledged in time"),)
    assert outbox.step(state, 6_000, Tick()) == (state, ())


def test_only_the_recipient_acknowledges():
    letter = Letter("x", "b", 10**6)
    state, _ = start(letter)
    assert outbox.step(state, 1, Acknowledged("x", "c")) == (state, ())
    state, actions = outbox.step(state, 1, Acknowledged("x", "b"))
    assert actions == (Arrived(letter),)
    assert outbox.due(state) is None


def test_a_lane_keeps_its_order():
    letters = [Letter(str(i), "b", 10**6, "lane") for i in range(3)]
    state, actions = start(*letters, Letter("free", "b", 10**6))
    assert [one.letter.id for one in actions] == ["0", "free"]
    state, actions = outbox.step(state, 10, Acknowledged("0", "b"))
    assert [one.letter.id for one in actions if isinstance(one, Transmit)] == ["1"]
    state, actions = outbox.step(state, 20, Withdraw("1"))
    assert [one.letter.id for one in actions] == ["2"]


def test_a_refusal_or_a_return_shortens_the_pause():
    state, _ = start(Letter("x", "b", 10**6))
    assert outbox.step(state, 10, Tick())[1] == ()
    _, (again,) = outbox.step(state, 10, Present("b"))
    assert again.letter.id == "x"
    state, (other,) = outbox.step(state, 10, Failed("x"))
    assert other.link == "relay"
    assert outbox.step(state, 20, Failed("x")) == (state, ())
    assert outbox.step(state, 10, Present("c"))[1] == ()


def test_the_same_letter_is_taken_once():
    _, actions = start(Letter("x", "b", 10**6), Letter("x", "b", 10**6))
    assert len(actions) == 1


@given(st.text(min_size=1, max_size=9), st.integers(0, 40))
def test_pauses_grow_to_a_bound(name, tries):
    assert 0.8 * min(1_000 * 2**tries, LONGEST_MS) <= pause(name, tries) <= 1.2 * LONGEST_MS


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(0, 120_000))
def test_every_letter_arrives_after_the_cut_heals(seed, count, healed_at):
    chance = random.Random(seed)
    valid = healed_at + 36_000_000
    letters = [Letter(str(i), "b", valid, chance.choice(["", "l"])) for i in range(count)]
    state, sent = start(*letters)
    now, there, arrived = 0, [], []
    while (now := outbox.due(state)) is not None:
        sent = list(sent)
        for action in sent:
            if isinstance(action, Transmit) and now > healed_at and chance.random() < 0.7:
                there.append(action.letter)
                if chance.random() < 0.7:
                    state, more = outbox.step(state, now, Acknowledged(action.letter.id, "b"))
                    arrived += [one.letter for one in more if isinstance(one, Arrived)]
                    sent += [one for one in more if isinstance(one, Transmit)]
        state, sent = outbox.step(state, now, Tick())
        assert not [one for one in sent if isinstance(one, Undelivered)]
    assert sorted(one.id for one in arrived) == sorted(one.id for one in letters)
    firsts = list(dict.fromkeys(one.id for one in there if one.lane))
    assert firsts == [one.id for one in letters if one.lane]
