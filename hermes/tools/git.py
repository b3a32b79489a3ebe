"""Git: named subcommands without a shell, and without what a repository could make them run.

Aliases, `-c` and options before the subcommand are refused, and so is what would read or
write elsewhere. Hooks of a commit are the person's own and do run; that is why it asks.
"""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread
import msgspec

from hermes.core.tool import Effect, Outcome, Place, Subject, Tool, ToolContext
from hermes.errors import ToolFailure
from hermes.policy import paths
from hermes.policy.readonly import git_effect
from hermes.sandbox.environment import apart_from
from hermes.sandbox.shell import Command, Shell
from hermes.tools.disk import resolve
from hermes.tools.shell import DEFAULT_S, told

READS = ("status", "diff", "log", "show", "blame", "ls-files", "shortlog", "rev-parse", "describe")
WRITES = ("add", "commit", "branch", "restore", "switch", "stash", "tag", "mv", "rm")
_DIFFS = ("diff", "log", "show")
_REFUSED = (
    "--contents",
    "--exec-path",
    "--ext-diff",
    "--git-dir",
    "--no-index",
    "--open-files-in-pager",
    "--output",
    "--textconv",
    "--upload-pack",
    "--work-tree",
)
_HARMLESS = ("--no-ext-diff", "--no-textconv", "--text", "--no")
_QUIET = (
    "--no-optional-locks",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.pager=cat",
    "-c",
    "log.showSignature=false",
    "-c",
    "protocol.allow=never",
    "-c",
    "submodule.recurse=false",
)
_ENVIRONMENT = {"GIT_NO_LAZY_FETCH": "1"}


class Git(msgspec.Struct, frozen=True):
    """Arguments of Git."""

    command: str


def words_of(command: str) -> list[str]:
    """The words after `git`, checked; raises ToolFailure."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ToolFailure(f"command: {error}") from error
    if words[:1] == ["git"]:
        words = words[1:]
    known = READS + WRITES
    if not words or words[0] not in known:
        raise ToolFailure(f"git {' '.join(words[:1])[:40]}: only {', '.join(known)}; else use Bash")
    for word in words[1 : words.index("--") if "--" in words else None]:
        name = word.partition("=")[0]
        if name not in _HARMLESS and name.startswith("--"):
            for refused in _REFUSED:
                if refused.startswith(name):
                    raise ToolFailure(f"git {words[0]} {name}: not allowed here, use Bash")
    return words


def git(shell: Shell, env: Mapping[str, str]) -> Tool:
    """The tool."""

    async def run(context: ToolContext, args: Git) -> Outcome:
        words = words_of(args.command)
        quiet: tuple[str, ...] = ()
        if words[0] in READS:
            await anyio.to_thread.run_sync(_stay_inside, words, context.place)
            quiet = _QUIET
        if words[0] in _DIFFS:
            words[1:1] = ["--no-ext-diff", "--no-textconv"]
        program, apart = await anyio.to_thread.run_sync(_programs, env, context.place.root)
        command = Command(
            (program, *quiet, *words),
            context.place.cwd,
            {**(apart if quiet else env), **_ENVIRONMENT},
            timeout_s=DEFAULT_S,
            cap_bytes=context.result_chars * 4,
        )
        return told(await shell.run(command), DEFAULT_S, context.result_chars)

    return Tool(
        name="Git",
        description="Run git: status, diff, log, commit…",
        arguments=Git,
        effect=_effect,
        subject=_subject,
        run=run,
    )


def _programs(env: Mapping[str, str], root: Path) -> tuple[str, Mapping[str, str]]:
    """Where git lies, and an environment for reads: a command may have put a git in the project.

    A commit's hooks find what lies there, as the person's do.
    """
    apart = apart_from(root, env)
    return shutil.which("git", path=apart["PATH"]) or "git", apart


def _stay_inside(words: list[str], place: Place) -> None:
    """`git diff` reads any two files when one of them lies outside."""
    for word in words[1:]:
        value = word.partition("=")[2] if word.startswith("--") else word
        if not value.startswith("/") and ".." not in value.split("/"):
            continue
        if not paths.inside(resolve(value, place), place.root):
            raise ToolFailure(f"{value}: outside the project, use Bash")


def _effect(args: Git, place: Place) -> Effect:
    words = words_of(args.command)
    return "write" if words[0] in WRITES else git_effect(shlex.join(words), place)


def _subject(args: Git) -> Subject:
    """The words after `git`, as policy wants them."""
    return Subject("command", shlex.join(words_of(args.command)))
