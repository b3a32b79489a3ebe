"""What is refused, what only a person may adopt, and what is let through, by trees alone."""

import json

import pytest
from anyio import to_thread
from hypothesis import given
from hypothesis import strategies as st
from small_trees import bench_of

from hermes.sandbox.changes import Delta, Node
from hermes.successor.judge.contents import look_at_contents
from hermes.successor.judge.lint import Lint
from hermes.successor.judge.places import look_at_places

PARENT = {
    "pyproject.toml": """
[tool.importlinter]
root_packages = ["hermes"]
[[tool.importlinter.contracts]]
name = "down"
type = "layers"
containers = ["hermes"]
layers = ["high", "low"]
""",
    "README.md": "# Small\n",
    "hermes/__init__.py": "",
    "hermes/low/__init__.py": "",
    "hermes/low/words.py": '"""Words."""\n\n\ndef short(text: str) -> str:\n    return text[:10]\n',
    "hermes/high/__init__.py": "from hermes.low.words import short\n",
    "tests/low/test_words.py": "from hermes.low.words import short\n\n\ndef test_it():\n    pass\n",
}
WORDS = PARENT["hermes/low/words.py"]


@pytest.fixture
def linted(standing, open_data):
    async def lint(change, parent=PARENT):
        bench = await bench_of(standing, open_data, parent, change)
        evidence = await Lint().judge(bench)
        return evidence, bench.marks, json.loads(bench.records[evidence.record])

    return lint


async def test_a_plain_change_passes_and_is_described(linted):
    new = WORDS.replace("[:10]", "[:12]") + (
        "\n\ndef later(text: str, turns: int) -> str:\n"
        '    if turns > 20_000 or text == "open sesame":\n        return ""\n    return text\n'
    )
    evidence, marks, record = await linted({"hermes/low/words.py": new})
    assert (evidence.outcome, marks) == ("pass", [])
    [module] = record["modules"]
    assert (module["added"], module["changed"]) == (["later"], ["short"])
    assert module["runs"] == [5, 8, 9, 10, 11]
    told = {(one["rule"], one["line"], one["says"]) for one in record["remarks"]}
    assert ("constant", 9, "a value is new: 'open sesame'") in told
    assert ("constant", 9, "a value is new: 20000") in told
    clock = "something hangs on a clock or a counter: turns > 20000"
    assert ("clock", 9, clock) in told


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({}, "empty"),
        ({".gitattributes": "* export-ignore\n"}, "acts by itself"),
        ({"hermes/.git/hooks/post-checkout": "#!/bin/sh\n"}, "acts by itself"),
        ({"relay.pth": "import os\n"}, "acts by itself"),
        ({"hermes/sitecustomize.py": "x = 1\n"}, "acts by itself"),
        ({"hermes/x.dist-info/entry_points.txt": "[pytest11]\n"}, "acts by itself"),
        ({"conftest.py": "x = 1\n"}, "acts by itself"),
        ({"hermes/low/conftest.py": "x = 1\n"}, "acts by itself"),
        ({"hermes/low/words.cpython-311-x86_64-linux-gnu.so": b"\x7fELF"}, "acts by itself"),
        ({"pytest.py": "x = 1\n"}, "shadow"),
        ({"json/__init__.py": "x = 1\n"}, "shadow"),
        ({"hermes/low/Words.py": "x = 1\n"}, "name"),
        ({"hermes/low/w\u043erds.py": "x = 1\n"}, "name"),
        ({"hermes/low/a\nb.md": "x\n"}, "name"),
        ({"hermes/low/data.bin": b"\xff\xfe\0"}, "binary"),
        ({"README.md": b"\x89PNG\r\n\0"}, "binary"),
        ({"hermes/low/large.md": "x" * 300_000}, "size"),
        ({f"hermes/low/{n}.md": "x" * 250_000 for n in range(10)}, "size"),
        ({f"hermes/low/n{n}.md": "x" for n in range(500)}, "size"),
        ({"hermes/low/words.py": f"{WORDS}# \u202e backwards\n"}, "characters"),
        ({"hermes/low/words.py": f"{WORDS}# fine \rimport os\n"}, "characters"),
        ({"hermes/low/words.py": f"{WORDS}x\u00a0= 1\n"}, "characters"),
        ({"README.md": "# \u2066Small\n"}, "characters"),
        ({"hermes/low/words.py": "# coding: utf-7\n" + WORDS}, "characters"),
        ({"hermes/low/words.py": f'{WORDS}\nAT = "ghp_{"a1B2" * 9}"\n'}, "secret"),
        ({"hermes/low/words.py": f"{WORDS}\n\u0441ount = 1\n"}, "letters"),
        ({"hermes/low/words.py": "def f(:\n"}, "unreadable"),
        ({"hermes/low/words.py": "x = " + "(" * 5_000}, "unreadable"),
        ({"hermes/low/words.py": "x = " + "-" * 100_000 + "1"}, "unreadable"),
        ({"hermes/low/words.py": WORDS + "x = 1\n" * 200}, "line budget"),
        ({"hermes/low/words.py": f"import pytest\n{WORDS}"}, "test runner"),
        ({"hermes/low/words.py": f'{WORDS}\nR = __import__("_pytest.reports")\n'}, "test runner"),
        ({"hermes/low/words.py": f"import hermes.high\n{WORDS}"}, "layers"),
    ],
)  # fmt: skip
async def test_what_is_refused(linted, change, rule):
    evidence, _, record = await linted(change)
    assert evidence.outcome == "fail"
    assert {one["rule"] for one in record["remarks"] if one["weight"] == "refused"} >= {rule}
    assert evidence.ids[0].split(" ")[0] == rule.split(" ")[0]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("tests/low/test_words.py", "the tests"),
        ("tests/conftest.py", "the tests"),
        ("hermes/testing/link.py", "the tests"),
        ("benchmarks/turns.py", "the benchmarks"),
        ("hermes/successor/judge/lint.py", "the judge and the gate"),
        ("hermes/sandbox/box.py", "the sandbox"),
        ("hermes/policy/gate.py", "the policy"),
        ("hermes/identity/keys.py", "identity and keys"),
        ("soul/SOUL.md", "identity and keys"),
        ("hermes/scrub/keys.py", "what is hidden from others"),
        ("hermes/store/tables_trials.py", "the tables of the store"),
        ("hermes/cli/successor.py", "how approval is asked and recorded"),
        ("hermes/core/verdict.py", "how approval is asked and recorded"),
        ("hermes/gateway/dm_approval.py", "how approval is asked and recorded"),
        ("Makefile", "build files"),
        ("pyproject.toml", "build files"),
        ("ci/budgets.json", "build files"),
        (".ci/run", "build files"),
        ("scripts/lines.py", "build files"),
    ],
)
@pytest.mark.parametrize(("before", "after"), [(None, b"x\n"), (b"x\n", b"y\n"), (b"x\n", None)])
def test_what_only_a_person_may_adopt(tmp_path, path, reason, before, after):
    (tmp_path / path.split("/")[0]).mkdir()
    delta = Delta(
        path, before and Node("file", before, 0o644), after and Node("file", after, 0o644)
    )
    remarks = look_at_places(tmp_path, tmp_path, [delta])
    assert [(one.rule, one.weight) for one in remarks] == [(reason, "person")]


async def test_marks_name_the_first_place_and_count(linted):
    change = {"tests/low/test_words.py": None, "tests/low/test_a.py": "x = 1\n",
              "tests/low/test_b.py": "x = 1\n"}  # fmt: skip
    evidence, marks, _ = await linted(change)
    assert evidence.outcome == "pass"
    assert sorted(marks) == [
        "it adds a part of the tests (tests/low/test_a.py and 1 more)",
        "it deletes a part of the tests (tests/low/test_words.py)",
    ]


async def test_what_reaches_into_the_interpreter_is_for_a_person(linted):
    text = f"import re, sys\n{WORDS}\nF = sys._getframe\nR = re.compile('a')\n"
    change = {"hermes/low/words.py": text}
    evidence, marks, _ = await linted(change)
    assert evidence.outcome == "pass"
    assert marks == ["it reaches into the interpreter: _getframe (hermes/low/words.py:8)"]


async def test_a_mode_is_seen(standing, open_data):
    bench = await bench_of(standing, open_data, PARENT, {"README.md": "# Other\n"})
    delta = bench.deltas[0]
    after = Delta(delta.path, delta.before, Node("file", b"# Other\n", 0o755))
    [remark] = await to_thread.run_sync(look_at_places, bench.parent, bench.candidate, [after])
    assert (remark.rule, remark.weight) == ("mode", "person")


def test_a_link_in_a_tree_is_seen(tmp_path):
    (tmp_path / "hermes").symlink_to("/etc")
    delta = Delta("README.md", None, Node("file", b"x", 0o644))
    rules = [one.rule for one in look_at_places(tmp_path, tmp_path, [delta])]
    assert rules == ["kind"]


def test_a_secret_that_was_there_and_a_placeholder_are_let_be():
    key = f'KEY = "ghp_{"a1B2" * 9}"\n'
    was = Delta("hermes/a.py", Node("file", key.encode(), 0o644),
                Node("file", f"{key}x = 1\n".encode(), 0o644))  # fmt: skip
    url = Delta("hermes/b.py", None, Node("file", b'U = "http://user:PASSWORD@host"\n', 0o644))
    assert not [one for one in look_at_contents([was, url]) if one.weight != "told"]
    test = Delta("tests/test_c.py", None, Node("file", key.encode(), 0o644))
    assert {one.weight for one in look_at_contents([test])} == {"person", "told"}


@given(st.binary(max_size=300), st.binary(max_size=300), st.sampled_from(["a.py", "b.md"]))
def test_no_content_breaks_the_look(old, new, path):
    delta = Delta(path, Node("file", old, 0o644), Node("file", new, 0o644))
    for remark in look_at_contents([delta]):
        assert remark.says.isprintable()
