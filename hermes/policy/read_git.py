"""What of git is known only to read: subcommands and their exact options.

Not guarded: programs that the person's own git configuration names (a diff driver, a file
system monitor). So git counts only in the directory the client stands in, never after `cd`
or `-C`: a repository hidden in the tree could bring its own configuration.
"""

import re
from types import MappingProxyType

from hermes.policy.command import names
from hermes.policy.options import Given, Known, known

_SHOWN = (
    "-psziqEFwbaMC -n: -U: -G: -S: --oneline --stat[=] --shortstat --numstat --name-only "
    "--name-status --summary --graph --decorate[=] --no-decorate --all --branches --tags "
    "--remotes --since= --until= --after= --before= --author= --committer= --grep= --format= "
    "--pretty[=] --abbrev-commit --abbrev[=] --no-merges --merges --first-parent --reverse "
    "--max-count= --skip= --date= --follow --patch --no-patch --cached --staged --merge-base "
    "--color[=] --no-color --word-diff[=] --unified= --ignore-all-space --ignore-space-change "
    "--minimal --patience --histogram --diff-filter= --find-renames[=] --no-renames "
    "--full-index --no-ext-diff --no-textconv --check --exit-code --quiet --topo-order "
    "--date-order --left-right --cherry-pick --compact-summary --dirstat --invert-grep"
)
_LISTING = "--sort= --contains= --merged[=] --no-merged[=] --column[=] --no-column --color[=]"

_COMMANDS = MappingProxyType(
    {
        "status": known(
            "paths",
            "-sbvz --short --branch --porcelain[=] --long --untracked-files[=] --ignored[=] "
            "--show-stash --ahead-behind --no-ahead-behind =-uno =-uall =-unormal =-u",
        ),
        "log": known("paths", _SHOWN, digits=True),
        "show": known("paths", _SHOWN, digits=True),
        "diff": known("paths", _SHOWN),
        "shortlog": known("paths", "-sne --numbered --summary --email --no-merges --since="),
        "blame": known("paths", "-lswefnp -L: --porcelain --line-porcelain --date= --show-email"),
        "branch": known(
            "text", "-avr --list --all --remotes --show-current --verbose -q " + _LISTING
        ),
        "tag": known("text", "-l --list " + _LISTING),
        "remote": known("none", "-v --verbose"),
        "reflog": known("none"),
        "version": known("none"),
        "stash": known("text"),
        "rev-parse": known(
            "paths",
            "-q --short[=] --abbrev-ref[=] --show-toplevel --show-prefix --show-cdup --git-dir "
            "--git-common-dir --is-inside-work-tree --is-bare-repository --verify --quiet "
            "--symbolic-full-name --absolute-git-dir",
        ),
        "ls-files": known(
            "paths",
            "-cdmosuztv -x: --others --cached --modified --deleted --exclude-standard --stage "
            "--unmerged --exclude= --error-unmatch --full-name --ignored",
        ),
        "ls-tree": known("paths", "-rdtlz --name-only --name-status --long --full-tree"),
        "describe": known("text", "--tags --always --long --dirty --all --abbrev= --match="),
        "cat-file": known("paths", "-tspe"),
        "merge-base": known("text", "-a --all --is-ancestor --octopus"),
        "rev-list": known("paths", "-n: --count --all --max-count= --no-merges --reverse"),
        "count-objects": known("none", "-vH"),
        "grep": known(
            "pattern",
            "-nilcwEFPvhHIoqWpa -e: -A: -B: -C: --line-number --ignore-case --cached --untracked "
            "--files-with-matches --count --name-only --heading --break --show-function "
            "--word-regexp --fixed-strings --extended-regexp",
        ),
    }
)

_PLACEHOLDER = re.compile(
    r"%(?:[HhTtPpsbBfndDeN%]|[ac][neENdrtiIsDh]|C(?:red|green|blue|reset|\([a-z, ]+\)))"
)
_NAMED = names("oneline short medium full fuller reference email raw mboxrd")


def git_reads(words: tuple[str, ...]) -> tuple[Known, Given] | None:
    """Judge the words after `git`; None unless they are known only to read."""
    rest = words[1:] if words[:1] == ("--no-pager",) else words
    row = _COMMANDS.get(rest[0]) if rest else None
    given = row.read(rest[1:]) if row else None
    if row is None or given is None or not _fits(rest[0], given):
        return None
    return row, given


def _fits(name: str, given: Given) -> bool:
    match name:
        case "stash":
            return given.operands == ("list",)
        case "branch" | "tag":
            return not given.operands or bool({"--list", "-l"} & given.options)
        case _:
            return all(
                _shows_only(value) for key, value in given.values if key in {"--format", "--pretty"}
            )


def _shows_only(value: str) -> bool:
    """Whether a format only shows: `%G?` runs gpg, a configured name may hold it."""
    text = re.sub(r"^t?format:", "", value)
    if value in _NAMED:
        return True
    return "%" in text and "%" not in _PLACEHOLDER.sub("", text)
