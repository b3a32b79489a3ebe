"""Something to attack: files, a process and doors of ours, for any user of this machine."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hermes.sandbox.standing import Standing

ATTACKS = Path(__file__).with_name("attacks")
NAMES = [line.partition("def ")[2].partition("(")[0] for line in
         (ATTACKS / "attack.py").read_text().split("# The view.")[1].splitlines()
         if line.startswith("def ") and line.endswith("():")]  # fmt: skip


@dataclass(frozen=True)
class Aim:
    """Where everything is, as the attacks want it."""

    folder: Path
    told: dict

    @property
    def words(self):
        return json.dumps(self.told)


def account_of(standing: Standing):
    """As whom the control runs: the very user that the sandbox is started as."""
    account = standing.ground.account
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


@contextlib.contextmanager
def aimed(standing: Standing):
    folder = Path(tempfile.mkdtemp(prefix="hermes-aim-", dir="/tmp"))
    secret = secrets.token_hex(16)
    try:
        for name in ("repo/.git/hooks", "venv", "scratch"):
            (folder / name).mkdir(parents=True)
        for name in ("key", "db", "repo/module.py", "repo/.git/config"):
            (folder / name).write_text(f"{secret}\n")
        shutil.copy("/usr/bin/id", folder / "id")
        account = standing.ground.account
        for path in [folder, *folder.rglob("*")]:
            if account:
                os.chown(path, account.uid, account.gid)
            path.chmod(0o755 if path.name == "id" else 0o777 if path.is_dir() else 0o666)
        if os.geteuid() == 0:
            os.chown(folder / "id", 0, 0)
            (folder / "id").chmod(0o4755)
        python = standing.ground.python
        victim = subprocess.Popen(
            [python, "-I", "-S", "-B", "-c", (ATTACKS / "victim.py").read_text(), folder, secret],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"SECRET": secret}, cwd="/",
            **account_of(standing),
        )  # fmt: skip
        with victim:
            told = json.loads(victim.stdout.readline())
            places = {name: f"{folder}/{name}" for name in ("key", "db", "repo", "venv")}
            yield Aim(folder, {**told, **places, "setuid": f"{folder}/id", "secret": secret})
            victim.stdin.close()
    finally:
        shutil.rmtree(folder)


def outside(standing: Standing, aim: Aim, names) -> dict[str, str]:
    """The same attacks without a sandbox, as the same user."""
    code = (ATTACKS / "attack.py").read_text()
    held = os.open(aim.folder / "repo/module.py", os.O_RDWR)
    try:
        done = subprocess.run(
            [standing.ground.python, "-I", "-S", "-B", "-", aim.words, *names],
            input=code.encode(), stdout=subprocess.PIPE, cwd="/", check=True, timeout=50,
            env={"SECRET": aim.told["secret"], "TMPDIR": f"{aim.folder}/scratch"},
            pass_fds=[held], start_new_session=True, **account_of(standing),
        )  # fmt: skip
    finally:
        os.close(held)
    return read(done.stdout)


def weak(standing: Standing, aim: Aim, names) -> dict[str, str]:
    """The same attacks in a sandbox of namespaces alone: the whole disk, all rights."""
    done = subprocess.run(
        [standing.ground.bwrap, "--dev-bind", "/", "/", "--unshare-user", "--unshare-pid",
         "--unshare-net", "--proc", "/proc", "--uid", "0", "--gid", "0", "--cap-add", "ALL",
         "--die-with-parent", standing.ground.python, "-I", "-S", "-B", "-", aim.words, *names],
        input=(ATTACKS / "attack.py").read_bytes(), stdout=subprocess.PIPE, cwd="/", check=True,
        timeout=50, env={"TMPDIR": f"{aim.folder}/scratch"}, **account_of(standing),
    )  # fmt: skip
    return read(done.stdout)


def read(text: bytes) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.decode().splitlines())
