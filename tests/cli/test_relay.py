import json
import os
import signal
import subprocess
import sys

import pytest

KEY = "ab" * 32


def test_rules_are_printed_and_read_again(shell, tmp_path):
    assert shell.run("relay", "rules", "--owner", KEY) == 0
    (tmp_path / "rules.json").write_text(shell.out)
    assert shell.run("relay", "rules", "--rules", "rules.json", "--admit", "cd" * 32) == 0
    told = json.loads(shell.out)
    assert (told["owners"], told["admitted"]) == ([KEY], ["cd" * 32])


@pytest.mark.parametrize("text", ["", "{", '{"owner": "x"}', '{"owners": ["npub"]}'])
def test_rules_that_are_none(shell, tmp_path, text):
    (tmp_path / "rules.json").write_text(text)
    assert shell.run("relay", "rules", "--rules", "rules.json") == 2
    assert "hermes relay rules" in shell.err


@pytest.mark.parametrize(
    "words", ["--listen here", "--listen 127.0.0.1:99999", "--owner npub1x", "--rules none.json"]
)
def test_what_cannot_run(shell, words):
    assert shell.run("relay", *words.split()) == 2


@pytest.mark.parametrize(
    ("which", "told"),
    [
        ("hermes", "relay --listen 127.0.0.1:7447 --rules"),
        ("strfry", "ExecStart=/usr/local/bin/strfry"),
        ("strfry.conf", "maxEventSize = 60000"),
    ],
)
def test_files_for_running_it_for_good(shell, which, told):
    assert shell.run("relay", "unit", which, "--owner", KEY, "--url", "wss://r.example") == 0
    assert told in shell.out
    assert "$" not in shell.out


def test_nothing_slips_into_a_unit(shell):
    assert shell.run("relay", "unit", "strfry.conf", "--url", 'x"\nplugin = "evil') == 2


@pytest.mark.slow
def test_it_runs_until_it_is_asked_to_end(tmp_path):
    env = os.environ | {"HERMES_V2_HOME": str(tmp_path)}
    words = [sys.executable, "-m", "hermes.cli.main", "relay", "--listen", "127.0.0.1:0"]
    with subprocess.Popen([*words, "--owner", KEY], env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"relay at ws://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
