"""No member can use up the epochs of a conversation, so that nobody is ever home again."""

import pytest

from hermes.mesh import intents, lease
from hermes.mesh import lease_values as leasing
from hermes.mesh.lease_values import LEAP, Claim, Deny, Promise, Stage, Terms

FLEET = ("a", "b", "c")
FAR = 1 << 52


def voter(**promises):
    return leasing.Leases("a", Terms(), FLEET, FLEET, promises)


@pytest.mark.parametrize("held", [0, 7])
def test_a_claim_far_above_what_is_known_is_not_granted(held):
    known = {"k": Promise("k", held, "c", 0, freed=True)} if held else {}
    for epoch, granted in ((held + LEAP, True), (held + LEAP + 1, False), (FAR, False)):
        claim = leasing.Heard("b", Claim("k", epoch, 1, 5_000))
        state, actions = lease.step(voter(**known), 1_000, claim)
        assert bool(actions) is granted
        assert (state.promises.get("k") == known.get("k")) is not granted


def test_who_is_denied_does_not_follow_a_liar_up():
    state, _ = lease.step(voter(), 0, leasing.Want("k"))
    while state.tenures["k"].stage is not Stage.CLAIMING:
        state, _ = lease.step(state, state.tenures["k"].at, leasing.Tick())
    tenure = state.tenures["k"]
    for epoch, believed in ((FAR, False), (tenure.epoch + 5, True)):
        deny = leasing.Heard("b", Deny("k", tenure.turn, epoch, "c", 0))
        heard, _ = lease.step(state, tenure.at, deny)
        assert (heard.tenures["k"].stage is Stage.WAITING) is believed


@pytest.mark.parametrize("kind", ["recall", "note"])
def test_a_book_does_not_leap_either(kind):
    def said(epoch):
        if kind == "recall":
            return intents.Heard("b", intents.Recall("k", epoch))
        return intents.Heard("b", intents.Note("k", epoch, "turn"))

    state = intents.Intents("a", FLEET, {"k": intents.Book(3)})
    assert intents.step(state, 0, said(FAR)) == (state, ())
    state, actions = intents.step(state, 0, said(4))
    assert actions
    assert state.books["k"].epoch == 4
