"""Which version runs: `versions/current`, a link replaced by rename; none is the installed code.

Read before anything else of this house is imported, so it stands on the standard library alone.
The link is the truth; the notes beside it say what is under way, and mend themselves after it.
"""

import json
import os
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

HOUSE = Path(__file__).resolve().parents[2]
"""The folder of the code that runs here."""
TAG = re.compile(r"v[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}")
CRASHES = 3
"""Starts in a row of a version on probation that did not end well."""
Stage = Literal["", "trying", "probation", "kept", "leaving", "left"]

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from hermes.cli.main import begin; sys.exit(begin())"
)
_LINK, _NOTES, _STARTS = "current", "notes.json", "starts"
_STARTS_MOST = 64 * 1024


@dataclass(frozen=True)
class Notes:
    """What is under way: `tag` follows `previous` ("": the installed code) by an adoption's CID.

    `trying`: a node is being handed over, the link is as before. `probation`, `kept`: it runs.
    `leaving`: it is being rolled back, for `why`; `left`: it was, and no book says so yet.
    """

    stage: Stage = ""
    tag: str = ""
    previous: str = ""
    adoption: str = ""
    since: int = 0
    why: str = ""


class Pointer:
    """The versions of one data directory; every call touches the disk."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / "versions"

    def place(self, tag: str) -> Path:
        """Where a version's files lie."""
        return self.folder / tag

    def usable(self, tag: str) -> bool:
        """Whether a version lies there whole: its leaf is written last."""
        return bool(TAG.fullmatch(tag)) and (
            (self.folder / f"{tag}.json").is_file()
            and (self.place(tag) / "hermes" / "cli" / "main.py").is_file()
        )

    def named(self) -> str:
        """What the link says; "" when there is none."""
        try:
            return str((self.folder / _LINK).readlink())
        except OSError:
            return ""

    def current(self) -> str:
        """The tag that runs; "": the installed code, also where the link leads nowhere."""
        tag = self.named()
        return tag if self.usable(tag) else ""

    def point(self, tag: str) -> None:
        """Make a version the one that runs; "": the installed code. All or nothing, and lasting."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        link = self.folder / _LINK
        if not tag:
            link.unlink(missing_ok=True)
        else:
            if not self.usable(tag):
                raise FileNotFoundError(f"there is no whole version {tag}")
            draft = self.folder / f".{_LINK}.{os.getpid()}"
            draft.unlink(missing_ok=True)
            draft.symlink_to(tag)
            draft.replace(link)
        settle(self.folder)

    def notes(self) -> Notes:
        """What is under way; what cannot be read is nothing."""
        try:
            told = json.loads((self.folder / _NOTES).read_bytes()[:_STARTS_MOST])
            known = {one.name for one in fields(Notes)}
            found = Notes(**{name: told[name] for name in known & told.keys()})
        except (OSError, ValueError, TypeError, AttributeError):
            return Notes()
        return found if _sound(found) else Notes()

    def note(self, notes: Notes) -> None:
        """Write down what is under way."""
        write_whole(self.folder / _NOTES, json.dumps(asdict(notes)).encode())

    def leave(self, why: str) -> str:
        """Go back to the version before; gives its tag. Taken up again wherever it was cut off."""
        notes = self.notes()
        back = notes.previous if self.usable(notes.previous) else ""
        notes = replace(notes, stage="leaving", why=why or notes.why)
        self.note(notes)
        if self.named() == notes.tag:
            self.point(back)
        self.note(replace(notes, stage="left"))
        self.forget_starts()
        return back

    def mend(self) -> Notes:
        """Bring notes and link together after whatever cut them off."""
        notes = self.notes()
        named = self.named()
        if notes.stage == "leaving":
            self.leave("")
        elif notes.stage == "trying" and named == notes.tag:
            self.note(replace(notes, stage="probation"))
        elif notes.stage in {"probation", "kept"} and named != notes.tag:
            why = notes.why or "another version was made the current one"
            self.note(replace(notes, stage="left", why=why))
        return self.notes()

    def began(self, pid: int) -> None:
        """A start of the version on probation; on the disk when this returns."""
        self._append(f"s {pid}\n")

    def ended(self, pid: int) -> None:
        """That start was a good one: it ended as it should, or has lasted a while."""
        self._append(f"e {pid}\n")

    def crashes(self) -> int:
        """Starts since the last good one that are over."""
        try:
            text = (self.folder / _STARTS).read_text()
        except (OSError, ValueError):
            return 0
        begun: list[str] = []
        for line in text.splitlines():
            kind, _, pid = line.partition(" ")
            begun = [*begun, pid] if kind == "s" else []
        return sum(not _lives(pid) for pid in begun)

    def forget_starts(self) -> None:
        """Count anew."""
        (self.folder / _STARTS).unlink(missing_ok=True)

    def _append(self, line: str) -> None:
        path = self.folder / _STARTS
        with suppress(OSError):  # a full disk keeps nobody from starting
            if path.exists() and path.stat().st_size > _STARTS_MOST:
                path.unlink()
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(handle, line.encode())
                os.fsync(handle)
            finally:
                os.close(handle)


def own_tag() -> str:
    """The version that this very process runs; "": the installed code."""
    adopted = HOUSE.parent.name == "versions" and TAG.fullmatch(HOUSE.name)
    return HOUSE.name if adopted else ""


def command_of(tree: Path, *words: str) -> list[str]:
    """The argument list that runs a version's own `hermes`: its folder first, nothing else's."""
    return [sys.executable, "-I", "-c", _BOOT, str(tree), *words]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old or the new, also after a loss of power."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    settle(path.parent)


def settle(folder: Path) -> None:
    """Put a folder's renames on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sound(notes: Notes) -> bool:
    told = asdict(notes)
    since = told.pop("since")
    texts = all(isinstance(one, str) for one in told.values())
    tags = texts and all(not one or TAG.fullmatch(one) for one in (notes.tag, notes.previous))
    return tags and isinstance(since, int)


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
