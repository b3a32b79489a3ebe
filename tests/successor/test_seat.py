"""A box for tests that is opened before there is anything to test."""

import shutil
from dataclasses import replace

import anyio
import pytest
from anyio import to_thread
from small_trees import bench_of, plant

from hermes.successor.forest import OVER, change, link
from hermes.successor.judge.suite_run import Asked
from hermes.successor.judge.usher import Usher, unheard
from hermes.successor.trees import digest, digest_of, read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
PARENT = {
    "pyproject.toml": '[tool.pytest]\nmarkers = ["slow: slow"]\n',
    "hermes/__init__.py": "",
    "hermes/word.py": "WORD = 1\n",
    "tests/test_word.py": "from hermes.word import WORD\n\ndef test_word():\n  assert WORD == 1\n",
    "tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef one():\n    return 1\n",
    "tests/test_z.py": "import graphlib\n\ndef test_z(one):\n    assert one == 1\n",
}
ALL = Asked(("tests/test_word.py", "tests/test_z.py"), 30.0)


async def test_it_runs_what_was_built_later(standing, open_data):
    bench = await bench_of(standing, open_data, PARENT, {"hermes/word.py": "WORD = 2\n"})
    heard = []
    usher = Usher(lambda side, asked, ended: heard.append((side, ended >= asked)))
    parent = await usher.run(bench, "parent", ALL)
    assert list(parent.passed) == ["tests/test_word.py::test_word", "tests/test_z.py::test_z"]
    assert "graphlib" in parent.known.modules
    assert not any(one.startswith(("hermes", "tests")) for one in parent.known.modules)
    built = bench.candidate
    empty = built.with_name("new")
    await to_thread.run_sync(lambda: plant(empty, {"tests/.keep": ""}))
    async with anyio.create_task_group() as group:
        group.start_soon(usher.ahead, replace(bench, candidate=empty))
        await usher.loaded()
        await to_thread.run_sync(lambda: shutil.copytree(built, empty, dirs_exist_ok=True))
        told = await usher.run(bench, "candidate", ALL)
        group.cancel_scope.cancel()
    assert {one: word for one, (word, _) in told.outcomes.items()} == {
        "tests/test_word.py::test_word": "failed",
        "tests/test_z.py::test_z": "passed",
    }
    assert heard == [("parent", True), ("candidate", True)]


async def test_a_patch_of_every_test_lays_nothing_off(standing, open_data):
    bench = await bench_of(standing, open_data, PARENT, {})
    usher = Usher(unheard)
    parent = await usher.run(bench, "parent", ALL)
    new = bench.candidate.with_name("new")
    await to_thread.run_sync(lambda: [(new / one).mkdir(parents=True) for one in OVER])
    own = b"def test_word():\n    pass\n\n\ndef test_z():\n    pass\n"
    its = {name: (own, False) for name in PARENT if name.startswith("tests/")}
    word = {"hermes/word.py": (b"WORD = 2\n", False)}
    tree = replace(bench, candidate=new)
    async with anyio.create_task_group() as group:
        group.start_soon(usher.ahead, tree)
        await usher.loaded()
        await to_thread.run_sync(link, bench.parent, new)
        await to_thread.run_sync(change, new, its | word)
        told = await usher.run(tree, "candidate", ALL.of(list(parent.passed), 30.0))
        group.cancel_scope.cancel()
    assert told.outcomes["tests/test_word.py::test_word"][0] == "failed"


async def test_the_first_file_waits_for_nothing_of_others(standing, open_data):
    tree = PARENT | {
        "tests/far/conftest.py": "import this\n",
        "tests/far/test_far.py": "import sys\n\ndef test_far():\n    sys.modules['this']\n",
        "tests/test_named.py": "import inline_snapshot\n\ndef test_named(snapshot_check): pass\n",
        "tests/test_word.py": "import sys\n\ndef test_word():\n"
        "    assert not {'this', 'inline_' + 'snapshot'} & sys.modules.keys()\n",
    }
    bench = await bench_of(standing, open_data, tree, {})
    files = ("tests/test_word.py", "tests/far/test_far.py", "tests/test_named.py")
    told = await Usher(unheard).run(bench, "parent", Asked(files, 60.0))
    assert {one: word for one, (word, _) in told.outcomes.items()} == {
        "tests/test_word.py::test_word": "passed",
        "tests/far/test_far.py::test_far": "passed",
        "tests/test_named.py::test_named": "passed",
    }


FLOOD = """
import contextlib, os, stat
pipes = []
for one in range(3, 64):
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(one).st_mode):
            pipes.append(one)
while True:
    os.write(pipes[-1], b"x" * 65536)  # those before are its output, kept by pytest
"""


async def test_one_that_never_ends_to_talk_is_ended(standing, open_data):
    bench = await bench_of(standing, open_data, PARENT, {"hermes/word.py": FLOOD})
    told = await Usher(unheard).run(bench, "candidate", replace(ALL, seconds=60.0))
    assert (told.outcomes, told.end) == (
        {}, "it did not end as tests end: it told more than 8 MiB",
    )  # fmt: skip


async def test_what_the_tree_has_comes_before_what_is_installed(standing, open_data):
    tree = PARENT | {"tabnanny.py": "WORD = 1\n"}  # as `hermes` is after `pip install .`
    tree["tests/test_word.py"] = tree["tests/test_word.py"].replace("hermes.word", "tabnanny")
    bench = await bench_of(standing, open_data, tree, {})
    parent = await Usher(unheard).run(bench, "parent", ALL)
    assert list(parent.passed) == ["tests/test_word.py::test_word", "tests/test_z.py::test_z"]
    assert "tabnanny" not in parent.known.modules


async def test_a_digest_is_the_same_of_a_tree_and_of_its_files(open_data):
    names = ("a/b", "a.b", "a/a/a", "b", "A/z", "a/0")
    tree = await to_thread.run_sync(
        lambda: plant(open_data / "names", {one: f"{one}\n" for one in names})
    )
    files = await to_thread.run_sync(read, tree)
    assert set(files) == set(names)
    backwards = dict(reversed(files.items()))
    assert digest_of(backwards) == await to_thread.run_sync(digest, tree)
