"""The one pure function, its meters, and strfry's plugin that asks it too."""

import json
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nostr_sdk import Keys
from relay_people import key_of

from hermes.testing.nostr_client import signed, worked
from relay.frames import split, text_frame
from relay.login import place_of
from relay.meters import Level, Meters, Policy, drawn
from relay.note import Note
from relay.policy import Charge, Seen, judge, work_of
from relay.rules import Rules
from relay.strfry_plugin import answers

OWNER, FRIEND, OTHER = "a" * 64, "b" * 64, "c" * 64
RULES = Rules(owners=frozenset({OWNER}), admitted=frozenset({FRIEND}))
NOW = 1_800_000_000


def note(pubkey=OTHER, kind=1, tags=(), at=NOW, id_="f" * 64):
    return Note(id_, pubkey, at, kind, tuple(map(tuple, tags)), "")


def reason(one, size=300, source="1.2.3.4", vouched="", rules=RULES, *, metered=True):
    return judge(rules, Seen(one, size, source, vouched, metered), NOW).reason


@pytest.mark.parametrize(
    ("one", "because"),
    [
        (note(OWNER), "ok"),
        (note(FRIEND), "ok"),
        (note(OTHER), "not admitted"),
        (note(OTHER, 24_747), "not admitted"),
        (note(OTHER, 1059, [["p", OWNER]]), "ok"),
        (note(OTHER, 21059, [["p", FRIEND]]), "ok"),
        (note(OTHER, 1059, [["p", OTHER]]), "not for us"),
        (note(OTHER, 1059, [["p", OWNER], ["p", FRIEND]]), "not for us"),
        (note(OTHER, 1059), "not for us"),
        (note(OTHER, 1059, [["p", OWNER]], NOW - 3 * 86_400 - 1), "stale"),
        (note(OWNER, 1, [["p", OTHER]], NOW - 10**9), "ok"),
        (note(OWNER, 1, (), NOW + 901), "from the future"),
        (note(OWNER, 1, (), NOW + 900), "ok"),
        (note(OWNER, 20_001, (), NOW - 61), "stale"),
        (note(OWNER, 1, [["t", "x" * 1_025]]), "too large"),
        (note(OWNER, 1, [["long", "x" * 1_025]]), "ok"),
        (note(OWNER, 1, [["t", "x"]] * 2_001), "too large"),
        (note(OWNER, 1, [[], ["t"], [""]]), "ok"),
    ],
)
def test_who_may_write_what(one, because):
    assert reason(one) == because


def test_size_counts_for_the_owner_too():
    assert reason(note(OWNER), size=60_001) == "too large"


def test_a_login_vouches_for_any_event():
    assert reason(note(OTHER, 1), vouched=FRIEND) == "ok"
    assert reason(note(OTHER, 1), vouched=OTHER) == "not admitted"


def test_what_the_operator_imports_is_judged_and_not_charged():
    wrap = note(OTHER, 1059, [["p", OWNER]])
    verdict = judge(RULES, Seen(wrap, 9, "", metered=False), NOW)
    assert (verdict.reason, verdict.charges) == ("ok", ())
    assert reason(note(OTHER, 1), metered=False) == "not admitted"


def test_work_counts_only_as_far_as_it_was_committed_to():
    zeros = "0000ff" + "f" * 58
    assert work_of(note(id_=zeros, tags=[["nonce", "1", "16"]])) == 16
    assert work_of(note(id_=zeros, tags=[["nonce", "1", "8"]])) == 8
    assert work_of(note(id_=zeros)) == 0
    assert work_of(note(tags=[["nonce", "1", "99"]])) == 0
    assert work_of(note(id_=zeros, tags=[["nonce", "1", "-3"]])) == 0


def test_mined_work_is_work():
    event = worked(Keys.generate(), 1059, 10, [["p", OWNER]])
    assert work_of(msgspec.convert(event, Note)) >= 10


def test_worked_wraps_have_a_limit_of_their_own():
    rules = msgspec.structs.replace(RULES, free_per_minute=0, worked_per_minute=2, work_bits=8)
    policy = Policy(rules)
    good = note(OTHER, 1059, [["p", OWNER], ["nonce", "1", "8"]], id_="00" + "f" * 62)
    said = [policy.admit(Seen(good, 9, "1.2.3.4"), NOW * 1000).reason for _ in range(3)]
    assert said == ["ok", "ok", "too many"]
    assert policy.admit(Seen(good, 9, "5.6.7.8"), NOW * 1000).reason == "ok"


def test_many_addresses_share_a_total():
    rules = msgspec.structs.replace(RULES, free_total_per_minute=3)
    policy = Policy(rules)
    wrap = note(OTHER, 1059, [["p", OWNER]])
    said = [policy.admit(Seen(wrap, 9, str(n)), NOW * 1000).reason for n in range(5)]
    assert said == ["ok"] * 3 + ["no work"] * 2


def test_a_charge_that_fails_takes_nothing():
    meters = Meters()
    both = (Charge("a", 5, "too many"), Charge("b", 1, "too many"))
    assert meters.pay(both, 0) is None
    assert meters.pay(both, 0) == both[1]
    assert all(meters.pay((both[0],), 0) is None for _ in range(4))
    assert meters.pay((both[0],), 0) == both[0]


def test_meters_do_not_grow_without_end():
    meters = Meters(most=10)
    for n in range(1_000):
        meters.pay((Charge(f"s{n}", 1, "too many"),), n)
    assert len(meters._levels) == 10


@given(st.lists(st.integers(0, 2_000), max_size=400), st.integers(1, 120))
def test_nobody_gets_more_than_the_rate(gaps, per_minute):
    level, now, taken = None, 0, 0
    for gap in gaps:
        now += gap
        if (after := drawn(level, per_minute, now)) is not None:
            level, taken = after, taken + 1
    assert taken <= per_minute + now * per_minute / 60_000 + 1


def test_a_clock_that_steps_back_gives_nothing_away():
    assert drawn(Level(0.5, 1_000_000), 60, 0) is None


def asked(event, **more):
    return json.dumps(
        {
            "type": "new",
            "event": event,
            "receivedAt": 1,
            "sourceType": "IP4",
            "sourceInfo": "1.2.3.4",
            **more,
        }
    )


def test_the_plugin_answers_as_the_relay_would(clock):
    keys = Keys.generate()
    rules = Rules(owners=frozenset({key_of(keys)}), free_per_minute=1)
    stranger = Keys.generate()
    wrap = signed(stranger, 1059, "", [["p", key_of(keys)]])
    lines = [
        asked(signed(keys, 1, "mine")),
        asked(signed(stranger, 1, "spam")),
        asked(wrap),
        asked(wrap),
        asked(wrap, authed=key_of(keys)),
        asked(wrap, sourceType="Import"),
    ]
    said = [json.loads(line) for line in answers(rules, lines, clock)]
    assert [one["action"] for one in said] == [
        "accept", "reject", "accept", "reject", "accept", "accept",
    ]  # fmt: skip
    assert said[3]["msg"].startswith("pow: ")
    assert [one["id"] for one in said] == [json.loads(line)["event"]["id"] for line in lines]


@pytest.mark.parametrize(
    ("line", "id_"),
    [
        ("", ""),
        ("garbage", ""),
        ("[]", ""),
        ('{"event":{"id":"x"}}', "x"),
        ('{"event":{"id":"' + "z" * 64 + '","pubkey":1}}', "z" * 64),
        ('{"event":7}', ""),
        ("\udcff", ""),
        ("[" * 100_000, ""),
        ('{"event":' + "[" * 100_000, ""),
    ],
)
def test_the_plugin_rejects_what_it_cannot_read(clock, line, id_):
    (said,) = answers(RULES, [line], clock)
    assert json.loads(said) == {
        "id": id_, "action": "reject", "msg": "invalid: this cannot be read",
    }  # fmt: skip


def test_the_plugin_as_strfry_runs_it(tmp_path):
    rules = tmp_path / "rules.json"
    command = [sys.executable, "-m", "hermes.cli.main", "relay"]
    made = subprocess.run([*command, "rules", "--owner", OWNER, "--admit", FRIEND], check=True,
                          capture_output=True, text=True)  # fmt: skip
    rules.write_text(made.stdout)
    event = signed(Keys.generate(), 1)
    done = subprocess.run([*command, "plugin", "--rules", rules], input=asked(event) + "\n",
                          check=True, capture_output=True, text=True)  # fmt: skip
    assert json.loads(done.stdout)["action"] == "reject"


@given(st.lists(st.binary(max_size=70_000), max_size=5), st.integers(1, 9_000))
def test_frames_come_apart_as_they_were_put_together(texts, step):
    wire = b"".join(map(text_frame, texts))
    waiting, found = bytearray(), []
    for at in range(0, len(wire), step):
        waiting += wire[at : at + step]
        found += split(waiting, 1 << 20)
    assert [frame.content() for frame in found] == texts
    assert not waiting


@given(st.binary(max_size=300))
def test_any_bytes_are_frames_or_not_and_never_an_error(data):
    waiting = bytearray(data)
    frames = split(waiting, 1 << 65)
    assert b"".join(frame.raw for frame in frames) + bytes(waiting) == data


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("ws://127.0.0.1:7447/", "127.0.0.1:7447"),
        ("wss://Relay.Example", "relay.example:443"),
        ("ws://relay.example/path", "relay.example:80"),
        ("http://relay.example", ""),
        ("ws://relay.example:99999", ""),
        ("", ""),
        ("ws://[", ""),
    ],
)
def test_a_relays_place(url, place):
    assert place_of(url) == place
