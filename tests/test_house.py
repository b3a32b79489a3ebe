import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import hermes

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LAYERS = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]


def test_exported_names_are_sorted_and_there():
    here = {name for name, value in vars(hermes).items() if not isinstance(value, ModuleType)}
    public = {name for name in here if not name.startswith("_")}
    assert hermes.__all__ == sorted(hermes.__all__)
    assert set(hermes.__all__) == public | {"__version__"}
    assert len(hermes.__all__) <= 20


def test_every_room_has_its_layer():
    layered = {name.strip(" ()") for layer in LAYERS for name in layer.split("|")}
    rooms = {path.stem for path in (ROOT / "hermes").iterdir() if not path.name.startswith("_")}
    assert rooms <= layered


def test_one_version():
    assert PROJECT["project"]["version"] == hermes.__version__


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ('"""A module."""\n\nX = 1\n', 1),
        ("# why\nX = (\n    1,\n)  # here\n", 3),
        ('def f():\n    """What.\n\n    More.\n    """\n    return 1\n', 2),
        ('X = """not\na docstring"""\n', 2),
        ('class A:\n    """Only words."""\n', 1),
    ],
)
def test_code_lines(text, count):
    assert runpy.run_path(str(ROOT / "scripts/lines.py"))["code_lines"](text) == count


@pytest.mark.parametrize(
    ("reason", "ci", "code"),
    [("too late today", "true", 1), ("too late today", "", 0), ("no llama-cpp-python", "true", 0)],
)
def test_ci_fails_on_an_unknown_skip(tmp_path, reason, ci, code):
    # The second test keeps pytest from saying that nothing ran.
    (tmp_path / "test_it.py").write_text(
        f"import pytest\n\ndef test_a():\n    pytest.skip({reason!r})\n\ndef test_b():\n    pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "--rootdir", ".", "test_it.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "tests"), "CI": ci, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert (reason in done.stdout) == (code == 1)
