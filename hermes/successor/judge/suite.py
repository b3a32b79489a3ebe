"""What runs inside a box to run trusted tests on a candidate; nobody imports it.

Run as `python -I -B suite.py`, told what to do by JSON on standard input. It answers on a pipe
of its own by lines of JSON. The candidate shares this process and can say whatever it likes
here: the answer is advice, and whoever reads it decides nothing by it.
"""

import json
import os
import shutil
import sys
import threading
import time
from types import FrameType
from typing import Any

import pytest

REPO = "/box/repo"
_INI = "/box/judge/pyproject.toml"
_SAID = 300


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
    """Runs what is wanted until the deadline, and tells of each test how it ended."""

    def __init__(self, said: Said, wanted: list[str] | None, seconds: float) -> None:
        self._said = said
        self._wanted = None if wanted is None else set(wanted)
        self._until = time.monotonic() + seconds
        self._phases: dict[str, str] = {}
        self._why = ""
        self._place = ""
        self.stopped = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what is not wanted."""
        if self._wanted is not None:
            items[:] = [one for one in items if one.nodeid in self._wanted]
        self._said.say(collected=len(items))

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


def main() -> None:
    """Run once."""
    told = json.load(sys.stdin)
    said = Said(told["fd"], told["word"])
    lines = Lines(told["lines"])
    sys.path.append(REPO)
    plugins = [word for name in told["plugins"] for word in ("-p", name)]
    argv = [
        *("-c", _INI, "--rootdir", REPO, "--confcutdir", f"{REPO}/tests", "--basetemp", "/tmp/t"),  # noqa: S108 - inside
        *(
            "-p",
            "no:cacheprovider",
            *plugins,
            "-q",
            "--tb=line",
            "--continue-on-collection-errors",
            "-m",
            "not slow",
            *told["files"],
        ),
    ]
    lines.start()
    reporter = Reporter(said, told["ids"], told["seconds"])
    status = pytest.main(argv, [reporter])
    lines.stop()
    seen = {path: sorted(found) for path, found in lines.seen.items()}
    said.say(end=int(status), stopped=reporter.stopped, lines=seen)


if __name__ == "__main__":
    main()
