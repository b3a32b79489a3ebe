import json

import pytest


@pytest.fixture
def tier(standing):
    return standing.tier


def test_check_says_the_tier(shell, tier):
    assert shell.run("sandbox", "check") == 0
    assert shell.out.startswith(f"tier {tier}: ")
    assert "OPEN" not in shell.out
    assert shell.run("sandbox", "check", "--json") == 0
    told = json.loads(shell.out)
    assert told["tier"] == tier
    assert {"files", "network", "tree memory"} <= {one["axis"] for one in told["axes"]}
    assert told["ground"]["bwrap"].startswith("/")


def test_run(shell, tier):
    assert shell.run("sandbox", "run", "--", "sh", "-c", "echo out; echo err >&2") == 0
    assert (shell.out, shell.err) == ("out\n", "err\n")
    assert shell.run("sandbox", "run", "--", "sh", "-c", "exit 7") == 1
    assert "exit code 7" in shell.err
    assert shell.run("sandbox", "run", "--", "nothing-such") == 1
    assert "cannot run nothing-such" in shell.err


def test_run_as_json(shell, tier):
    words = ("--json", "--wall-s", "0.5", "--env", "A=b", "--", "sh", "-c", "echo $A; sleep 9")
    assert shell.run("sandbox", "run", *words) == 1
    told = json.loads(shell.out)
    assert (told["why"], told["stdout"], told["tier"]) == ("wall clock", "b\n", tier)
    assert told["changes"] is None


def test_standard_input_goes_in_only_when_told(shell, tier):
    assert shell.run("sandbox", "run", "--stdin", "--", "cat", stdin="hello") == 0
    assert shell.out == "hello"
    assert shell.run("sandbox", "run", "--", "cat", stdin="hello") == 0
    assert shell.out == ""


def test_limits(shell, tier):
    words = ("--memory", "64m", "--open-files", "33", "--", "sh", "-c", "ulimit -d; ulimit -n")
    assert shell.run("sandbox", "run", *words) == 0
    assert shell.out.split() == ["65536", "33"]


def test_an_overlay_is_listed_and_applied_when_told(shell, tier):
    (shell.home / "a").write_text("one\n")
    change = ("--", "sh", "-c", "echo two >> a; echo new > b")
    assert shell.run("sandbox", "run", "--overlay", *change) == 0
    assert [line.split() for line in shell.err.splitlines()[1:]] == [
        ["changed", "a"],
        ["added", "b"],
    ]
    assert not (shell.home / "b").exists()
    assert shell.run("sandbox", "run", "--overlay", "--apply", *change) == 0
    assert "applied" in shell.err
    assert (shell.home / "a").read_text() == "one\ntwo\n"
    assert (shell.home / "b").read_text() == "new\n"


def test_what_is_refused_is_not_applied(shell, tier):
    words = ("--overlay", "--apply", "--", "sh", "-c", "ln -s /etc out; echo x > b")
    assert shell.run("sandbox", "run", *words) == 3
    assert "a link out of the workspace" in shell.err
    assert not (shell.home / "b").exists()


def test_hermes_own_files_are_not_shown(shell, tier):
    (shell.home / "state" / "data").mkdir(parents=True)
    (shell.home / "state/data/key").write_text("secret")
    words = ("--overlay", "--", "sh", "-c", "cat state/data/key state/*/*; true")
    assert shell.run("sandbox", "run", *words) == 0
    assert "secret" not in shell.out


def test_a_failed_command_applies_nothing(shell, tier):
    words = ("--overlay", "--apply", "--", "sh", "-c", "echo x > b; exit 1")
    assert shell.run("sandbox", "run", *words) == 1
    assert not (shell.home / "b").exists()


def test_a_terminal_is_not_obeyed(shell, tier):
    words = ("sandbox", "run", "--", "printf", "a\\033]0;title\\007b")
    assert shell.run(*words, tty=True) == 0
    assert "\033" not in shell.out


@pytest.mark.parametrize(
    "words",
    [
        ["--apply", "--", "true"],
        ["--memory", "lots", "--", "true"],
        ["--processes", "0", "--", "true"],
        ["--env", "=x", "--", "true"],
        ["--read", "nowhere", "--", "true"],
        ["--overlay", "--workspace", "nowhere", "--", "true"],
        ["--"],
        ["--no-sandbox", "--", "true"],
    ],
)
def test_usage(shell, words):
    assert shell.run("sandbox", "run", *words) == 2


def test_the_doctor_knows_it(shell, tier):
    shell.run("doctor", "--quick", "--json")
    found = {check["check"]: check for check in json.loads(shell.out)}
    assert found["sandbox"]["detail"].startswith(f"tier {tier}")
    assert not found["sandbox"]["essential"]
