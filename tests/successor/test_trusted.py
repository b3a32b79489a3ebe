"""The parent's tests over a candidate: what they say, and that an answer that lacks is no yes."""

import json

import pytest
from small_trees import bench_of

from hermes.core.verdict import Evidence
from hermes.successor.judge.trusted import Trusted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
WORDS = '''"""Words."""


def short(text: str) -> str:
    if len(text) > 10:
        return text[:10]
    return text


def loud(text: str) -> str:
    return text.upper()
'''
TESTS = """import pytest

from hermes.low.words import loud, short


@pytest.mark.parametrize("text", ["a", "b" * 20])
def test_short(text):
    assert len(short(text)) <= 10


def test_loud():
    assert loud("a") == "A"


def test_that_needs_what_is_not_here():
    open("/nowhere")


@pytest.mark.skip(reason="as ever")
def test_skipped():
    pass


@pytest.mark.slow
def test_slow():
    raise AssertionError
"""
PARENT = {
    "pyproject.toml": '[tool.pytest]\ntestpaths = ["tests"]\nmarkers = ["slow: slow"]\n'
    'addopts = ["--strict-markers", "--strict-config"]\nfilterwarnings = ["error"]\n',
    "hermes/__init__.py": "",
    "hermes/low/__init__.py": "",
    "hermes/low/words.py": WORDS,
    "tests/low/test_words.py": TESTS,
    "tests/test_other.py": "def test_other():\n    pass\n",
}
SHORT = "tests/low/test_words.py::test_short"


@pytest.fixture
def tried(standing, open_data):
    async def run(change, parent=PARENT) -> tuple[Evidence, dict]:
        bench = await bench_of(standing, open_data, parent, change)
        evidence = await Trusted().judge(bench)
        return evidence, json.loads(bench.records.get(evidence.record, b"{}"))

    return run


async def test_an_honest_change_passes_and_its_lines_are_counted(tried):
    new = WORDS.replace("text[:10]", "text[:9]").replace(".upper()", ".upper().strip()")
    new += "\n\ndef unused(text: str) -> str:\n    return text\n"
    evidence, record = await tried({"hermes/low/words.py": new})
    assert evidence.outcome == "pass"
    assert evidence.says == (
        "all 4 tests that pass with the parent pass; the nearest ran 3 of 4 changed lines"
    )
    assert record["lines"] == [{"path": "hermes/low/words.py", "lines": 4, "missed": [15]}]
    assert record["files"] == ["tests/low/test_words.py", "tests/test_other.py"]


async def test_what_breaks_is_named(tried):
    new = WORDS.replace("> 10", "> 30")
    evidence, record = await tried({"hermes/low/words.py": new})
    assert evidence.outcome == "fail"
    assert evidence.ids == (f"{SHORT}[bbbbbbbbbbbbbbbbbbbb]",)
    assert record["found"]["failed"][evidence.ids[0]][0] == "failed"
    assert "assert 20 <= 10" in record["found"]["failed"][evidence.ids[0]][1]


@pytest.mark.parametrize(
    "change",
    [
        {"tests/low/test_words.py": None},
        {"tests/low/test_words.py": "def test_short():\n    pass\n"},
        {"tests/low/conftest.py": "collect_ignore = ['test_words.py']\n"},
        {"pyproject.toml": '[tool.pytest]\naddopts = ["--deselect", "tests/low"]\n'},
    ],
)
async def test_its_own_tests_and_settings_play_no_part(tried, change):
    new = WORDS.replace("> 10", "> 30")
    evidence, _ = await tried({"hermes/low/words.py": new, **change})
    assert (evidence.outcome, evidence.ids) == ("fail", (f"{SHORT}[bbbbbbbbbbbbbbbbbbbb]",))


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("import os\nos._exit(0)\n", "exit code 0"),
        ("raise SystemExit(0)\n", "exit code 0"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "signal"),
        ("import sys\nwhile True:\n    sys.stdout.write('x' * 100000)\n", "output"),
        ("print('{\"end\": 0}')\nimport os\nos._exit(0)\n", "exit code 0"),
    ],
)
async def test_what_does_not_end_as_tests_end_has_passed_nothing(tried, words, end):
    evidence, record = await tried({"hermes/low/words.py": words})
    assert evidence.outcome == "fail"
    assert evidence.says.startswith("4 of 4 tests")
    assert end in record["found"]["end"]


async def test_a_hang_ends_at_its_limit(standing, open_data):
    change = {"hermes/low/words.py": "while True:\n    pass\n"}
    bench = await bench_of(standing, open_data, PARENT, change, wall_s=12.0)
    evidence = await Trusted().judge(bench)
    assert evidence.outcome == "fail"
    assert "wall clock" in bench.spend.limits


FLOOD = """
import contextlib, os
for one in os.listdir("/proc/self/fd"):
    with contextlib.suppress(OSError):
        if int(one) < 3 or not os.readlink(f"/proc/self/fd/{one}").startswith("pipe:"):
            continue
        for _ in range(SIZE):
            os.write(int(one), b'{"end": 0, "word": ""}\\n' * 2000)
"""


@pytest.mark.parametrize(("size", "outcome"), [("1", "pass"), ("400", "fail")])
async def test_what_is_poured_into_the_answer_is_dropped(tried, size, outcome):
    evidence, record = await tried({"hermes/low/words.py": WORDS + FLOOD.replace("SIZE", size)})
    assert evidence.outcome == outcome
    assert (record["found"]["end"] == "ended") == (outcome == "pass")


async def test_without_tests_nothing_is_said(tried):
    parent = {name: text for name, text in PARENT.items() if not name.startswith("tests")}
    evidence, _ = await tried({"hermes/low/words.py": "x = 1\n"}, parent)
    assert evidence.outcome == "skipped"


async def test_the_parents_part_is_asked_once(standing, open_data):
    stage = Trusted()
    bench = await bench_of(standing, open_data, PARENT, {"hermes/low/words.py": f"{WORDS}X = 1\n"})
    first = await stage.judge(bench)
    used = bench.spend.spent().cpu_ms
    second = await stage.judge(bench)
    assert first.outcome == second.outcome == "pass"
    assert bench.spend.spent().cpu_ms - used < used
