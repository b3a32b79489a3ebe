"""The search process for machines without ripgrep: prints what ripgrep would.

Its own process, because a pattern can take for ever and `re` holds the interpreter while it
does: here the shell's time limit kills it. Lines: `path NUL number:text`; exit codes as
ripgrep's: 0 found, 1 nothing, 2 a bad pattern.
"""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from hermes.errors import ToolFailure
from hermes.tools.disk import open_regular
from hermes.tools.ignore import walk

LINE_BYTES = 1_300
_MAX_FILE = 50_000_000
_LOOKED_AT = 1 << 16


def main(argv: list[str]) -> int:
    """Run `files TOP` or `grep TOP FILE PATTERN`; FILE empty: the whole tree."""
    match argv:
        case ["files", top]:
            return _files(Path(top))
        case ["grep", top, file, pattern]:
            return _grep(Path(top), [file] if file else walk(Path(top)), pattern)
        case _:
            return 2


def _files(top: Path) -> int:
    for path in walk(top):
        sys.stdout.buffer.write(os.fsencode(path) + b"\0")
    sys.stdout.flush()
    return 0


def _grep(top: Path, files: Iterable[str], pattern: str) -> int:
    try:
        wanted = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        sys.stdout.write(f"bad pattern: {error}")
        return 2
    found = False
    for path in files:
        for number, line in enumerate(_lines(top / path), 1):
            if wanted.search(line):
                found = True
                text = os.fsencode(line)[:LINE_BYTES]
                sys.stdout.buffer.write(b"%s\0%d:%s\n" % (os.fsencode(path), number, text))
    sys.stdout.flush()
    return 0 if found else 1


def _lines(path: Path) -> list[str]:
    try:
        with open_regular(path) as file:
            data = file.read(_MAX_FILE + 1)
    except (ToolFailure, OSError):
        return []
    if len(data) > _MAX_FILE or b"\0" in data[:_LOOKED_AT]:
        return []
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
