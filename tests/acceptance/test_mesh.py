"""The mesh from outside: three homes, two relays, lines that are cut, nodes that are killed."""

import time

import pytest
from mesh_stage import fleet, stranger_says

from hermes.mesh.envelope import Letter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def all_three():
    with fleet() as stage:
        yield stage


@pytest.fixture
def stage(all_three):
    yield all_three
    all_three.whole()


def alarms(home, portal):
    with home.front(portal) as front:
        return front.status()["alarms"]


def refused(home, portal):
    with home.front(portal) as front:
        found = front.query("mesh.status")["refused"]
    return sum(one["times"] for one in found if one["reason"] == "not admitted")


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_who_is_cut_off_is_missed_and_comes_back(stage, how):
    stage.cut(stage.carl, how)
    for one in (stage.anne, stage.bert):
        one.sees(stage.carl, state="dead")
    stage.carl.sees(stage.anne, stage.bert, state="dead")
    stage.anne.sees(stage.bert)


def test_one_relay_is_enough_and_without_any_all_find_each_other_again(stage):
    first, second = stage.relays
    first.program.stop()
    time.sleep(6 * 1.0)  # longer than the silence that makes a suspect
    for one in stage.homes:
        one.sees(*(other for other in stage.homes if other is not one))
    second.program.stop()
    for one in stage.homes:
        one.sees(*(other for other in stage.homes if other is not one), state="dead")


def test_a_twin_is_an_alarm_on_both_sides(stage):
    with stage.twin(stage.carl) as twin:
        twin.up()
        for one in (stage.carl, twin):
            stage.wait(lambda one=one: any("another node" in a for a in alarms(one, stage.portal)))
        twin.down()


def test_a_stranger_with_a_valid_envelope_stays_outside(stage):
    before = refused(stage.anne, stage.portal)
    kinds = ("parcel", "turn", "events", "control", "lease", "intents", "have", "want", "blocks")
    letters = [Letter(stage.anne.key, kind, b"{}", "c1") for kind in kinds]
    stranger_says(stage, letters)
    stage.wait(lambda: refused(stage.anne, stage.portal) >= before + len(kinds))


def test_who_is_revoked_is_out_at_once(stage):
    with stage.newcomer() as dave:
        stage.anne.sees(dave)
        stage.anne.run("peers", "revoke", dave.npub, "--reason", "lost", check=True)
        stage.bert.sees(dave, state="revoked", limit_s=5)
        stage.wait(lambda: stage.anne.key not in dave.peers())
