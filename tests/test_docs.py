"""Every shell block in README.md and docs/ that can run does run.

It can when its info string is `sh run` or its first line starts with `$ `: then the lines
that do are its commands and the others what they print.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh( run)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    for found in BLOCK.finditer(text):
        marked, body = found.groups()
        if body.startswith("$ "):
            lines = body.splitlines()
            yield "\n".join(line[2:] for line in lines if line.startswith("$ "))
        elif marked:
            yield body


CASES = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page.read_text()))
]


@pytest.mark.parametrize("block", CASES)
def test_block_runs(block, tmp_path):
    shutil.copy(ROOT / "README.md", tmp_path)
    programs = Path(sys.executable).parent
    env = os.environ | {
        "HERMES_V2_HOME": str(tmp_path / "home"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=tmp_path,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_what_is_marked_runs():
    text = "```sh\nmake chat\n```\n\n```sh\n$ echo a\na\n$ echo b\n```\n\n```sh run\nls\n```\n"
    assert list(blocks(text)) == ["echo a\necho b", "ls\n"]
