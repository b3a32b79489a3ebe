import json
import os
import socket
import sqlite3
import time

import pytest

from hermes.chain.headers import head
from hermes.errors import OwnerGone, StoreOwned
from hermes.gateway.client import RemoteError
from hermes.successor.pointer import Notes, Pointer
from hermes.testing.door import ScriptedDoor

SIZE = {
    "profile": "native",
    "window": 4096,
    "total": 250,
    "method": "tokenizer",
    "parts": [{"name": "system", "tokens": 250, "bytes": 900}],
}
STOPS = {"reason": "", "remedy": "", "begun_today": 2, "most_a_day": 48}


def door(**changes):
    answers = {
        "context": SIZE,
        "models.list": [{"model": "ember", "current": True}],
        "skins.list": [{"name": "hermes"}, {"name": "plain"}],
        "successor.status": {"stops": STOPS},
    }
    return ScriptedDoor(answers=answers | changes, status={"clients": 2})


def checks(shell, *words):
    code = shell.run("doctor", "--json", *words)
    return code, {check["check"]: check for check in json.loads(shell.out)}


def test_without_an_owner_everything_is_looked_at_from_outside(shell):
    shell.door = door()
    code, found = checks(shell)
    assert code == 0
    assert found["owner"]["detail"].startswith("none runs")
    assert "native: 250 of 4,096 tokens (tokenizer), 900 bytes" in found["prompt"]["detail"]
    assert set(found["python"]) == {"check", "ok", "detail", "remedy", "essential"}
    assert found["sqlite"]["ok"]
    live, _ = shell.opened[0]
    assert not live.data_dir.is_relative_to(shell.home)  # a throw-away store
    assert not (shell.home / "state").exists()


def test_a_running_owner_is_asked_and_no_store_opened(shell):
    shell.door, shell.running = door(), True
    code, found = checks(shell)
    assert code == 0
    assert found["owner"]["detail"] == "pid 1, 1 attached besides this look"
    assert shell.opened == []


def test_quick_starts_nothing(shell):
    shell.door = door()
    code, found = checks(shell, "--quick")
    assert code == 0
    assert "prompt" not in found
    assert shell.opened == []


def test_a_store_is_judged_by_its_bytes_and_not_touched(shell):
    data = shell.home / "state" / "data"
    data.mkdir(parents=True, mode=0o700)
    path = data / "hermes.db"
    with sqlite3.connect(path) as database:
        database.execute("create table t(x)")
    database.close()
    whole = path.read_bytes()
    before = path.stat()
    code, found = checks(shell, "--quick")
    assert code == 0
    assert found["store"]["ok"]
    path.write_bytes(whole[:-512])
    code, found = checks(shell, "--quick")
    assert code == 1
    assert "is cut" in found["store"]["detail"]
    path.write_bytes(b"x" * len(whole))
    code, found = checks(shell, "--quick")
    assert code == 1
    assert "no database" in found["store"]["detail"]
    assert sorted(p.name for p in data.iterdir()) == ["hermes.db"]
    assert path.stat().st_ino == before.st_ino


def test_what_stops_a_chat_fails_the_doctor(shell):
    shell.door = door(**{"skins.list": [{"name": "plain"}]})
    code, found = checks(shell)
    assert code == 1
    assert "plain" in found["skins"]["remedy"]
    shell.error = StoreOwned("the engine does not start", "say why")
    code, found = checks(shell)
    assert code == 1
    assert found["model"]["remedy"] == "say why"


def test_an_owner_that_breaks_off_is_a_finding_not_an_end(shell):
    broke = OwnerGone("the connection is closed", "try again")
    shell.error = ExceptionGroup("g", [ExceptionGroup("h", [broke])])
    code, found = checks(shell)
    assert code == 1
    assert found["model"]["detail"] == "the connection is closed"
    assert found["python"]["ok"]


def test_a_bad_model_file_and_a_long_runtime_directory_are_found(shell):
    model = shell.home / "m.gguf"
    model.write_bytes(b"not one")
    long = shell.home / ("x" * 90)
    long.mkdir()
    code = shell.run("doctor", "--quick", HERMES_V2_MODEL=str(model), XDG_RUNTIME_DIR=str(long))
    assert code == 1
    assert "is no GGUF" in shell.out
    assert "too long for sockets" in shell.out


def test_a_broken_config_is_a_finding_not_an_end(shell):
    config = shell.home / "state" / "config"
    config.mkdir(parents=True)
    (config / "config.toml").write_text("mode = 'wild'")
    code, found = checks(shell, "--quick")
    assert code == 1
    assert not found["config"]["ok"]


@pytest.mark.parametrize("error", [OwnerGone("it quit"), RemoteError("it quit", "", "OwnerGone")])
def test_an_owner_that_quits_meanwhile_is_no_finding(shell, error):
    asked = []

    def gone_at_first(**_arguments):
        asked.append(1)
        if len(asked) == 1:
            raise error
        return SIZE

    shell.running, shell.door = True, door(context=gone_at_first)
    code, found = checks(shell)
    assert code == 0
    assert "model" not in found
    assert found["prompt"]["ok"]


GENESIS = {
    "fingerprint": "abcd1234",
    "soul": "aa",
    "soul_now": "aa",
    "signer": {"locked": False, "problem": ""},
}
STATUS = {"halted": None, "anchors": [], "network": "regtest"}


@pytest.fixture
def folder(shell):
    """An identity's directory as it looks from outside."""
    folder = shell.home / "state" / "data" / "identity"
    folder.mkdir(parents=True, mode=0o700)
    for name in ("genesis.cbor", "vault.json", "signer.json", "unlocked.key"):
        (folder / name).touch(0o600)
    return folder


def test_without_an_identity_nothing_is_said_about_one(shell):
    _, found = checks(shell, "--quick")
    assert not {"identity", "anchors", "headers", "chain"} & set(found)
    assert found["clock"]["ok"]


def test_the_files_of_an_identity_are_looked_at(shell, folder):
    _, found = checks(shell, "--quick")
    assert found["identity"]["detail"] == "unlocks itself, with unlocked.key"
    (folder / "unlocked.key").chmod(0o644)
    _, found = checks(shell, "--quick")
    assert found["identity"]["remedy"] == f"chmod 600 {folder / 'unlocked.key'}"
    (folder / "unlocked.key").unlink()
    _, found = checks(shell, "--quick")
    assert "takes the passphrase" in found["identity"]["detail"]
    (folder / "signer.json").unlink()
    _, found = checks(shell, "--quick")
    assert "identity restore" in found["identity"]["remedy"]


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({}, ""),
        ({"soul_now": "bb"}, "hermes identity attest"),
        ({"signer": {"locked": True, "problem": ""}}, "hermes identity unlock"),
        ({"signer": {"locked": True, "problem": "no key"}}, "hermes identity unlock"),
    ],
)
def test_a_running_owner_says_how_its_signer_stands(shell, folder, changes, remedy):
    answers = {"identity.show": GENESIS | changes, "anchor.status": STATUS}
    answers["successor.status"] = {"stops": STOPS}
    shell.door, shell.running = ScriptedDoor(answers=answers), True
    code, found = checks(shell, "--quick")
    assert code == 0
    assert (found["identity"]["remedy"], found["identity"]["ok"]) == (remedy, not remedy)


def test_a_clock_behind_what_was_written_is_found(shell, folder):
    store = shell.home / "state" / "data" / "hermes.db"
    store.touch()
    later = time.time() + 3600
    os.utime(store, (later, later))
    code, found = checks(shell, "--quick")
    assert code == 1
    assert str(store) in found["clock"]["detail"]
    assert "set the clock" in found["clock"]["remedy"]


@pytest.mark.parametrize(("network", "fine"), [("signet", False), ("regtest", True)])
def test_old_headers_are_named_where_others_mine(shell, network, fine):
    file = shell.home / "state" / "data" / "headers" / f"{network}.headers"
    file.parent.mkdir(parents=True)
    days = int(time.time()) - 3 * 86_400
    header = bytes(68) + days.to_bytes(4, "little") + bytes(8)
    file.write_bytes(head(network, 0) + bytes(80) + header + b"torn")
    config = shell.home / "state" / "config"
    config.mkdir()
    (config / "config.toml").write_text(f'[chain]\nnetwork = "{network}"\n')
    _, found = checks(shell, "--quick")
    assert "3 days old" in found["headers"]["detail"]
    assert found["headers"]["ok"] == fine
    file.write_bytes(b"none")
    code, found = checks(shell, "--quick")
    assert code == 0
    assert "holds no headers" in found["headers"]["detail"]


def test_the_chain_is_dialled_only_where_one_is_set(shell):
    config = shell.home / "state" / "config"
    config.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (config / "config.toml").write_text(f'[chain]\nbackend = "core+http://127.0.0.1:{port}"\n')
    shell.door = door()
    code, found = checks(shell)
    assert code == 0
    assert not found["chain"]["ok"]
    assert str(port) in found["chain"]["detail"]
    _, found = checks(shell, "--quick")
    assert "chain" not in found


def test_which_version_runs_and_how_to_leave_it(shell):
    shell.door = door()
    data = shell.home / "state" / "data"
    folder = data / "versions"
    _, found = checks(shell, "--quick")
    assert found["version"]["detail"] == "the installed code, 0.1.0"
    pointer = Pointer(data)
    (folder / "v0.2.0" / "hermes" / "cli").mkdir(parents=True)
    (folder / "v0.2.0" / "hermes" / "cli" / "main.py").write_text("")
    (folder / "v0.2.0.json").write_text("{}")
    pointer.point("v0.2.0")
    pointer.note(Notes("probation", "v0.2.0"))
    _, found = checks(shell, "--quick")
    assert found["version"]["detail"] == "v0.2.0, adopted here"
    assert (found["probation"]["ok"], found["probation"]["essential"]) == (True, False)
    pointer.began(2**22 + 1)  # no process has that number
    _, found = checks(shell, "--quick")
    assert not found["probation"]["ok"]
    assert "1 of 3 starts" in found["probation"]["detail"]
    assert found["probation"]["remedy"] == "hermes successor rollback"
    (folder / "v0.2.0.json").unlink()
    _, found = checks(shell, "--quick")
    assert "not there whole" in found["version"]["detail"]


def test_what_stops_trials_and_what_they_lack(shell):
    shell.door, shell.running = door(), True
    _, found = checks(shell, "--quick")
    assert found["stops"]["detail"] == "none; 2 of 48 trials today"
    halted = {"reason": "48 trials began", "remedy": "wait", "begun_today": 48, "most_a_day": 48}
    shell.door = door(**{"successor.status": {"stops": halted}})
    _, found = checks(shell, "--quick")
    assert (found["stops"]["ok"], found["stops"]["remedy"]) == (False, "wait")
    data = shell.home / "state" / "data"
    data.mkdir(parents=True, exist_ok=True)
    (data / "emergency_stop.flag").write_text("enough\n")
    _, found = checks(shell, "--quick")
    assert found["stops"]["detail"] == "nothing is tried or adopted: enough"
    assert found["stops"]["remedy"] == "hermes successor resume"
    config = shell.home / "state" / "config"
    config.mkdir(exist_ok=True)
    (config / "config.toml").write_text('[successor]\nsource = "/nowhere"\n')
    _, found = checks(shell, "--quick")
    assert not found["trials"]["ok"]
    assert "set successor.source" in found["trials"]["remedy"]
