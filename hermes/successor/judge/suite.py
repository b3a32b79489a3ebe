"""What runs inside a box to run trusted tests on a candidate; nobody imports it.

Run as `python -I -B suite.py`. The first line on standard input says what to load; nothing of the
candidate is among it. The second, which may come much later, says what to run. It answers on a
pipe of its own by lines of JSON. The candidate shares this process and can say whatever it
likes here: the answer is advice, and whoever reads it decides nothing by it.
"""

import base64
import gc
import importlib
import json
import os
import select
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

REPO = "/box/repo"
_INI = "/box/judge/pyproject.toml"
_SAID = 300
_STORED = Path("/tmp/hypothesis")  # noqa: S108 - inside
_STORES = ("constants", "unicode_data")
_MOST = 2 << 20
_WARM = Path("/tmp/warm/test_warm.py")  # noqa: S108 - inside
_NAMED = ("inline_snapshot",)  # a third of the loading, for few files: with those that name it
_ENDED = {0, 1, 5}  # passed, some failed, none there
_PROPERTY = """import hypothesis, hypothesis.strategies

@hypothesis.settings(max_examples=1)
@hypothesis.given(hypothesis.strategies.text())
def test_nothing(text):
    pass
"""


class Said:
    """The way out: one line of JSON each, with the word that whoever reads it gave."""

    def __init__(self, descriptor: int, word: str) -> None:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - as os has it
        self._descriptor = descriptor
        self._word = word

    def say(self, **found: object) -> None:
        """Say something."""
        data = json.dumps({"word": self._word, **found}).encode() + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]


class Reporter:
    """Runs what is wanted until the deadline, and tells of each test how it ended.

    A file is collected when the one before it has ended: the first test waits for one file only,
    and what is not reached costs nothing.
    """

    def __init__(self, said: Said, wanted: list[str] | None, seconds: float) -> None:
        self._said = said
        self._files: list[pytest.Item | pytest.Collector] = []
        self._wanted = None if wanted is None else set(wanted)
        self._until = time.monotonic() + seconds
        self._phases: dict[str, str] = {}
        self._why = ""
        self._place = ""
        self.collected = 0
        self.stopped = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Let pytest find the files, and nothing in them."""
        session.genitems = lambda node: iter((node,))  # type: ignore[method-assign,arg-type]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Leave out what is not wanted; the first time these are files."""
        if "genitems" in vars(session):
            del session.genitems
            self._files, items[:] = list(items), []
        elif self._wanted is not None:
            items[:] = [one for one in items if one.nodeid in self._wanted]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """What pytest itself does with all items at once."""
        items = self._items(session)
        item = next(items, None)
        while item is not None:
            following = next(items, None)
            self.collected += 1
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldstop:
                break
            item = following
        session.testscollected = self.collected
        return True

    def _items(self, session: pytest.Session) -> Iterator[pytest.Item]:
        for file in self._files:
            if time.monotonic() > self._until:
                self.stopped = True
                return
            items = list(session.genitems(file))
            hook = session.config.hook
            hook.pytest_collection_modifyitems(session=session, config=session.config, items=items)
            yield from items

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a phase."""
        word = "xfailed" if hasattr(report, "wasxfail") else report.outcome
        self._phases[report.when] = word
        if word != "passed":
            self._why = str(report.longrepr or "")[-_SAID:]

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell of a test that has ended."""
        words = [self._phases.get(when, "missing") for when in ("setup", "call", "teardown")]
        worst = next((word for word in words if word not in {"passed", "missing"}), "")
        outcome = "passed" if words == ["passed"] * 3 else worst or "missing"
        self._said.say(id=nodeid, outcome=outcome, why=self._why)
        self._phases, self._why = {}, ""
        if self._place:
            shutil.rmtree(self._place, ignore_errors=True)  # the disk in here is small

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Remember the folder of a test."""
        self._place = str(getattr(item, "funcargs", {}).get("tmp_path", ""))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:  # noqa: ANN401 - pytest's own
        """Begin nothing more after the deadline."""
        if time.monotonic() > self._until:
            item.session.shouldstop = "the time is up"
            self.stopped = True
        return (yield)


class Lines:
    """Which lines of some files are run: by every thread, for as long as it is on."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = {f"{REPO}/{path}": path for path in paths}
        self.seen: dict[str, set[int]] = {path: set() for path in paths}

    def start(self) -> None:
        """Begin to look."""
        if self._paths:
            threading.settrace(self._call)
            sys.settrace(self._call)

    def stop(self) -> None:
        """Look no more."""
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401 - as settrace has it
        path = self._paths.get(frame.f_code.co_filename)
        if path is None:
            return None
        seen = self.seen[path]
        seen.add(frame.f_lineno)

        def line(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401
            if event == "line":
                seen.add(frame.f_lineno)
            return line

        return line if event == "call" else None


def options(plugins: list[str], files: list[str]) -> list[str]:
    """The words of a run of these files."""
    texts = [Path(REPO, one).read_text(errors="replace") for one in files]
    unnamed = tuple(one for one in _NAMED if not any(one in text for text in texts))
    used = (one for one in plugins if not one.startswith(unnamed))
    return [
        *("-c", _INI, "--rootdir", REPO, "--confcutdir", f"{REPO}/tests", "--basetemp", "/tmp/t"),  # noqa: S108 - inside
        *("-p", "no:cacheprovider", *(word for name in used for word in ("-p", name))),
        *("-q", "--tb=line", "--continue-on-collection-errors", "-m", "not slow"),
    ]


def load(told: dict[str, Any]) -> None:
    """Everything that is not the candidate's: the runner, its plugins, what most tests need."""
    gc.disable()  # nothing here is let go of again
    lay(told["stored"])
    _WARM.parent.mkdir()
    _WARM.write_text(_PROPERTY if "_hypothesis_pytestplugin" in told["plugins"] else "")
    # The plugin that is left out looks through all that was loaded, at the end.
    pytest.main([*options(told["plugins"], []), "-p", "no:unraisableexception", str(_WARM)])
    while_untold(told["modules"])
    gc.freeze()  # the runner looks through everything when it ends
    gc.enable()


def while_untold(modules: list[str]) -> None:
    """Libraries that tests have loaded before, as long as nobody waits for this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            if select.select([sys.stdin], [], [], 0)[0]:
                return
            try:
                importlib.import_module(name)
            except BaseException:  # noqa: BLE001, S112 - some are programs; the tests load theirs
                continue


def lay(stored: dict[str, str]) -> None:
    """What hypothesis would find again: of each module the numbers and words in it."""
    for path, data in stored.items():
        place = _STORED / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(base64.b64decode(data))


def stored() -> dict[str, str]:
    """What it has found."""
    found: dict[str, str] = {}
    room = _MOST
    for place in (one for name in _STORES for one in (_STORED / name).rglob("*")):
        if place.is_file() and (room := room - 2 * place.stat().st_size) > 0:
            data = base64.b64encode(place.read_bytes()).decode()
            found[place.relative_to(_STORED).as_posix()] = data
    return found


def libraries() -> list[str]:
    """The modules that are neither the tree's nor the test runner's to load."""
    return [
        name
        for name, one in list(sys.modules.items())
        if "__main__" not in name.split(".")
        and (getattr(one, "__file__", None) or REPO).startswith((sys.prefix, sys.base_prefix))
        and type(getattr(one, "__loader__", None)).__name__ != "AssertionRewritingHook"
    ]


def main() -> None:
    """Load, wait, run once."""
    first = json.loads(sys.stdin.readline())
    load(first)
    said = Said(first["fd"], first["word"])
    said.say(loaded=True)
    told = json.loads(sys.stdin.readline())
    lay({path: one for path, one in told["stored"].items() if first["stored"].get(path) != one})
    lines = Lines(told["lines"])
    sys.path.insert(0, REPO)  # before a `hermes` that was installed as a copy
    lines.start()
    reporter = Reporter(said, told["ids"], told["seconds"])
    files, status = told["files"], 0
    for part in (files[:1], files[1:]):  # the nearest waits for no `conftest.py` of others
        if part and status in _ENDED:
            status = int(pytest.main([*options(first["plugins"], part), *part], [reporter]))
    lines.stop()
    seen = {path: sorted(found) for path, found in lines.seen.items()}
    kept = {"stored": stored(), "modules": libraries()} if told["keep"] else {}
    whole = reporter.collected if status in _ENDED else -1
    said.say(collected=whole, end=status, stopped=reporter.stopped, lines=seen, **kept)


if __name__ == "__main__":
    main()
