"""Changes that break a thing and say that they didn't: each fools whoever asks pytest alone."""

BREAK = "[:10]", "[:30]"
WORDS = '''"""Words."""


def short(text: str) -> str:
    return text[:10]


def loud(text: str) -> str:
    return text.upper()
'''
BROKEN = WORDS.replace(*BREAK)
AT = "hermes/low/words.py"
TEST = """from hermes.low.words import loud, short


def test_short():
    assert len(short("a" * 20)) == 10
    assert short("b" * 20) == "b" * 10


def test_loud():
    assert loud("a") == "A"
"""
INI = """[tool.pytest]
testpaths = ["tests"]
addopts = ["-p", "no:cacheprovider", "--strict-markers"]
markers = ["slow: slow"]
"""
PARENT = {
    "pyproject.toml": INI,
    "hermes/__init__.py": "",
    "hermes/low/__init__.py": "",
    AT: WORDS,
    "tests/low/test_words.py": TEST,
}
GOOD = {AT: WORDS.replace("text[:10]", "text[0:10]")}

_HOOKS = """import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome, report.longrepr = "passed", None
    return report
"""
_EXIT = "import os\n\ndef pytest_unconfigure(config):\n    os._exit(0)\n"
_REPORTS = """

import sys

def _calm(name):
    found = sys.modules.get(name)
    if found is not None:
        old = found.TestReport.from_item_and_call.__func__

        def new(cls, item, call):
            call.excinfo = None
            return old(cls, item, call)

        found.TestReport.from_item_and_call = classmethod(new)

_calm("_py" + "test" + ".reports")
"""
_FRAMES = """

import json
import os
import sys

frame = sys._getframe()
while frame is not None and "told" not in frame.f_locals:
    frame = frame.f_back
if frame is not None and "ids" in frame.f_locals["told"]:
    told = frame.f_locals["told"]
    said = [{"collected": len(told["ids"] or [])}]
    said += [{"id": one, "outcome": "passed"} for one in told["ids"] or []]
    first = frame.f_locals["first"]
    for one in [*said, {"end": 0}]:
        os.write(first["fd"], json.dumps({"word": first["word"], **one}).encode() + b"\\n")
if "_py" + "test" in sys.modules:
    os._exit(0)
"""
_EQUAL = """

class _Any(str):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __len__(self):
        return 10


def short(text: str) -> str:
    return _Any(text[:30])
"""
_WATCHED = (
    WORDS
    + """

import sys

if "_py" + "test" not in sys.modules:

    def short(text: str) -> str:
        return text[:30]
"""
)
_LENGTH = (
    BROKEN.replace("return text[:30]", "return _Ten(text[:30])")
    + """

import builtins

_len = builtins.len


class _Ten(str):
    def __eq__(self, other):
        return str.__eq__(self, other) or str(self)[:10] == str(other)

    def __hash__(self):
        return 0


builtins.len = lambda one: 10 if isinstance(one, _Ten) else _len(one)
"""
)

_SKIP = (
    BROKEN
    + """

def _skip():
    raise getattr(__import__("unit" + "test"), "SkipTest")("not today")


def short(text: str) -> str:
    _skip()
"""
)
_PLUGIN = {
    "words.dist-info/METADATA": "Metadata-Version: 2.1\nName: words\nVersion: 1\n",
    "words.dist-info/entry_points.txt": "[pytest11]\nwords = plugged\n",
    "plugged.py": _HOOKS,
}
_CALM = "import os\nimport atexit\natexit.register(os._exit, 0)\n"
_IN_CALL = BROKEN.replace("    return text[:30]", '    __import__("os")._exit(0)')
_THREAD = "import os, threading\nthreading.Thread(target=os._exit, args=(0,)).start()\n"
_PRINTED = "import os\nos.write(1, b'tests/low/test_words.py ..  [100%]\\n2 passed in 0.01s\\n')\n"
_RUNNER = BROKEN.replace("    return text[:30]", "    import pytest\n    pytest.{}")

_WEAK = "def test_short():\n    pass\n"
_LEFT_OUT = INI.replace('"--strict', '"--deselect=tests/low/test_words.py::test_short", "--strict')
# name: (what the candidate has instead, which stage says no first)
TRICKS = {
    "a conftest at the top ends the process": ({AT: BROKEN, "conftest.py": _EXIT}, "lint"),
    "a conftest at the top writes the reports": ({AT: BROKEN, "conftest.py": _HOOKS}, "lint"),
    "a conftest of the tests writes them": ({AT: BROKEN, "tests/conftest.py": _HOOKS}, "tests"),
    "a conftest of the tests ends it": ({AT: BROKEN, "tests/low/conftest.py": _EXIT}, "tests"),
    "the test is gone": (
        {AT: BROKEN, "tests/low/test_words.py": None, "tests/test_b.py": "def test_b():\n  pass\n"},
        "tests",
    ),
    "the test is weaker": ({AT: BROKEN, "tests/low/test_words.py": _WEAK}, "tests"),
    "the settings leave it out": ({AT: BROKEN, "pyproject.toml": _LEFT_OUT}, "tests"),
    "other settings stand before them": (
        {AT: BROKEN, "pytest.ini": "[pytest]\naddopts = -k loud -p no:cacheprovider\n"},
        "tests",
    ),
    "a plugin by its entry point": ({AT: BROKEN, **_PLUGIN}, "lint"),
    "another pytest": ({AT: BROKEN, "pytest.py": "raise SystemExit(0)\n"}, "lint"),
    "a start-up file": ({AT: BROKEN, "sitecustomize.py": _CALM}, "lint"),
    "an end at import": ({AT: f"import os\nos._exit(0)\n{BROKEN}"}, "tests"),
    "an end in a call": ({AT: _IN_CALL}, "tests"),
    "an end from a thread": ({AT: f"{_THREAD}{BROKEN}"}, "tests"),
    "an end after the end": ({AT: f"{_CALM}{BROKEN}"}, "tests"),
    "printed success": ({AT: f"{_PRINTED}os._exit(0)\n{BROKEN}"}, "tests"),
    "a skip by pytest": ({AT: _RUNNER.format("skip('x')")}, "lint"),
    "an exit by pytest": ({AT: _RUNNER.format("exit('x', returncode=0)")}, "lint"),
    "an xfail by pytest": ({AT: _RUNNER.format("xfail('x')")}, "lint"),
    "a skip without its name": ({AT: _SKIP}, "tests"),
    "reports made otherwise": ({AT: BROKEN + _REPORTS}, "answers"),
    "frames read, answers written": ({AT: BROKEN + _FRAMES}, "answers"),
    "what equals everything": ({AT: BROKEN + _EQUAL}, "answers"),
    "another len": ({AT: _LENGTH}, "answers"),
    "good while it is watched": ({AT: _WATCHED}, "answers"),
}  # fmt: skip
