"""Patches that hurt, hide or help themselves, each through a whole trial of this very runtime."""

import base64
import json
import subprocess
import zlib
from contextlib import asynccontextmanager

import pytest
from git_words import git

from hermes.core.clock import SystemClock
from hermes.core.verdict import Verdict
from hermes.errors import BuildFailed, PatchInvalid
from hermes.successor.fork import fork_successor
from hermes.successor.judge.lint import Lint
from hermes.successor.judge.starts import Starts
from hermes.successor.judge.trusted import Trusted
from hermes.successor.order import Terms, Workshop
from hermes.successor.source import find_source
from hermes.successor.ward import ward_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
IDS = "hermes/core/ids.py"
TEST = "tests/core/test_ids_of_a_trial.py"
WORDS = """from hermes.core.ids import uuid7


def test_ids_differ():
    assert uuid7() != uuid7()
"""
TEE = '"tee": known("paths", "-a"),\n    "cat"'
LIMITS = {
    "wall_s": 120, "cpu_s": 60, "tests_s": 20, "box_wall_s": 6, "box_cpu_s": 20,
    "box_memory_mib": 256, "box_tree_memory_mib": 320, "box_processes": 24,
}  # fmt: skip


@pytest.fixture(scope="module")
def tested(checkout, tmp_path_factory):
    """The checkout, with a test and with small boxes."""
    root = tmp_path_factory.mktemp("tested")
    git(checkout, "clone", "-q", "--no-hardlinks", str(checkout), str(root / "repo"))
    for name, text in {
        TEST: WORDS,
        "tests/core/test_nothing_of_a_trial.py": "def test_nothing():\n    pass\n",
        "Makefile": "all:\n",
        "ci/budgets.json": json.dumps({"tiers": {"micro": LIMITS}}),
    }.items():
        place = root / "repo" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    git(root / "repo", "add", "-A")
    git(root / "repo", "commit", "-q", "-m", "tested")
    return root / "repo"


@pytest.fixture
def tried(tested, standing, open_data, book, lever):
    @asynccontextmanager
    async def opened():
        source = await find_source(str(tested))
        ward = await ward_of(standing)
        stages = (Lint(), Starts(), Trusted())
        yield Workshop(open_data, source, standing, ward, stages, book, lever, SystemClock())

    async def run(patch: str | bytes) -> Verdict:
        return await fork_successor(
            current_state=b"{}",
            architecture_patch=patch,
            evaluation_task="it still works",
            workshop=opened,
            terms=Terms(effort="micro", seed="ab"),
        ).complete()

    return run


@pytest.fixture
def edit(tested):
    """The diff of one file's change; None: the file goes."""

    def make(path, old, new):
        place = tested / path
        before = place.read_text()
        assert old in before
        if new is None:
            place.unlink()
        else:
            place.write_text(before.replace(old, new, 1))
        diff = git(tested, "diff", "--no-ext-diff", "HEAD")
        place.write_text(before)
        return diff

    return make


def first_no(verdict: Verdict) -> str:
    return next(one.stage for one in verdict.evidence if one.outcome == "fail")


@pytest.mark.parametrize(
    "patch",
    [
        b"",
        b"\n\n",
        b"words without a diff\n",
        b"--- a/hermes/core/ids.py\n+++ b/hermes/core/ids.py\n@@ -1 +1 @@\n-no such line\n+x\n",
        b"--- /dev/null\n+++ b/../outside\n@@ -0,0 +1 @@\n+x\n",
        (
            b"diff --git a/sub b/sub\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n"
            b"+++ b/sub\n@@ -0,0 +1 @@\n+Subproject commit " + b"1" * 40 + b"\n"
        ),
        (
            b"diff --git a/ln b/ln\nnew file mode 120000\n--- /dev/null\n+++ b/ln\n@@ -0,0 +1 @@\n"
            b"+/etc/passwd\n\\ No newline at end of file\n"
        ),
        b"--- a/hermes/core/ids.py\n+++ b/a\n@@ -1 +1 @@\n-" + b"x" * (10 << 20),
    ],
    ids=["empty", "blank", "no diff", "not applying", "outside", "submodule", "link", "10 MB"],
)
async def test_what_is_no_patch_is_never_tried(tried, book, patch):
    with pytest.raises((PatchInvalid, BuildFailed)) as caught:
        await tried(patch)
    assert len(caught.value.message) < 2_000
    assert book.told == []


async def test_a_binary_file_is_refused(tried):
    data = zlib.compress(bytes(range(40)))
    line = "n" + base64.b85encode(data + b"\0" * (-len(data) % 4)).decode()
    patch = (
        "diff --git a/hermes/core/data.bin b/hermes/core/data.bin\nnew file mode 100644\n"
        "index 0000000000000000000000000000000000000000.."
        f"{git_blob(bytes(range(40)))}\nGIT binary patch\nliteral 40\n"
        f"{length(len(data))}{line[1:]}\n\nliteral 0\nHcmV?d00001\n\n"
    )
    verdict = await tried(patch)
    assert (verdict.word, first_no(verdict)) == ("reject", "lint")
    assert "not text" in verdict.reasons[0]


def git_blob(data: bytes) -> str:
    argv = ["git", "hash-object", "--stdin"]
    return subprocess.run(argv, input=data, capture_output=True, check=True).stdout.decode().strip()


def length(count: int) -> str:
    """How git writes the bytes of a line of a binary patch."""
    return chr(ord("A") + count - 1) if count <= 26 else chr(ord("a") + count - 27)


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("while True:\n    pass\n", {"wall clock", "cpu"}),
        ("time.sleep(3600)\n", {"wall clock"}),
        ("while True:\n    os.fork()\n", {"processes", "cpu", "wall clock"}),
        ("KEPT = [bytearray(1 << 20) for _ in range(100_000)]\n", {"memory"}),
        ("while True:\n    os.write(1, b'x' * 65536)\n", {"output"}),
    ],
    ids=["busy", "asleep", "forking", "memory", "output"],
)
async def test_what_hurts_ends_at_a_limit(tried, edit, code, limit):
    verdict = await tried(
        edit(IDS, 'NodeId = NewType("NodeId", str)\n', f'NodeId = NewType("NodeId", str)\n{code}')
    )
    assert (verdict.word, first_no(verdict)) == ("reject", "starts")
    one_process = "MemoryError" in verdict.reasons[0] or "BlockingIOError" in verdict.reasons[0]
    assert set(verdict.limits) & limit or one_process


@pytest.mark.parametrize(
    ("path", "old", "new", "mark"),
    [
        (TEST, "def", None, "it deletes a part of the tests"),
        (TEST, "assert uuid7() != uuid7()", "assert True", "it changes a part of the tests"),
        ("hermes/policy/read_table.py", '"cat"', TEE, "a part of the policy"),
        ("hermes/successor/weighing.py", 'return "reject"', 'return "approve"', "the gate"),
        ("hermes/successor/judge/lint.py", "_IDS = 50", "_IDS = 5", "the judge and the gate"),
        ("hermes/sandbox/limits.py", "processes: int = 64", "processes: int = 9999", "the sandbox"),
        ("ci/budgets.json", '"cpu_s": 60', '"cpu_s": 6000', "build files"),
        ("Makefile", "all:", "all: all", "build files"),
    ],
)  # fmt: skip
async def test_who_helps_himself_needs_a_person(tried, edit, path, old, new, mark):
    verdict = await tried(edit(path, old, new))
    assert any(mark in one and path in one for one in verdict.person_only), verdict.person_only
    tests = next(one for one in verdict.evidence if one.stage == "tests")
    assert "all 2 tests" in tests.says


async def test_an_honest_patch_is_open_to_every_door(tried, edit):
    verdict = await tried(edit(IDS, "Identifiers: ", "Names: "))
    assert verdict.word == "approve"
    assert verdict.person_only == ()
