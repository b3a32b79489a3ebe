"""Which commands are known only to read, and which paths they read.

The security boundary of what runs unasked. Nothing here runs anything. Not guarded: what
programs do by the person's own configuration and environment, and links changed meanwhile.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hermes.core.tool import Effect, Place
from hermes.errors import Refused
from hermes.load import load
from hermes.policy.command import Parsed, ParsedCommand, Part, names
from hermes.policy.options import Given, Known
from hermes.policy.paths import inside, resolve
from hermes.policy.read_git import git_reads
from hermes.policy.read_table import TABLE
from hermes.policy.wrappers import harmless, through

_MOST_CD = 4
_TESTS = names(
    "-e -f -d -s -r -w -x -h -L -z -n = == != -eq -ne -lt -le -gt -ge -nt -ot -ef ! -a -o "
    "-b -c -p -S -u -g -k -O -G"
)
_FIND_BARE = names(
    "-empty -print -print0 -ls -readable -writable -executable -true -false -prune -depth -xdev "
    "-mount -not -a -and -o -or ! ( ) -daystart -noleaf -nouser -nogroup -quit"
)
_FIND_VALUED = names(
    "-name -iname -path -ipath -wholename -regex -iregex -type -size -mtime -mmin -atime -amin "
    "-ctime -cmin -maxdepth -mindepth -perm -user -group -links -inum -regextype"
)
_SED = re.compile(r"(\d+|\$)(,(\d+|\$))?p")
_PS = names("aux auxf auxw auxww -e -f -ef -eF -A -a -x ax")
_JQ = re.compile(r"\b(env|import|include|input|inputs|modulemeta|get_search_list)\b|\$__|\$ENV")
_JQ_FLAGS = frozenset(
    {f"-{letter}" for letter in "cCejMnrsS"} | {"--raw-output", "--compact-output"}
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a command known only to read looks at; `outside` lists what is not in the root."""

    paths: tuple[Path, ...]
    outside: tuple[Path, ...]


def bash_effect(command: str, place: Place) -> Effect:
    """`read` when the command is known only to read, wherever its operands lie."""
    return "write" if bash_reading(command, place) is None else "read"


def git_effect(command: str, place: Place) -> Effect:
    """The same for the Git tool, whose text leaves the word `git` out."""
    return bash_effect(f"git {command}", place)


def bash_reading(command: str, place: Place) -> Reading | None:
    """What a command reads, when it is known only to read; None otherwise."""
    parsed: Parsed = load("shell_grammar").parse(command)
    return reading(parsed, place)


def reading(parsed: Parsed, place: Place) -> Reading | None:
    """What a text reads, when everything in it is known only to read; None otherwise."""
    if not isinstance(parsed, ParsedCommand) or not parsed.plain:
        return None
    try:
        cwds = [resolve(".", place)]
    except Refused:
        return None
    paths: list[Path] = []
    for part in parsed.parts:
        if part.texts[:1] == ("cd",):
            more = _after_cd(part, cwds, place)
            if more is None:
                return None
            cwds += more
            continue
        found = part_reads(part, tuple(cwds), place)
        if found is None or any(redirect.writes for redirect in part.redirects):
            return None
        paths += found
    outside = tuple(path for path in (*cwds, *paths) if not inside(path, place.root))
    return Reading((*cwds, *paths), outside)


def part_reads(part: Part, cwds: tuple[Path, ...], place: Place) -> tuple[Path, ...] | None:
    """The paths one part reads, seen from each directory; None unless it only reads.

    Files that it is redirected to write are the caller's to judge.
    """
    part = through(part) or part
    if part.strange or not part.known or not part.words or not harmless(part.assigns):
        return None
    texts = [*part.texts]
    at_home = texts[0] == "git" and len(cwds) == 1 and not _within_bare(cwds[0], place)
    named = _operands(texts[0], tuple(texts[1:]), at_home=at_home)
    if named is None:
        return None
    operands, no_directories = named
    operands += tuple(r.target.text for r in part.redirects if r.reads)
    if any(text.startswith(("/dev/tcp", "/dev/udp")) for text in operands):
        return None
    return _resolved(operands, cwds, place, no_directories=no_directories)


def _after_cd(part: Part, cwds: list[Path], place: Place) -> list[Path] | None:
    """Where the shell may stand afterwards; `..` is out, because `cd` reads it in its own way."""
    texts = part.texts
    if len(texts) != 2 or part.assigns or part.redirects or len(cwds) > _MOST_CD:  # noqa: PLR2004 - cd DIR
        return None
    if texts[1].startswith("-") or not texts[1] or ".." in texts[1].split("/"):
        return None
    found = _resolved((texts[1],), tuple(cwds), place, no_directories=False)
    return None if found is None else list(found)


def _within_bare(cwd: Path, place: Place) -> bool:
    """Whether git would take a directory of the tree for a repository with its own programs."""
    for each in (cwd, *cwd.parents):
        if (each / ".git").exists() or not inside(each, place.root):
            return False
        if (each / "HEAD").exists() and (each / "objects").exists():
            return True
    return False


def _resolved(
    operands: tuple[str, ...], cwds: tuple[Path, ...], place: Place, *, no_directories: bool
) -> tuple[Path, ...] | None:
    found = []
    for text in operands:
        if text in {"-", ""}:
            continue
        for cwd in cwds:
            try:
                path = resolve(text, Place(cwd, place.root))
            except Refused:
                return None
            if no_directories and path.is_dir():
                return None  # it would follow the links inside
            found.append(path)
    return tuple(found)


def _operands(
    name: str, rest: tuple[str, ...], *, at_home: bool
) -> tuple[tuple[str, ...], bool] | None:
    """The words that are paths, and whether directories are refused; None: not known to read."""
    if special := _SPECIAL.get(name):
        operands = special(rest)
        return None if operands is None else (operands, False)
    if name == "git":
        judged = git_reads(rest) if at_home else None
        return None if judged is None else (_paths(*judged), False)
    row = TABLE.get(name)
    given = row.read(rest) if row else None
    return None if row is None or given is None else (_paths(row, given), row.operands == "files")


def _paths(row: Known, given: Given) -> tuple[str, ...]:
    if row.operands == "pattern":
        from_option = {"-e", "--regexp", "--files"} & given.options
        return given.operands if from_option else given.operands[1:]
    return given.operands if row.operands in {"paths", "files"} else ()


def _anything(_rest: tuple[str, ...]) -> tuple[str, ...]:
    return ()


def _printf(rest: tuple[str, ...]) -> tuple[str, ...] | None:
    return () if rest and not rest[0].startswith("-") else None


def _test(rest: tuple[str, ...]) -> tuple[str, ...] | None:
    if any(word.startswith("-") and word not in _TESTS and not word[1:].isdigit() for word in rest):
        return None
    return tuple(word for word in rest if word not in _TESTS)


def _date(rest: tuple[str, ...]) -> tuple[str, ...] | None:
    harmless_words = {"-u", "-R", "-I", "--utc", "-Iseconds", "-Idate", "-Iminutes"}
    return () if all(w.startswith("+") or w in harmless_words for w in rest) else None


def _find(rest: tuple[str, ...]) -> tuple[str, ...] | None:
    paths: list[str] = []
    at = 1 if rest[:1] == ("-P",) else 0
    while at < len(rest):
        word = rest[at]
        if word in _FIND_VALUED and at + 1 < len(rest):
            at += 1
        elif word.startswith("-") or word in {"(", ")", "!", ","}:
            if word not in _FIND_BARE:
                return None
        else:
            paths.append(word)
        at += 1
    return tuple(paths)


def _sed(rest: tuple[str, ...]) -> tuple[str, ...] | None:
    """Only `sed -n 10,20p FILES`: a script can write files and run commands."""
    if rest[:1] != ("-n",) or len(rest) < 2 or not _SED.fullmatch(rest[1]):  # noqa: PLR2004 - -n, script
        return None
    return None if any(word.startswith("-") for word in rest[2:]) else rest[2:]


def _jq(rest: tuple[str, ...]) -> tuple[str, ...] | None:
    operands = [word for word in rest if word not in _JQ_FLAGS]
    if any(word.startswith("-") for word in operands) or not operands or _JQ.search(operands[0]):
        return None
    return tuple(operands[1:])


def _ps(rest: tuple[str, ...]) -> tuple[str, ...] | None:
    return () if all(word in _PS for word in rest) else None


def _command_v(rest: tuple[str, ...]) -> tuple[str, ...] | None:
    return () if rest[:1] in {("-v",), ("-V",)} else None


_SPECIAL: MappingProxyType[str, Callable[[tuple[str, ...]], tuple[str, ...] | None]] = (
    MappingProxyType(
        {
            "echo": _anything,
            "true": _anything,
            "false": _anything,
            ":": _anything,
            "printf": _printf,
            "test": _test,
            "date": _date,
            "find": _find,
            "sed": _sed,
            "jq": _jq,
            "ps": _ps,
            "command": _command_v,
        }
    )
)
