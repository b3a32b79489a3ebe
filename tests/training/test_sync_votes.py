"""Deciding something once: whatever is lost, repeated, reordered or restarted."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numpy")
from hermes.errors import SyncRefused
from hermes.mesh.blob_seal import Reference
from training.sync.votes import Attempt, Vote, accept, heard_accepted, heard_promise, promise
from training.sync.words import (
    Accept,
    Accepted,
    Ask,
    Decision,
    Entry,
    Here,
    Offer,
    Prepare,
    Promise,
    Slot,
    Tell,
    read_word,
    tells,
    write_word,
)

NAMES = ("a", "b", "c", "d", "e")
SLOT = Slot(3, "settled")


def entry(name, size=1):
    return Entry(name, Reference(1, size, "0" * 64, "f" * 64))


@settings(max_examples=60)
@given(st.integers(2, 5), st.data())
def test_only_one_value_is_ever_chosen(count, data):
    """A random net: any message at any time, twice or never; attempts begun anew at random."""
    names = NAMES[:count]
    votes = dict.fromkeys(names, Vote())
    attempts, tries, net, chosen = {}, dict.fromkeys(names, 0), [], []
    for _ in range(data.draw(st.integers(10, 120))):
        begin = data.draw(st.integers(0, 9)) == 0 or not net
        if begin:
            who = data.draw(st.sampled_from(names))
            tries[who] += 1
            ballot = (tries[who], who)
            attempts[who] = Attempt(SLOT, ballot, (entry(who),), count // 2 + 1)
            net += [(who, to, Prepare(SLOT, ballot)) for to in names]
            continue
        at = data.draw(st.integers(0, len(net) - 1))
        who, to, word = net[at] if data.draw(st.booleans()) else net.pop(at)
        if isinstance(word, Prepare | Accept):
            answer = (promise if isinstance(word, Prepare) else accept)(votes[to], word)
            if answer:
                votes[to], reply = answer
                net.append((to, who, reply))
            continue
        attempt = attempts[to]
        hear = heard_promise if isinstance(word, Promise) else heard_accepted
        attempts[to] = after = hear(attempt, who, word)
        if after.may_ask and not attempt.may_ask:
            net += [(to, one, Accept(SLOT, after.ballot, after.value)) for one in names]
        if after.is_chosen:
            chosen.append(after.value)
    assert len(set(chosen)) <= 1


def test_a_voter_keeps_its_word():
    vote, said = promise(Vote(), Prepare(SLOT, (2, "b")))
    assert said == Promise(SLOT, (2, "b"), (0, ""), ())
    assert promise(vote, Prepare(SLOT, (2, "a"))) is None
    assert accept(vote, Accept(SLOT, (1, "z"), ())) is None
    vote, done = accept(vote, Accept(SLOT, (2, "b"), (entry("b"),)))
    assert done == Accepted(SLOT, (2, "b"))
    _, said = promise(vote, Prepare(SLOT, (3, "a")))
    assert (said.accepted, said.value) == ((2, "b"), (entry("b"),))


def test_answers_to_another_attempt_count_for_nothing():
    attempt = Attempt(SLOT, (2, "a"), (entry("a"),), 2)
    assert heard_promise(attempt, "b", Promise(SLOT, (1, "a"), (0, ""), ())) == attempt
    assert heard_accepted(attempt, "b", Accepted(SLOT, (2, "a"))) == attempt  # not asked yet
    once = heard_promise(attempt, "b", Promise(SLOT, (2, "a"), (0, ""), ()))
    assert not heard_promise(once, "b", Promise(SLOT, (2, "a"), (0, ""), ())).may_ask


def test_news_is_cut_into_what_travels():
    here = [Here(1, f"w{at}") for at in range(60)]
    offers = [Offer(1, entry(f"w{at}", 10**9)) for at in range(64)]
    decision = Decision(SLOT, tuple(entry(f"w{at}", 10**9) for at in range(64)))
    parts = list(tells(here, offers, [decision]))
    assert max(len(write_word(part)) for part in parts) < 20_000
    found = [read_word(write_word(part)) for part in parts]
    assert [one for part in found for one in part.here] == here
    assert [one for part in found for one in part.offers] == offers
    assert [one for part in found for one in part.decisions] == [decision]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[" * 5_000,
        b'{"type":"shout"}',
        b'{"type":"ask","since":-1}',
        b'{"type":"ask","since":1,"here":["../x"]}',
        b'{"type":"prepare","slot":[1,"crown"],"ballot":[1,"a"]}',
        b'{"type":"accept","slot":[1,"state"],"ballot":[1,"a"],"value":[["a",{"v":1}]]}',
        msgspec.json.encode({"type": "tell", "here": [[1, "a"]] * 65}),
        msgspec.json.encode({"type": "ask", "since": 1, "x": "y" * 50_000}),
    ],
)
def test_what_is_no_message(data):
    with pytest.raises(SyncRefused):
        read_word(data)


def test_an_unknown_field_is_for_later_versions():
    assert read_word(b'{"type":"ask","since":1,"later":true}') == Ask(1)
    assert read_word(b'{"type":"tell"}') == Tell()
