"""Commands that run other commands: what else a part could be, and how freely rules allow it.

For deny, every tail of a wrapper's words is a reading, so that no option table can be wrong.
For allow, only the few wrappers that change nothing are looked through. Programs with a
language of their own (python -c, awk, sed) are not read: a deny rule does not see inside.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from hermes.policy.command import Part, Word, names

WRAPPERS = names(
    "env command builtin exec nice nohup time timeout gtimeout ionice setsid stdbuf chrt taskset "
    "xargs sudo doas su pkexec runuser ssh coproc flock unshare chroot systemd-run strace ltrace "
    "gdb watch script parallel entr busybox toybox unbuffer firejail bwrap nsenter setpriv "
    "caffeinate chronic eatmydata fakeroot proot faketime numactl prlimit dbus-run-session "
    "xvfb-run docker podman kubectl find fd fdfind rlwrap expect at batch make-run npx uvx "
    "bunx pipx run0 sg newgrp setarch linux32 linux64 mapfile readarray tar rsync"
)
"""Any tail of their words may be run as a command."""

SHELLS = names("sh bash dash zsh ksh mksh ash fish rbash csh tcsh pwsh")
TEXT_TAKERS = SHELLS | names(
    "eval trap ssh su watch script parallel flock at batch env complete compgen "
    "runuser sg expect xvfb-run fd fdfind tar rsync mapfile readarray alias git"
)
"""Any of their words may be a shell text."""

_MOST_TAILS = 64
_INTERPRETERS = re.compile(r"(python|pypy|perl|ruby|node|deno|bun|php|lua|osascript)[\d.]*")
_CODE = frozenset({"-c", "-e", "-E", "-r", "-p", "--eval", "--print", "--exec", "eval", "-"})
_GIT_RUNS = frozenset({"run", "foreach", "-x", "--exec"})
_GIT_VALUED = names("-C -c --git-dir --work-tree --namespace --exec-path --config-env")
_FIND_RUNS = ("-exec", "-ok", "-delete", "-fprint", "-fls")
_PLAIN_WRAPPERS = frozenset({"command", "nohup", "time", "nice", "timeout", "env"})
_EXPLICIT = (
    SHELLS
    | _PLAIN_WRAPPERS
    | names(
        "sudo doas su pkexec runuser run0 ssh xargs ionice setsid stdbuf chrt taskset flock "
        "chroot unshare systemd-run strace watch script parallel entr busybox toybox rlwrap "
        "setpriv"
    )
)
_EXACT = names("eval trap source . builtin exec coproc enable alias mapfile readarray")
_PROGRAM_OPTIONS = (
    "--to-c",
    "--checkpoint-a",
    "-I",
    "--use-c",
    "--rsh",
    "-e",
    "--pre",
    "--compress-p",
    "-F",
    "--info-s",
    "--new-volume",
    "-P",
    "-H",
    "--hostname-bin",
)
_GIT_LONG = (
    "--config-env",
    "--exec-path",
    "--exec",
    "--ext-diff",
    "--upload-pack",
    "--receive-pack",
    "--open-files-in-pager",
    "--extcmd",
)
_GIT_SHORT = {"rebase": ("-x",), "grep": ("-O",), "clone": ("-u", "-c"), "difftool": ("-x",)}
_GIT_RUNNERS = names("foreach bisect config filter-branch difftool mergetool send-email")
MOVERS = names(
    "cd pushd popd eval source . builtin command exec trap alias unalias enable hash shopt set "
    "read mapfile readarray getopts let coproc"
)
"""Builtins after which the same words may mean something else to the shell."""

_DURATION = re.compile(r"\d+(\.\d+)?[smhd]?")

HARMLESS = names(
    "CI NO_COLOR FORCE_COLOR NODE_ENV LANG LC_ALL LC_CTYPE RUST_BACKTRACE COLUMNS "
    "PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE DEBIAN_FRONTEND GIT_TERMINAL_PROMPT"
)
"""Variables that choose nothing that is run."""


def command_name(words: tuple[Word, ...]) -> str:
    """The command without its directory and case; empty when unknown."""
    return PurePosixPath(words[0].text).name.casefold() if words and words[0].known else ""


@dataclass(frozen=True, slots=True)
class Inner:
    """What a part may run besides itself: commands, shell texts, and words that may be one."""

    commands: tuple[tuple[Word, ...], ...] = ()
    texts: tuple[Word, ...] = ()
    perhaps: tuple[Word, ...] = ()


def inner(words: tuple[Word, ...]) -> Inner:
    """Everything that the words could make run, generously: for deny and ask rules."""
    commands: list[tuple[Word, ...]] = []
    texts: list[Word] = []
    perhaps: list[Word] = []
    for tail in _tails(words):
        if tail != words:
            commands.append(tail)
        name = command_name(tail)
        if name == "git":
            commands.append(_without_globals(tail))
        if name in SHELLS | {"eval"}:
            texts += _texts(name, tail[1:])
        elif name in TEXT_TAKERS:
            perhaps += _perhaps(name, tail[1:])
    return Inner(tuple(commands), tuple(dict.fromkeys(texts)), tuple(dict.fromkeys(perhaps)))


def _tails(words: tuple[Word, ...]) -> Iterator[tuple[Word, ...]]:
    yield words
    name = command_name(words)
    runs = {word.text for word in words}
    if name in WRAPPERS or (name == "git" and runs & _GIT_RUNS):
        for at in range(1, min(len(words), _MOST_TAILS)):
            yield words[at:]
        if len(words) > _MOST_TAILS:
            yield (Word("", known=False),)


def _texts(name: str, rest: tuple[Word, ...]) -> list[Word]:
    if name == "eval":
        return [Word(" ".join(w.text for w in rest), all(w.known for w in rest))]
    if any(re.fullmatch(r"-[a-z]*c[a-z]*", w.text) for w in rest):
        return [w for w in rest if not w.text.startswith("-")]
    return [w for w in rest if not w.known]


def _perhaps(name: str, rest: tuple[Word, ...]) -> list[Word]:
    if name != "git":
        return [w for w in rest if not w.known or re.search(r"[\s;&|!$`=]", w.text)]
    if not {w.text for w in rest} & (_GIT_RUNS | {"-c", "config"}):
        return []
    return [Word(w.text.split("=", 1)[-1].lstrip("!"), w.known) for w in rest]


def _without_globals(words: tuple[Word, ...]) -> tuple[Word, ...]:
    at = 1
    while at < len(words) and words[at].known and words[at].text.startswith("-"):
        at += 2 if words[at].text in _GIT_VALUED else 1
    return (words[0], *words[at:])


def reserve(part: Part) -> str:
    """How freely allow rules hold: empty, `explicit` (the rule names what is run), `exact`."""
    texts = part.texts
    name = command_name(part.words)
    if name in _EXACT or (texts[1:] and _runs(name, texts[1:])):
        return "exact"
    return "explicit" if name in _EXPLICIT else ""


def _runs(name: str, rest: tuple[str, ...]) -> bool:
    """Whether its options make a common program run something else."""
    if name in {"find", "fd", "fdfind"}:
        return any(t.startswith((*_FIND_RUNS, "-x", "-X", "--exec")) for t in rest)
    if name in {"tar", "rsync", "rg", "sort", "man"}:
        return any(t.startswith(_PROGRAM_OPTIONS) for t in rest)
    if name == "git":
        return _git_runs(rest)
    return bool(_INTERPRETERS.fullmatch(name) or name in SHELLS) and _has_code(frozenset(rest))


def _git_runs(rest: tuple[str, ...]) -> bool:
    """Abbreviated options count as the whole ones; `-c` before the subcommand sets an alias."""
    at = next((i for i, text in enumerate(rest) if not text.startswith("-")), len(rest))
    long = [t.partition("=")[0] for t in rest if t.startswith("--") and len(t) > 3]  # noqa: PLR2004 - `--x`
    short = _GIT_SHORT.get(rest[at], ()) if at < len(rest) else ()
    return (
        any(t.startswith("-c") for t in rest[:at])
        or any(t.startswith(short) for t in rest[at + 1 :] if short)
        or any("ext::" in t for t in rest)
        or any(full.startswith(t) for full in _GIT_LONG for t in long)
        or bool(_GIT_RUNNERS & set(rest[: at + 2]))
    )


def _has_code(options: frozenset[str]) -> bool:
    return bool(options & _CODE) or any(re.fullmatch(r"-[a-zA-Z]*[ceE]\S*", o) for o in options)


def through(part: Part) -> Part | None:
    """The command inside a wrapper that changes nothing about it; None when there is none."""
    if not part.known or part.strange or command_name(part.words) not in _PLAIN_WRAPPERS:
        return None
    texts = part.texts
    if texts[0] not in _PLAIN_WRAPPERS:
        return None
    at, assigns = _start(texts)
    if at is None or at >= len(texts) or texts[at].startswith("-"):
        return None
    more = tuple(Word(text) for text in assigns)
    return Part(part.words[at:], (*part.assigns, *more), part.redirects)


def _start(texts: tuple[str, ...]) -> tuple[int | None, tuple[str, ...]]:
    at = 1
    match texts[0]:
        case "time" if texts[1:2] == ("-p",):
            at = 2
        case "nice" if texts[1:2] == ("-n",):
            at = 3
        case "timeout":
            at = 2 if len(texts) > 1 and _DURATION.fullmatch(texts[1]) else len(texts)
        case "env":
            while at < len(texts) and "=" in texts[at] and not texts[at].startswith("-"):
                at += 1
            return at, texts[1:at]
    return at, ()


def harmless(assigns: tuple[Word, ...]) -> bool:
    """Whether the variables set before a command choose nothing that is run."""
    return all(w.known and w.text.split("=", 1)[0] in HARMLESS for w in assigns)


def shell_text(part: Part) -> str | None:
    """The text of exactly `sh -c TEXT` or `bash -c TEXT`; None for anything else."""
    texts = part.texts
    if part.known and len(texts) == 3 and texts[0] in {"sh", "bash"} and texts[1] == "-c":  # noqa: PLR2004 - name, -c, text
        return texts[2]
    return None
