"""The mesh from outside: three homes, two relays, lines that are cut, nodes that are killed."""

import contextlib
import os
import shutil
import signal
import time

import pytest
from mesh_stage import LEASE_S, Phone, fleet, stranger_says
from stranger import LIMIT_S

from hermes.core.event import ApprovalAsked, TextDelta, TurnFailed, TurnFinished
from hermes.core.ids import uuid7
from hermes.mesh.envelope import Letter

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def all_three():
    with fleet() as stage:
        yield stage


@pytest.fixture
def stage(all_three):
    yield all_three
    all_three.whole()


def alarms(home):
    with home.front() as front:
        return front.status()["alarms"]


def refused(home):
    with home.front() as front:
        found = front.query("mesh.status")["refused"]
    return sum(one["times"] for one in found if one["reason"] == "not admitted")


def begun(home, text="note start", others=()):
    """A new conversation at a home, known to others."""
    done = home.ask(text)
    assert done.last["type"] == "turn_finished", done
    for one in others:
        one.has(done.conversation)
    return done.conversation


def effects(stage, name="effects"):
    """What turns wrote, by the home they ran at; at one of them, or else it is seen twice."""
    paths = {one.name: one.project / name for one in stage.homes}
    found = {home: path.read_text().splitlines() for home, path in paths.items() if path.exists()}
    assert len(found) <= 1, found
    return next(iter(found.values()), [])


def until(holds, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def words_of(talk):
    return "".join(one.text for one in talk.events if isinstance(one, TextDelta))


def test_a_message_at_any_node_is_answered_where_the_conversation_lives(stage):
    anne, bert, carl = stage.homes
    talk = begun(anne, others=(bert, carl))
    for one in (bert, carl, bert, anne):
        assert one.say(f"note {one.name}", talk) == f"Heard: note {one.name}"
        assert one.home_of(talk) == anne.key
    assert str(anne.project) in carl.say("sh pwd", talk)
    for one in stage.homes:
        assert one.say("recall", talk) == "start, bert, carl, bert, anne"


def test_progress_streams(stage):
    talk = begun(stage.anne, others=(stage.bert,))
    live = stage.bert.start("slowly 20", "--conversation", talk)
    live.until("text_delta")
    first = time.monotonic()
    assert live.end() == 0
    assert time.monotonic() - first > 1.0  # of the two seconds that the model takes
    said = [event for event in live.events if event["type"] == "text_delta"]
    assert len(said) > 3
    assert live.events[-1]["text"].startswith("".join(event["text"] for event in said))
    assert live.events[-1]["text"].split() == [f"w{n}" for n in range(20)]


def test_what_asks_is_asked_where_the_person_is(stage):
    talk = begun(stage.anne, others=(stage.carl,))
    with stage.carl.front() as front:
        for answer in ("yes", "no"):
            turn = front.turn(f"write {answer}.txt", talk)
            asked = turn.until(ApprovalAsked)
            assert asked.arguments["path"] == f"{answer}.txt"
            assert turn.answer(asked, answer)
            turn.until(TurnFinished)
    assert (stage.anne.project / "yes.txt").exists()
    assert not (stage.anne.project / "no.txt").exists()
    done = stage.carl.ask("write unseen.txt", "--conversation", talk, "--yes")
    assert done.of("tool_finished")[0]["denied"]  # --yes counts where it was said
    assert not (stage.anne.project / "unseen.txt").exists()


def test_stop_reaches_the_home(stage):
    talk = begun(stage.anne, others=(stage.bert,))
    with stage.bert.front() as front:
        turn = front.turn("slowly 400", talk)
        turn.until(TextDelta)
        assert turn.stop()
        ended = turn.until(TurnFailed, limit_s=5)
        assert ended.kind == "TurnStopped"
    assert stage.anne.say("note after", talk) == "Heard: note after"


def test_asked_twice_it_is_done_once(stage):
    anne, bert, carl = stage.homes
    talk = begun(anne, others=(bert, carl))
    name = uuid7()
    with bert.front() as front, bert.front() as again, carl.front() as elsewhere:
        turns = [
            one.turn("sh echo once >> twice; sleep 1", talk, turn_id=name) for one in (front, again)
        ]
        said = [turn.until(TurnFinished).text for turn in turns]
        late = elsewhere.turn("sh echo once >> twice; sleep 1", talk, turn_id=name)
        said.append(late.until(TurnFinished).text)
    assert effects(stage, "twice") == ["once"], [turn.events for turn in (*turns, late)]
    assert len(set(said)) == 1


def test_killed_between_turns_another_goes_on(stage):
    anne, bert, carl = stage.homes
    talk = begun(anne, others=(bert, carl))
    anne.down()
    killed = time.monotonic()
    live = bert.start("note two", "--conversation", talk)
    until(lambda: bert.home_of(talk) in {bert.key, carl.key}, limit_s=LEASE_S + 2)
    assert live.end() == 0
    assert time.monotonic() - killed <= 10
    assert carl.say("recall", talk) == "start, two"
    anne.up()
    anne.has(talk, lambda shown: "note two" in str(shown))
    assert anne.say("recall", talk) == "start, two"


def test_killed_in_the_middle_of_a_turn_nothing_is_lost_and_nothing_done_twice(stage):
    anne, bert, carl = stage.homes
    talk = begun(anne, others=(bert, carl))
    with bert.front() as front:
        turn = front.turn("sh echo mid >> effects; sleep 30", talk)
        until(lambda: "mid" in effects(stage))
        anne.down()
        killed = time.monotonic()
        ended = turn.until(TurnFailed, limit_s=20)
        assert ended.kind == "HomeLost"
        assert "may have been done" in ended.error
        assert bert.say("note after", talk) == "Heard: note after"
        assert time.monotonic() - killed <= 10
        again = front.turn(turn.request.text, talk, turn_id=turn.request.turn_id)
        assert again.until(TurnFailed).kind == "HomeLost"
    anne.up()
    anne.has(talk, lambda shown: "note after" in str(shown))
    assert carl.say("recall", talk) == "start, after"
    assert effects(stage).count("mid") == 1


def test_two_sides_go_on_alone_and_nothing_is_dropped(stage):
    anne, bert, carl = stage.homes
    talk = begun(anne, others=(bert, carl))
    stage.cut(anne)
    for one in (bert, carl):
        one.sees(anne, state="dead")
    anne.sees(bert, carl, state="dead")
    assert anne.say("note island", talk) == "Heard: note island"
    assert bert.say("note mainland", talk) == "Heard: note mainland"
    stage.heal(anne)
    for one in stage.homes:
        shown = one.has(talk, lambda shown: "island" in str(shown) and "mainland" in str(shown))
        assert len(shown["heads"]) == 2
    assert "several machines at once" in carl.run("conversations", "show", talk).out
    assert sorted(carl.say("recall", talk).split(", ")) == ["island", "mainland", "start"]
    for one in stage.homes:
        one.has(talk, lambda shown: len(shown["heads"]) == 1)


def test_a_line_cut_in_the_middle_of_an_answer(stage):
    talk = begun(stage.anne, others=(stage.bert,))
    with stage.bert.front() as front:
        turn = front.turn("slowly 40", talk)
        turn.until(TextDelta)
        stage.cut(stage.bert)
        time.sleep(2.0)
        stage.heal(stage.bert)
        told = turn.until(TurnFinished)
    assert told.text.split() == [f"w{n}" for n in range(40)]
    assert words_of(turn) == told.text


def test_rough_lines_change_nothing(stage):
    anne, bert, carl = stage.homes
    talk = begun(anne, others=(bert, carl))
    for one in stage.homes:
        stage.cut(one, "rough")
    for number in range(4):
        one = (bert, carl)[number % 2]
        assert "It said" in one.say(f"sh echo {number} >> rough", talk)
    assert effects(stage, "rough") == ["0", "1", "2", "3"]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_one_relay_of_two_is_enough(stage, sign):
    anne, bert, _ = stage.homes
    talk = begun(anne, others=(bert,))
    for relay in stage.relays:
        live = bert.start("slowly 40", "--conversation", talk)
        live.until("text_delta")
        relay.program.child.send_signal(sign)
        assert live.end() == 0, live.events[-1]
        assert bert.say("note two", talk) == "Heard: note two"
        assert bert.home_of(talk) == anne.key
        relay.program.stop()
        stage.whole()
        relay.listened(stage.homes)


def test_both_relays_dead_then_back(stage):
    anne, bert, _ = stage.homes
    talk = begun(anne, others=(bert,))
    first, second = stage.relays
    first.program.stop()
    assert bert.say("note one", talk) == "Heard: note one"
    second.program.stop()
    live = bert.start("sh echo back >> relays", "--conversation", talk)
    time.sleep(3.0)
    first.start()
    if live.end():  # the relays came back later than anybody waits: nobody knows, and says so
        assert live.events[-1]["kind"] == "HomeLost", live.events
    stage.wait(lambda: effects(stage, "relays") == ["back"])
    stage.whole()
    assert bert.say("note two", talk) == "Heard: note two"
    assert effects(stage, "relays") == ["back"]


@pytest.mark.parametrize("how", ["silent", "dead"])
def test_who_falls_silent_is_missed_and_comes_back(stage, how):
    stage.cut(stage.carl, how)
    for one in (stage.anne, stage.bert):
        one.sees(stage.carl, state="dead")
    stage.carl.sees(stage.anne, stage.bert, state="dead")
    stage.anne.sees(stage.bert)


def test_a_twin_is_an_alarm_on_both_sides(stage):
    with stage.twin(stage.carl) as twin:
        twin.up()
        for one in (stage.carl, twin):
            stage.wait(lambda one=one: any("another node" in a for a in alarms(one)))
        twin.down()


def test_a_stranger_with_a_valid_envelope_stays_outside(stage):
    before = refused(stage.anne)
    kinds = ("parcel", "turn", "events", "control", "lease", "intents", "have", "want", "blocks")
    letters = [Letter(stage.anne.key, kind, b"{}", "c1") for kind in kinds]
    stranger_says(stage, letters)
    stage.wait(lambda: refused(stage.anne) >= before + len(kinds))


def test_who_is_revoked_in_the_middle_is_out_at_once(stage):
    talk = begun(stage.anne)
    with stage.newcomer() as dave, dave.front() as front:
        stage.anne.sees(dave)
        dave.has(talk)
        turn = front.turn("slowly 60", talk)
        turn.until(TextDelta)
        stage.anne.run("peers", "revoke", dave.npub, "--reason", "lost", check=True)
        stage.bert.sees(dave, state="revoked", limit_s=5)
        front.turn("note outside", talk)
        stage.anne.say("note inside", talk)
        time.sleep(2.0)
        said = stage.bert.has(talk, lambda shown: "note inside" in str(shown))
        assert "note outside" not in str(said)
        assert dave.run("conversations", "show", talk).out.count("note inside") == 0


@pytest.mark.skipif(
    not (os.environ.get("NOSTR_TOOLS") and shutil.which("node")),
    reason="nostr-tools of npm is not installed here",
)
def test_a_phone_reaches_a_conversation_that_lives_elsewhere(stage):
    anne, bert, carl = stage.homes
    code = bert.ask_json("peers", "pair", "--name", "phone")["code"]
    with contextlib.closing(Phone(stage.relays[0], bert)) as phone:
        assert phone.ask(code).startswith("You are paired with Hermes")
        assert phone.ask("note phone") == "Heard: note phone"
        (talk,) = (one["id"] for one in bert.ask_json("conversations", "list")
                   if "note phone" in one["title"])  # fmt: skip
        anne.has(talk)
        bert.down()
        assert anne.say("note desk", talk) == "Heard: note desk"
        bert.up()
        bert.has(talk, lambda shown: "note desk" in str(shown))
        assert phone.ask("recall") == "phone, desk"
        assert carl.say("recall", talk) == "phone, desk"
