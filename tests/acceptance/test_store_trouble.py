"""A store in trouble, through the door: a clear error, and nothing lost."""

import contextlib
import json
import os
import resource
import sqlite3

import pytest
from stranger import call

from benchmarks.measure import HERMES

NO_OTHER = "another user cannot run this checkout"
NOBODY = 65534


def said(stranger, text="walrus"):
    done = stranger.ask(text, *stranger.script({"text": f"said {text}"}), check=True)
    return done.conversation


def database(stranger):
    return stranger.state / "data" / "hermes.db"


def test_a_corrupt_database_is_named_and_left_alone(stranger):
    said(stranger)
    path = database(stranger)
    broken = b"no database at all" * 1_000
    path.write_bytes(broken)
    for words in (["chat", "-m", "hi"], ["conversations", "list"], ["memory", "list"]):
        done = stranger.run(*words)
        assert done.code == 1, done
        assert "hermes.db" in done.err
        assert done.out == ""
    assert path.read_bytes() == broken
    assert stranger.run("doctor").code in {1, 4}


def test_a_damaged_page_is_no_crash(stranger):
    for number in range(5):
        said(stranger, f"walrus {number} " * 500)
    path = database(stranger)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 8192))
    done = stranger.ask("hi", *stranger.script({"text": "x"}))
    assert done.code == 1
    assert "damaged" in done.err or "damaged" in done.out


def test_a_newer_store_is_left_alone(stranger):
    conversation = said(stranger)
    change = "UPDATE meta SET value = ? WHERE key = 'min_reader'"
    for version, code in (("999", 1), ("1", 0)):
        with contextlib.closing(sqlite3.connect(database(stranger))) as connection, connection:
            connection.execute(change, (version,))
        done = stranger.run("conversations", "show", conversation)
        assert done.code == code, done
        assert ("needs schema 999" in done.err) == bool(code)
        assert ("said walrus" in done.out) == (not code)


def test_a_directory_that_cannot_be_written(stranger):
    said(stranger)
    data = stranger.state / "data"
    other = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
    for path in (stranger.base, *stranger.base.rglob("*")):
        os.chown(path, *other.values(), follow_symlinks=False) if other else None
    data.chmod(0o500)
    done = stranger.plain([HERMES, "chat", "-m", "hi", *stranger.script({"text": "x"})], **other)
    data.chmod(0o700)
    if "hermes: " not in done.stderr and other:
        pytest.skip(NO_OTHER)  # the checkout lies where only root can read
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert done.stdout == ""


def test_a_home_that_cannot_be(stranger):
    (stranger.base / "file").write_text("")
    done = stranger.run("chat", "-m", "hi", env={"HERMES_V2_HOME": str(stranger.base / "file")})
    assert done.code == 2, done
    assert str(stranger.base / "file") in done.err
    assert "defect" not in done.err


def limited(size):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_loses_nothing(stranger):
    conversation = said(stranger)
    full = limited(database(stranger).stat().st_size)
    model = stranger.script({"text": "otter " * 90_000})
    done = stranger.plain(
        [HERMES, "chat", "--json", "-m", "seal " * 20_000, *model], preexec_fn=full
    )
    assert done.returncode == 1, (done.stdout[-500:], done.stderr)
    told = done.stdout[-2_000:] + done.stderr
    assert "the disk took no more" in told, told
    assert "Traceback" not in told
    shown = stranger.shown(conversation)
    assert shown["messages"][-1]["parts"][0]["text"] == "said walrus"
    assert said(stranger, "after")
    with contextlib.closing(sqlite3.connect(database(stranger))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_two_homes_know_nothing_of_each_other(stranger):
    said(stranger)
    other = {"HERMES_V2_HOME": str(stranger.base / "other")}
    assert json.loads(stranger.run("conversations", "list", "--json", env=other).out) == []
    assert len(json.loads(stranger.run("conversations", "list", "--json").out)) == 1


def test_a_second_command_attaches_to_the_first(stranger):
    model = stranger.script(call("Bash", command="cat fifo"), {"text": "first"})
    os.mkfifo(stranger.project / "fifo")
    live = stranger.start("go", *model)
    live.until("tool_started")
    second = stranger.ask("hi", *stranger.script({"text": "second"}))
    assert (second.code, second.last["text"]) == (0, "second")
    (stranger.project / "fifo").write_text("x")
    assert live.end() == 0
    assert live.events[-1]["text"] == "first"
