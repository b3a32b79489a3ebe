"""Continuity from outside: real commands, owners, signers, two instances and one regtest chain."""

import base64
import json
import re
import select
import shutil
import sqlite3
import subprocess
import sys
import time
import tomllib
import urllib.request
from contextlib import closing, contextmanager

import pytest
from stranger import LIMIT_S, at_home, descendants, kill, wait_gone

from benchmarks.measure import HERMES

NOW = ("anchor", "now", "--regtest", "--wait", "mined")
WORDS = "the bridge holds"
SAID = re.compile(WORDS.encode())


class Chain:
    """A regtest chain in a process of its own that mines by itself; `toml` configures a node."""

    def __init__(self, toml: str) -> None:
        self.toml = toml
        secret, _, where = tomllib.loads(toml)["chain"]["backend"].rpartition("@")
        user = secret.removeprefix("core+http://").encode()
        self._where = f"http://{where}"
        self._headers = {"Authorization": f"Basic {base64.b64encode(user).decode()}"}

    def rpc(self, method, *params):
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self._where, body, self._headers)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return json.load(answer)["result"]


@pytest.fixture(scope="module")
def chain():
    command = [sys.executable, "-m", "hermes.testing.regtest", "--mine-every", "0.3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline() for _ in range(5)]
            yield Chain("".join(lines))
        finally:
            process.kill()


@contextmanager
def instance(chain, *words):
    """Somebody with an identity, whose settings name the chain."""
    with at_home() as someone:
        someone.config(chain.toml)
        someone.run("identity", "init", "--unattended", *words, check=True)
        yield someone


@pytest.fixture
def paid(chain):
    """An instance with a deposit in a block."""
    with instance(chain) as one:
        address = told(one, "anchor", "status")["address"]
        txid = chain.rpc("sendtoaddress", address, 0.001)
        chain.rpc("generatetoaddress", 1, address)
        assert chain.rpc("gettxout", txid, 0)["confirmations"] >= 1
        yield one


def told(one, *words):
    return json.loads(one.run(*words, "--json", check=True).out)


def say(one, text):
    return one.ask(text, *one.script({"text": "Noted."}))


def alarms(one):
    """What a start says that has to be known."""
    return [event["text"] for event in say(one, "are you well").of("notice")]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_from_nothing_to_an_offline_proof_and_a_successor(chain, paid):
    say(paid, WORDS)
    paid.run(*NOW, check=True)
    paid.run("anchor", "prove", WORDS, "--out", "proof", check=True)
    paid.run("anchor", "headers", "--out", "headers", check=True)
    parent = told(paid, "identity", "show")["identity"]
    with instance(chain, "--parent", parent) as heir:
        heirs = str(heir.state / "data" / "identity" / "genesis.cbor")
        paid.run("anchor", "handoff", "stake", "--to", heirs, "--wait", "mined", check=True)
        paid.run("anchor", "handoff", "offer", "--to", heirs, "--out", "offer", check=True)
        offer, answer = paid.project / "offer", heir.project / "answer"
        heir.run("anchor", "handoff", "accept", str(offer), "--out", "answer", check=True)
        heir.run("anchor", "handoff", "finish", "answer", "--wait", "mined", check=True)
        paid.run("anchor", "handoff", "finish", str(answer), check=True)
        heir.run("trust", "export", "--out", "line", check=True)
        heir.run("anchor", "headers", "--out", "headers", check=True)
        assert paid.run(*NOW).code != 0  # the coin is the heir's
        with at_home() as nobody:
            for name, file in (
                ("proof", paid.project / "proof"),
                ("first", paid.project / "headers"),
                ("line", heir.project / "line"),
                ("later", heir.project / "headers"),
            ):
                nobody.write(name, file.read_bytes())
            check = ("anchor", "verify", "proof", "--headers")
            proof = told(nobody, *check, "first", "--message", WORDS)
            assert proof["content"]["text"] == WORDS
            assert nobody.run(*check, "first", "--message", "it fell").code == 1
            walk = told(nobody, "trust", "verify", "line", "--headers", "later")
            assert walk["instances"][0]["genesis"] == parent
            assert walk["now"] == told(heir, "identity", "show")["identity"]
            assert nobody.run("trust", "verify", "line", "--headers", "first").code == 1
            assert not nobody.state.exists()


def strike(one, number):
    """Kill an owner in the midst of `anchor now`, each time later; whether it was in the midst."""
    child = subprocess.Popen(
        [HERMES, *NOW],
        env=one.env,
        cwd=one.project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    end = time.monotonic() + LIMIT_S
    while not (below := descendants(child.pid)):  # its signer: something is to be signed
        assert time.monotonic() < end
        time.sleep(0.005)
    ended = select.select([child.stdout], [], [], 0.15 * number)[0]
    below = descendants(child.pid) or below
    kill(child.pid)
    child.communicate(timeout=LIMIT_S)
    wait_gone(below)
    return not ended


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_an_owner_killed_while_it_anchors_loses_nothing_and_anchors_once(paid):
    say(paid, WORDS)
    struck = [strike(paid, number) for number in range(5)]
    assert all(struck[:2]), "it was over before it was struck"
    paid.run(*NOW, check=True)
    assert paid.run("log", "verify").code == 0
    assert told(paid, "trust", "export", "--out", "line")["links"] == len(anchors_of(paid))
    kinds = [row["kind"] for row in anchors_of(paid)]
    assert kinds == ["genesis", "checkpoint"]
    assert {row["state"] for row in anchors_of(paid)} <= {"mined", "settled", "final"}
    paid.run("anchor", "prove", WORDS, "--out", "proof", check=True)


def anchors_of(one):
    return told(one, "anchor", "status")["anchors"]


@contextmanager
def twin(one):
    """The same store and keys in another place, as a thief has them."""
    with at_home() as other:
        shutil.copytree(one.state, other.state)
        yield other


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_twin_of_a_stolen_store_is_an_alarm(paid):
    say(paid, WORDS)
    paid.run(*NOW, check=True)
    with twin(paid) as thief:
        say(thief, "I am the only one")
        thief.run(*NOW, check=True)
    say(paid, "so am I")
    done = paid.run(*NOW)
    assert done.code == 3
    assert "somebody else spent the continuity coin" in done.err
    assert "somebody else" in told(paid, "anchor", "status")["halted"]["says"]
    assert any("somebody else" in text for text in alarms(paid))
    before = len(anchors_of(paid))
    assert paid.run(*NOW).code == 3
    assert len(anchors_of(paid)) == before
    assert "HALTED" in paid.run("anchor", "status").out
    assert paid.run("anchor", "resume").code == 3


def test_a_shortened_store_is_noticed_at_the_start_and_nothing_is_signed(stranger):
    stranger.run("identity", "init", "--unattended", check=True)
    say(stranger, WORDS)
    store = stranger.state / "data" / "hermes.db"
    older = store.read_bytes()
    say(stranger, "and the tunnel")
    stranger.run("log", "checkpoint", check=True)
    assert alarms(stranger) == []
    stranger.run("log", "checkpoint", check=True)
    assert not store.with_name("hermes.db-wal").exists()
    store.write_bytes(older)
    assert any("the store was shortened" in text for text in alarms(stranger))
    plain = stranger.run("chat", "-m", "hello", *stranger.script({"text": "Hello."}))
    assert (plain.code, plain.out) == (0, "Hello.\n")
    assert "the store was" in plain.err
    refused = stranger.run("log", "checkpoint")
    assert refused.code != 0
    assert "the store was" in refused.err
    assert stranger.run("log", "verify").code == 1


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_changed_soul_is_shown_and_nothing_is_signed_until_it_is_attested(paid):
    say(paid, WORDS)
    soul = paid.state / "config" / "SOUL.md"
    soul.write_text("# Soul\nI answer plainly.\n")
    shown = paid.run("identity", "show", check=True).out
    assert "+I answer plainly." in shown
    assert any("SOUL.md" in text for text in alarms(paid))
    for command in (NOW, ("log", "checkpoint"), ("identity", "member", "add", "5a" * 32)):
        refused = paid.run(*command)
        assert refused.code != 0
        assert "SOUL.md" in refused.err + refused.out
    assert anchors_of(paid) == []
    assert paid.run("identity", "attest").code == 3
    attested = paid.run("identity", "attest", "--yes", check=True).out
    assert "+I answer plainly." in attested
    paid.run("log", "checkpoint", check=True)
    paid.run(*NOW, check=True)


def rows(path):
    """Every table as it can be read, by name."""
    with closing(sqlite3.connect(path)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: database.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}


def test_a_flipped_bit_is_named(stranger):
    say(stranger, WORDS)
    (found,) = told(stranger, "conversations", "search", "bridge")
    cid = found["cid"]
    store = stranger.state / "data" / "hermes.db"
    whole, before = store.read_bytes(), rows(store)
    places = [match.start() for match in SAID.finditer(whole)]
    named = 0
    for place in places:
        store.write_bytes(whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :])
        changed = {name for name, there in rows(store).items() if there != before[name]}
        done = stranger.run("log", "verify")
        if changed & {"blocks", "messages"}:
            assert done.code == 1
            assert cid in done.out
            named += 1
        else:  # titles and the book-keeping of turns are no part of the log
            assert changed <= {"conversations", "turns"}
    assert named >= 2
    store.write_bytes(whole)
    assert stranger.run("log", "verify").code == 0
