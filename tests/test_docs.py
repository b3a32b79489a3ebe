"""Every shell block in README.md and docs/ that can run does run.

It can when its info string is `sh run` or its first line starts with `$ `: then the lines
that do are its commands and the others what they print. `sh run on` goes on in the shell of
the block before. What a block leaves running ends with it.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh( run)?( on)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 170


def blocks(text):
    found = []
    for marked, on, body in BLOCK.findall(text):
        if body.startswith("$ "):
            lines = body.splitlines()
            found.append("\n".join(line[2:] for line in lines if line.startswith("$ ")))
        elif on:
            found[-1] += body
        elif marked:
            found.append(body)
    return found


def case(block, page, number):
    """The README's are run with the fast tests, the others with the slow ones."""
    slow = [pytest.mark.slow, pytest.mark.timeout(LIMIT_S + 10)]
    marks = [] if page.name == "README.md" else slow
    return pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}", marks=marks)


CASES = [
    case(block, page, number)
    for page in PAGES
    for number, block in enumerate(blocks(page.read_text()))
]


def run(block, folder):
    """The exit code and what it said, both streams in one."""
    programs = Path(sys.executable).parent
    env = os.environ | {
        "HERMES_V2_HOME": str(folder / "home"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    said = folder / "said.txt"
    # Not a pipe: what runs in the background would hold it open.
    with said.open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = shell.wait(LIMIT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    return code, said.read_text()


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # reaped already
        return False


@pytest.mark.parametrize("block", CASES)
def test_block_runs(block, tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    code, said = run(block, tmp_path)
    assert code == 0, said


def test_only_what_is_marked_runs():
    text = "```sh\nmake chat\n```\n\n```sh\n$ echo a\na\n$ echo b\n```\n\n```sh run\nls\n```\n"
    assert blocks(text) == ["echo a\necho b", "ls\n"]


def test_a_block_can_go_on_where_the_one_before_ended():
    text = "```sh run\na=1\n```\n\nand then\n\n```sh run on\necho $a\n```\n\n```sh run\nls\n```\n"
    assert blocks(text) == ["a=1\necho $a\n", "ls\n"]


def test_what_a_block_leaves_running_ends_with_it(tmp_path):
    code, said = run("sleep 600 & echo $!", tmp_path)
    assert code == 0
    deadline = time.monotonic() + 20  # a process that was killed takes a moment to end
    while running(int(said)):
        assert time.monotonic() < deadline


def test_a_block_that_fails_half_way_is_seen(tmp_path):
    assert run("echo one; false; echo two", tmp_path) == (1, "one\n")
