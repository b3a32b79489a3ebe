import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Stream

from hermes.cli.run import execute
from hermes.cli.world import World
from hermes.load import load

WORD = "correct horse"
HEX = "cc" * 32


class Desk:
    """Runs `hermes identity …` on a real house in a directory of its own."""

    def __init__(self, base: Path, run: Path | None = None) -> None:
        self.base = base
        self.home = base / "state"
        self.folder = self.home / "data" / "identity"
        self.environ = {
            "HERMES_V2_HOME": str(self.home),
            "HOME": str(base),
            "TMPDIR": str(run or base),  # a socket's path is short
            "PATH": "/usr/bin:/bin",
        }
        base.mkdir(exist_ok=True)
        self.word = base / "word"
        self.word.write_text(f"{WORD}\n")
        self.out = self.err = ""

    def run(self, *words, stdin="", tty=False):
        out, err = Stream(tty=tty), Stream()
        attach = load("attach")
        world = World(
            environ=self.environ,
            cwd=self.base,
            root=self.base,
            stdin=Stream(stdin),
            stdout=out,
            stderr=err,
            open_client=attach.open_client,
            find_owner=attach.find_owner,
        )
        code = execute(("identity", *map(str, words)), world)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def init(self, *words):
        assert self.run("init", "--unattended", "--json", *words) == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_init_says_who_it_is_and_refuses_to_overwrite(desk):
    assert desk.run("init", "--unattended") == 0
    assert re.search(r"^identity +bafyrei", desk.out, re.MULTILINE)
    assert re.search(r"^soul +[0-9a-f]{64}$", desk.out, re.MULTILINE)
    assert "hermes identity backup" in desk.out
    assert {path.stat().st_mode & 0o777 for path in desk.folder.iterdir()} == {0o600}
    before = {path.name: path.read_bytes() for path in desk.folder.iterdir()}
    assert desk.run("init", "--unattended") == 3
    assert "there is an identity already" in desk.err
    assert {path.name: path.read_bytes() for path in desk.folder.iterdir()} == before
    assert desk.run("show") == 0
    assert "unlocked" in desk.out


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--network", "liquid"), 2, ""),
        (("--recovery", "02" + HEX), 2, "go together"),
        (("--recovery", "02" + "00" * 32, "--recovery-after", "10"), 1, "not on the curve"),
        (("--recovery", "02" + HEX, "--recovery-after", "70000"), 2, "1 to 65535 blocks"),
        (("--recovery", HEX, "--recovery-after", "7"), 2, "compressed public key"),
        (("--owner", "npub1nonsense"), 2, "no Nostr public key"),
        (("--entropy", "/nowhere"), 1, "entropy file"),
        (("--parent", "bafynot"), 2, "hermes identity show"),
    ],
)
def test_a_bad_init_leaves_nothing(desk, words, code, why):
    assert desk.run("init", "--unattended", *words) == code
    assert why in desk.err
    assert not desk.folder.exists()


def test_init_with_an_owner_and_a_recovery_key_from_outside(desk, tmp_path):
    dice = tmp_path / "dice"
    dice.write_text("3 1 4 1 5 9 2 6")
    boss = Desk(tmp_path / "boss", tmp_path)
    owner = boss.init()["roles"]["owner"]
    made = desk.init("--owner", owner, "--entropy", dice, "--network", "signet")
    assert made["roles"]["owner"] == owner
    assert made["network"] == "signet"
    assert made["sources"]["file 1"] == 15
    assert desk.run("member", "add", HEX) == 3
    assert "not here" in desk.err
    node = made["npub"]
    record = tmp_path / "record"
    assert boss.run("member", "add", node, "--role", "worker", "--out", record) == 0
    assert desk.run("member", "add", "--signed", record) == 0
    assert desk.run("member", "list", "--json") == 0
    assert [(m["state"], m["roles"]) for m in json.loads(desk.out)] == [("valid", ["worker"])]
    end = tmp_path / "end"
    assert boss.run("member", "revoke", node, "--reason", "sold", "--out", end) == 0
    assert desk.run("member", "add", "--signed", end) == 0
    assert desk.run("member", "list") == 0
    assert "revoked" in desk.out
    assert node in desk.out
    assert desk.run("member", "list", "--at", "2020-01-01T00:00:00Z") == 0
    assert "no members yet" in desk.out
    forged = record.read_text().replace("6e6f6465", "6e6f6466", 1)
    record.write_text(forged)
    assert desk.run("member", "add", "--signed", record) == 1
    assert desk.run("member", "list", "--at", "tomorrow") == 2


@pytest.mark.slow  # Argon2id at its full cost
def test_a_passphrase_from_a_file_or_a_pipe(desk):
    assert desk.run("init", "--passphrase-file", desk.word) == 0
    assert not (desk.folder / "unlocked.key").exists()
    assert desk.run("show") == 0
    assert "locked: hermes identity unlock" in desk.out
    words = desk.base / "words"
    assert desk.run("backup", "--out", words, stdin="wrong\n") == 3
    assert "does not open" in desk.err
    assert not words.exists()
    assert desk.run("backup", "--out", words, stdin=f"{WORD}\n") == 0
    assert len(words.read_text().split()) == 24
    assert desk.run("member", "add", HEX, "--passphrase-file", desk.word) == 0
    new = desk.base / "new"
    new.write_text("another\n")
    forgotten = ("--passphrase-file", new)
    assert desk.run("restore", *forgotten, stdin=words.read_text()) == 0
    assert desk.run("member", "add", "dd" * 32, *forgotten) == 0
    assert desk.run("unlock", stdin=f"{WORD}\n") == 4
    assert "no node is running" in desk.err
    other = Desk(desk.base / "other", desk.base)
    assert other.run("init", stdin="\n") == 2
    assert "empty" in other.err


def test_words_go_to_a_terminal_or_into_a_new_file_only(desk):
    desk.init()
    assert desk.run("backup") == 3
    assert desk.out == ""
    assert desk.run("backup", tty=True) == 0
    assert len(desk.out.split()) == 24
    file = desk.base / "words"
    assert desk.run("backup", "--out", file) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert desk.run("backup", "--out", file) == 2
    assert desk.run("backup", "--shares", "5/3", "--out", desk.base / "s") == 1
    assert desk.run("backup", "--shares", "three", "--out", desk.base / "s") == 2
    assert desk.run("backup", "--ncryptsec", "--passphrase-file", desk.word) == 0
    assert desk.out.startswith("ncryptsec1")


@pytest.mark.parametrize("form", ["words", "shares"])
def test_restore_on_another_machine(desk, form):
    made = desk.init()
    file = desk.base / "backup"
    shares = ("--shares", "2/3") if form == "shares" else ()
    assert desk.run("backup", "--out", file, *shares) == 0
    text = file.read_text()
    if shares:
        text = "".join(text.splitlines(keepends=True)[1:])
    other = Desk(desk.base / "other", desk.base)
    genesis = ("--unattended", "--genesis", desk.folder / "genesis.cbor")
    assert other.run("restore", "--unattended", stdin=text) == 4
    assert "--genesis" in other.err
    assert other.run("restore", *genesis, stdin=text) == 0
    assert made["identity"] in other.out
    assert other.run("member", "add", HEX) == 0
    assert other.run("show", "--json") == 0
    assert json.loads(other.out)["roles"] == made["roles"]
    assert other.run("restore", "--unattended", stdin=text) == 0  # again: the record is here


def test_restore_refuses_other_words_and_changes_nothing(desk):
    desk.init()
    file = desk.base / "words"
    other = Desk(desk.base / "other", desk.base)
    other.init()
    assert other.run("backup", "--out", file) == 0
    before = {path.name: path.read_bytes() for path in desk.folder.iterdir()}
    words = file.read_text()
    for text, why in (
        (words, "another identity"),
        (words.rsplit(" ", 1)[0], "23 words"),
        (words.replace(words.split()[0], "zzz", 1), "word 1"),
        ("", "words"),
    ):
        assert desk.run("restore", "--unattended", stdin=text) == 1
        assert why in desk.err
        assert {path.name: path.read_bytes() for path in desk.folder.iterdir()} == before
    assert desk.run("restore", stdin=words) == 2


def test_restore_mends_a_lost_memory(desk):
    desk.init()
    file = desk.base / "words"
    assert desk.run("backup", "--out", file) == 0
    (desk.folder / "signer.json").unlink()
    assert desk.run("show") == 0
    assert "signer.json" in desk.out
    assert desk.run("restore", "--unattended", stdin=file.read_text()) == 0
    assert desk.run("member", "add", HEX) == 0


@pytest.mark.slow  # Argon2id at its full cost
def test_passwd(desk):
    desk.init()
    new = desk.base / "new"
    new.write_text("another\n")
    assert desk.run("passwd") == 2
    assert desk.run("passwd", "--new-passphrase-file", desk.word) == 0
    assert not (desk.folder / "unlocked.key").exists()
    words = ("--passphrase-file", desk.word, "--new-passphrase-file", new)
    assert desk.run("passwd", *words) == 0
    assert desk.run("passwd", *words) == 3
    assert desk.run("member", "add", HEX, "--passphrase-file", new) == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--role", "A B"), "no role"),
        (("--since", "1960-01-01T00:00:00Z"), "no time"),
        (("--until", "tomorrow"), "no time"),
        (("--out", "taken"), "exists already"),
    ],
)
def test_a_bad_membership_signs_nothing(desk, words, why):
    desk.init()
    (desk.base / "taken").write_text("mine")
    assert desk.run("member", "add", HEX, *words) == 2
    assert why in desk.err
    assert desk.run("member", "list", "--json") == 0
    assert json.loads(desk.out) == []
    assert (desk.base / "taken").read_text() == "mine"


def test_pasted_words_are_not_shown(desk):
    desk.init()
    assert desk.run("backup", "--out", "words") == 0
    words = (desk.base / "words").read_text()
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hermes.cli.main", "identity", "restore", "--unattended"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=desk.environ, cwd=desk.base
    ) as process:
        os.close(theirs)
        seen = io.StringIO()
        *first, last = words.splitlines(keepends=True)
        answer(ours, seen, "> ", first[0].strip())
        for line in first[1:]:  # without waiting for a prompt
            os.write(ours, line.encode())
        os.write(ours, last.encode())
        rest(ours, seen)
        assert process.wait(60) == 0, seen.getvalue()
    os.close(ours)
    pairs = zip(words.split(), words.split()[1:], strict=False)  # one alone may be our own
    assert not [pair for pair in pairs if " ".join(pair) in seen.getvalue()]
    assert "restored:" in seen.getvalue()


def test_attest_shows_the_change_and_asks(desk):
    soul = desk.home / "config" / "SOUL.md"
    soul.parent.mkdir(parents=True)
    soul.write_text("I am one.\n")
    desk.init()
    assert desk.run("attest") == 0
    assert "attested already" in desk.out
    assert desk.run("attest", "--json") == 0
    assert json.loads(desk.out)["cid"] is None
    soul.write_text("I am another.\n")
    assert desk.run("show") == 0
    assert "-I am one.\n+I am another." in desk.out
    assert desk.run("attest") == 3
    assert "+I am another." in desk.out
    assert desk.run("attest", "--yes") == 0
    assert desk.run("show", "--json") == 0
    shown = json.loads(desk.out)
    assert (shown["diff"], shown["soul"]) == ("", shown["soul_now"])


@pytest.mark.slow  # Argon2id at its full cost
def test_a_terminal_asks_twice_and_shows_nothing(desk):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hermes.cli.main", "identity", "init"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=desk.environ, cwd=desk.base
    ) as process:
        os.close(theirs)
        seen = io.StringIO()
        answer(ours, seen, "new passphrase: ", WORD)
        answer(ours, seen, "once more: ", WORD)
        rest(ours, seen)
        assert process.wait(60) == 0, seen.getvalue()
    os.close(ours)
    assert WORD not in seen.getvalue()
    assert "hermes identity backup" in seen.getvalue()
    assert desk.run("backup", "--out", desk.base / "w", "--passphrase-file", desk.word) == 0


def answer(terminal: int, seen: io.StringIO, prompt: str, text: str) -> None:
    while not seen.getvalue().endswith(prompt):
        seen.write(os.read(terminal, 4096).decode())
    os.write(terminal, text.encode() + b"\n")


def rest(terminal: int, seen: io.StringIO) -> None:
    try:
        while data := os.read(terminal, 4096):
            seen.write(data.decode())
    except OSError:
        pass  # the terminal's other end is closed


FOUNDING = """
import hashlib, os, signal, sys
from pathlib import Path
import anyio
from hermes.identity import founding
from hermes.identity.genesis import found
from hermes.identity.keys import Keys
from hermes.identity.vault import Argon2Cost

left = int(sys.argv[2])

def count(event, args):
    global left
    if event in {"os.rename", "os.link", "os.mkdir", "open"} and sys.argv[1] in str(args):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

secret = hashlib.sha256(b"one").digest()
genesis = found(Keys.from_secret(secret, "regtest"), "ab" * 32, 1)
lock = founding.Lock("x", unattended=True, cost=Argon2Cost(memory=8192, passes=1, lanes=1))
sys.addaudithook(count)
anyio.run(founding.establish, Path(sys.argv[1]), secret, genesis, lock)
"""


@pytest.mark.slow
def test_a_killed_init_leaves_none_or_a_whole_identity(desk):
    data = desk.home / "data"
    whole = {"vault.json", "unlocked.key", "signer.json", "genesis.cbor"}
    for steps in range(40):
        command = [sys.executable, "-c", FOUNDING, str(data), str(steps)]
        code = subprocess.run(command, check=False).returncode
        made = desk.folder.exists()
        if made:
            assert {path.name for path in desk.folder.iterdir()} == whole
            assert desk.run("show") == 0
            assert "unlocked" in desk.out
            break
        assert code == -signal.SIGKILL
    assert made
    assert steps > 5
