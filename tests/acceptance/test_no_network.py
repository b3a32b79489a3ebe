"""A turn needs no network, and nobody is called but servers on this machine, in a chat."""

import json
import shutil
import sys

import pytest
from stranger import call

from benchmarks.measure import HERMES
from benchmarks.owner import PROMPT
from benchmarks.terminal import terminal

NO_NAMESPACES = "this machine gives no network namespace"
# Python's own report of every address that this process looks up or connects to.
WATCHED = """
import os, sys
log = os.open(os.environ["HERMES_ADDRESSES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) or event == "socket.getaddrinfo":
        words = args[1] if event == "socket.connect" else args
        os.write(log, f"{event} {words[0]} {words[1]}\\n".encode())
sys.addaudithook(note)
sys.argv = ["hermes", *sys.argv[1:]]
from hermes.cli.main import main
sys.exit(main())
"""


def watched(stranger):
    """A command that notes its addresses, and a way to read them."""
    notes = stranger.base / "addresses"
    stranger.env["HERMES_ADDRESSES"] = str(notes)

    def addresses():
        return set(notes.read_text().splitlines()) if notes.exists() else set()

    return [sys.executable, "-c", WATCHED], addresses


def test_a_turn_works_where_there_is_no_network(stranger):
    unshare = shutil.which("unshare")
    alone = [unshare, "--user", "--map-root-user", "--net"]
    if unshare is None or stranger.plain([*alone, "true"]).returncode:
        pytest.skip(NO_NAMESPACES)
    stranger.write("a.txt", "walrus\n")
    done = stranger.plain([*alone, HERMES, "chat", "-m", "read a.txt", "--json"])
    assert done.returncode == 0, done
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert "walrus\n" in [event.get("result") for event in results]


def test_one_turn_calls_nobody(stranger):
    command, addresses = watched(stranger)
    stranger.write("a.txt", "walrus\n")
    done = stranger.plain([*command, "chat", "-m", "read a.txt"])
    assert (done.returncode, done.stderr) == (0, "")
    model = stranger.script(call("Bash", command="echo hi"), {"text": "x"})
    assert stranger.plain([*command, "chat", "-m", "hi", *model]).returncode == 0
    for words in (["conversations", "list"], ["memory", "list"], ["jobs", "list"]):
        assert stranger.plain([*command, *words]).returncode == 0
    assert addresses() == set()


def test_the_first_chat_looks_at_loopback_only(stranger):
    command, addresses = watched(stranger)
    with terminal([*command, "chat"], stranger.env) as screen:
        screen.wait_for(PROMPT, 20)
        screen.type("hi\r")
        screen.wait_for(PROMPT, 20, since=len(screen.text))
    found = addresses()
    assert found
    assert {line.split()[1] for line in found} <= {"127.0.0.1", "::1", "localhost"}
    ports = {line.split()[2] for line in found}
    assert {"11434", "8080", "1234", "8000"} <= ports


def test_a_chat_that_is_told_not_to_look_does_not(stranger):
    stranger.config("search_servers = false\n")
    command, addresses = watched(stranger)
    with terminal([*command, "chat"], stranger.env) as screen:
        screen.wait_for(PROMPT, 20)
    assert addresses() == set()
