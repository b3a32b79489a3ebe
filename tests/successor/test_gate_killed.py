"""Killed at any step, the runtime is the old version or the new one, and the deed can go on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gate_house import gate_house, little, off

from hermes.successor.pointer import CRASHES, Notes, Pointer

CHILD = Path(__file__).with_name("gate_child.py")
STEPS = ("approved", "written down", "committed", "laid", "tested", "switched")
BACK = ("rolled back",)


@pytest.fixture
def checkout(tmp_path):
    return little(tmp_path / "checkout")


def dies(base, checkout, name, what, at) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(CHILD), str(base), str(checkout), name, what, str(at)],
        capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": f"{CHILD.parent}:{CHILD.parents[2]}"},
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("at", range(1, len(STEPS) + 1))
async def test_adoption_killed_after_any_step(tmp_path, checkout, at):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
    assert await off(dies, tmp_path, checkout, name, "adopt", at) == list(STEPS[:at])
    async with gate_house(tmp_path, checkout) as house:
        current = await house.current()
        assert current == ("v0.2.0" if STEPS[at - 1] == "switched" else "")
        await house.adopting.mend()
        if not current:
            assert (await house.adopting.adopt(name)).tag == "v0.2.0"
        assert await house.current() == "v0.2.0"
        assert (await house.notes()).stage == "probation"
        assert len(await house.records.adoptions()) == 1
        assert await house.store.verify() == ()
        assert await house.adopting.roll_back("enough") == ""


async def test_going_back_killed_after_the_link_changed(tmp_path, checkout):
    async with gate_house(tmp_path, checkout) as house:
        name = await house.candidate()
        await house.yes(name)
        await house.adopting.adopt(name)
    await off(dies, tmp_path, checkout, name, "back", 1)
    async with gate_house(tmp_path, checkout) as house:
        assert await house.current() == ""
        assert (await house.notes()).stage == "left"
        await house.adopting.mend()
        (row,) = await house.records.adoptions()
        assert (row.outcome, row.why) == ("rolled back", "killed")
        assert await house.notes() == Notes()


def lay(pointer: Pointer, tag: str) -> None:
    place = pointer.place(tag) / "hermes" / "cli"
    place.mkdir(parents=True)
    (place / "main.py").write_text(f"TAG = {tag!r}\n")
    (pointer.folder / f"{tag}.json").write_text("{}")


def test_killed_while_the_link_changes_it_is_one_or_the_other(tmp_path):
    pointer = Pointer(tmp_path / "data")
    for tag in ("v0.2.0", "v0.3.0"):
        lay(pointer, tag)
    seen = set()
    for round_ in range(8):
        child = subprocess.Popen(
            [sys.executable, str(CHILD), str(tmp_path), "flip"], stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": f"{CHILD.parent}:{CHILD.parents[2]}"},
        )  # fmt: skip
        assert child.stdout.readline() == b"flips\n"
        for _ in range(200 + 37 * round_):
            seen.add(pointer.named())
        child.kill()
        child.wait()
        child.stdout.close()
        assert pointer.current() in {"v0.2.0", "v0.3.0", ""}
        assert pointer.named() == pointer.current()
    assert seen <= {"v0.2.0", "v0.3.0", ""}


@pytest.mark.parametrize("stage", ["trying", "probation", "kept", "leaving", "left"])
@pytest.mark.parametrize("named", ["v0.2.0", ""])
def test_notes_and_link_agree_after_any_end(tmp_path, stage, named):
    pointer = Pointer(tmp_path / "data")
    lay(pointer, "v0.2.0")
    pointer.point(named)
    pointer.note(Notes(stage, "v0.2.0", "", "cid", 1, "why"))
    mended = pointer.mend()
    assert pointer.mend() == mended
    runs = pointer.current() == "v0.2.0"
    if stage == "leaving":
        assert not runs
    expected = {True: {"probation", "kept", "left"}, False: {"trying", "left"}}
    assert mended.stage in expected[runs]
    assert not (runs and mended.stage == "left" and stage != "left")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"tag": 3}', b'{"tag": "../../etc"}', b"\xff"]
)
def test_notes_that_cannot_be_read_are_none(tmp_path, data):
    pointer = Pointer(tmp_path / "data")
    pointer.folder.mkdir(parents=True)
    (pointer.folder / "notes.json").write_bytes(data)
    assert pointer.notes() == Notes()


@pytest.mark.parametrize("link", ["../../../etc", "v9.9.9", "/usr", "repo.git", "v0.2.0/hermes"])
def test_a_link_that_leads_elsewhere_is_the_installed_code(tmp_path, link):
    pointer = Pointer(tmp_path / "data")
    lay(pointer, "v0.2.0")
    (pointer.folder / "current").symlink_to(link)
    assert pointer.current() == ""


def test_a_version_without_its_leaf_is_none(tmp_path):
    pointer = Pointer(tmp_path / "data")
    lay(pointer, "v0.2.0")
    pointer.point("v0.2.0")
    (pointer.folder / "v0.2.0.json").unlink()
    assert pointer.current() == ""
    with pytest.raises(FileNotFoundError):
        pointer.point("v0.2.0")


def ended_child() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_crashes_in_a_row_are_counted_and_a_good_end_forgets_them(tmp_path):
    pointer = Pointer(tmp_path / "data")
    pointer.folder.mkdir(parents=True)
    for _ in range(CRASHES):
        pointer.began(ended_child())
    pointer.began(os.getpid())  # this one lives
    assert pointer.crashes() == CRASHES
    pointer.ended(os.getpid())
    assert pointer.crashes() == 0
    pointer.began(ended_child())
    assert pointer.crashes() == 1


HERMES = [sys.executable, "-P", "-m", "hermes.cli.main"]
MAIN = """import sys
def begin():
    print("version", __file__.split("/")[-4], sys.argv[1:], sys.flags.isolated, flush=True)
    return 0
"""


def start(home: Path, *words: str, **env: str) -> subprocess.CompletedProcess:
    plain = {"PATH": os.environ["PATH"], "HERMES_V2_HOME": str(home), "PYTHONPATH": "/nowhere"}
    return subprocess.run(
        [*HERMES, *words], capture_output=True, text=True, check=False, env=plain | env
    )


@pytest.fixture
def adopted(tmp_path):
    pointer = Pointer(tmp_path / "data")
    for tag in ("v0.2.0", "v0.3.0"):
        lay(pointer, tag)
        (pointer.place(tag) / "hermes" / "cli" / "main.py").write_text(MAIN)
        (pointer.place(tag) / "hermes" / "__init__.py").write_text("")
    pointer.point("v0.3.0")
    return pointer


def test_the_current_version_is_started_in_the_place_of_the_installed_one(tmp_path, adopted):
    assert start(tmp_path, "log", "root").stdout == "version v0.3.0 ['log', 'root'] 1\n"
    adopted.point("v0.2.0")
    assert start(tmp_path, "node").stdout == "version v0.2.0 ['node'] 1\n"
    adopted.point("")
    assert "usage" in start(tmp_path, "--help").stdout


def test_the_installed_code_can_be_asked_for(tmp_path, adopted):
    assert "usage" in start(tmp_path, "--help", HERMES_V2_VERSION="installed").stdout
    assert start(tmp_path, "--version").stdout == "hermes 0.1.0\nv0.3.0, adopted here\n"


def test_a_link_to_nothing_is_said_and_the_installed_code_runs(tmp_path, adopted):
    (adopted.folder / "v0.3.0.json").unlink()
    done = start(tmp_path, "--help")
    assert "usage" in done.stdout
    assert "v0.3.0" in done.stderr


def test_a_crash_loop_is_left_before_anything_else_is_imported(tmp_path, adopted):
    adopted.note(Notes("probation", "v0.3.0", "v0.2.0", "cid", 1))
    for _ in range(CRASHES - 1):
        adopted.began(ended_child())
    assert start(tmp_path, "node").stdout.startswith("version v0.3.0")
    adopted.began(ended_child())
    done = start(tmp_path, "node")
    assert done.stdout.startswith("version v0.2.0")
    assert "fell 3 times" in done.stderr
    assert adopted.current() == "v0.2.0"
    notes = adopted.notes()
    assert (notes.stage, notes.tag) == ("left", "v0.3.0")
    assert "badly" in notes.why
    assert start(tmp_path, "node").stdout.startswith("version v0.2.0")
