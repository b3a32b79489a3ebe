"""Which changes inside a repository are let out: none that git would act on later by itself.

By name, never by exception: objects, refs, the state of a merge or rebase, samples, settings
that only describe (`changes_config`). What is not named here is refused.
"""

import posixpath
import re
from pathlib import Path

from hermes.sandbox.changes import Delta, Node
from hermes.sandbox.changes_config import config_reason, read_config
from hermes.sandbox.changes_index import conflicts_reason, folded, index_reason

_FOLDERS = {"objects", "refs", "logs"}
_FILES = re.compile(
    r"""index|packed-refs|shallow|description|gc\.log|info/(exclude|refs)|hooks/[^/]+\.sample
    |(ORIG_|FETCH_|MERGE_|CHERRY_PICK_|REVERT_|REBASE_)?HEAD|MERGE_(MODE|MSG|AUTOSTASH)
    |AUTO_MERGE|SQUASH_MSG|(COMMIT|TAG|NOTES)_EDITMSG
    |MERGE_RR|rr-cache/[0-9a-f]{40}/(pre|post|this)image(\.\d+)?
    |BISECT_(START|LOG|NAMES|TERMS|EXPECTED_REV|ANCESTORS_OK)
    |rebase-merge/(amend|author-script|autostash|done|(drop_redundant|keep_redundant)_commits
      |end|git-rebase-todo(\.backup)?|head-name|interactive|message(-fixup|-squash)?|msgnum
      |no-reschedule-failed-exec|onto|orig-head|patch|quiet|rewritten-(list|pending)
      |squash-onto|stopped-sha|update-refs|verbose)""",
    re.VERBOSE,
)
_CONFLICTS = re.compile(r"rr-cache(/[0-9a-f]{40})?")
_LARGE = (("objects",), ("tmp",), ("cache",))
_EMPTY_FOLDERS = {"hooks", "lfs", "info", "branches", "worktrees", "rebase-merge"}
_STEP = re.compile(
    rb"\s*(?:#.*|(?:pick|p|reword|r|edit|e|squash|s|fixup|f|drop|d|label|l|reset|t|merge|m"
    rb"|update-ref|u|break|b|noop)(?:\s.*)?)?"
)
_TREES = (".git", "worktrees")
_NAME = re.compile(r"[\w][\w.+-]*")
_HEAD = re.compile(rb"ref:|[0-9a-fA-F]{40}")  # as git reads it: what follows may be anything
_ACTS = "git's hooks, settings or inner files: they act whenever git runs"


def git_reason(rest: tuple[str, ...], delta: Delta, root: Path) -> str:
    """Why a change at `rest` below a `.git` is refused; empty when it is not."""
    node = delta.after or delta.before
    if not rest:
        return _itself(delta, root)
    if node is not None and node.kind == "link":
        return "a link inside .git"
    if ".git" in map(folded, rest):
        return "a repository inside another's .git"
    if rest[0] == "worktrees" and len(rest) > 1:
        return _worktree(rest, delta, root)
    return _inner(rest, delta, node)


def is_bare(name: str, delta: Delta) -> bool:
    """Whether a file makes its directory a repository, on whose settings git would act."""
    node = delta.after
    if node is None or name.casefold() != "head":
        return False
    return node.kind == "link" or bool(_HEAD.match(node.data))


def lies_bare(folder: Path) -> bool:
    """Whether git would take a directory that is there for a repository without `.git`."""
    head = folder / "HEAD"
    try:
        return head.is_file() and bool(_HEAD.match(head.read_bytes()[:64]))
    except OSError:
        return False


def hooks_of(root: Path) -> str:
    """The directory of the workspace in which its git looks for hooks, where it was told of one."""
    config = root / ".git/config"
    try:
        read = read_config(config.read_bytes()) if config.is_file() else ()
    except (OSError, ValueError):
        return ""
    place = dict(read).get("core.hookspath", "")
    path = posixpath.normpath(posixpath.join(root, place)).removesuffix("/_")  # husky's own
    return "" if path == str(root) or not place else posixpath.relpath(path, root)


def _inner(rest: tuple[str, ...], delta: Delta, node: Node | None) -> str:
    path = "/".join(rest)
    if rest[0] in _FOLDERS:
        return "objects of another repository" if "alternates" in rest[-1].casefold() else ""
    if rest[0] == "lfs" and rest[1:2] in _LARGE:
        return ""
    if path in _EMPTY_FOLDERS or _CONFLICTS.fullmatch(path):
        return "" if node is not None and node.kind == "directory" else _ACTS
    if path == "config":
        return _config(delta)
    if delta.after is not None and (read := _READ.get(path)) is not None:
        return read(delta.after.data)
    return "" if _FILES.fullmatch(path) else _ACTS


def _itself(delta: Delta, root: Path) -> str:
    """A `.git` may come as a directory; one that points at a working tree may come and go."""
    before, after = delta.before, delta.after
    if before is None and after is not None and after.kind == "directory":
        return ""
    one = after if before is None else before if after is None else None
    if one is not None and one.kind == "file" and _leads(one.data, b"gitdir: ", root, *_TREES):
        return ""
    return "a repository put away or turned into a link"


def _worktree(rest: tuple[str, ...], delta: Delta, root: Path) -> str:
    """What git keeps of a working tree beside the first: it may only lead inside."""
    inner = rest[2:]
    node = delta.after
    if not _NAME.fullmatch(rest[1]) or inner == ("config",):
        return _ACTS
    if not inner or inner == ("locked",):
        return ""
    if inner == ("commondir",):
        return "" if node is None or node.data == b"../..\n" else _ACTS
    if inner == ("gitdir",):
        return "" if node is None or _leads(node.data, b"", root, "", ".git") else _ACTS
    return _inner(inner, delta, node or delta.before)


def _leads(data: bytes, begins: bytes, root: Path, *last: str) -> bool:
    """Whether a pointer of a working tree names a place inside, of this form."""
    text = data.decode("utf-8", "surrogateescape")
    words = begins.decode()
    if not text.startswith(words) or text.count("\n") != 1 or not text.endswith("\n"):
        return False
    path = text.removeprefix(words).removesuffix("\n")
    if not path.startswith("/") or posixpath.normpath(path) != path:
        return False
    if not Path(path).is_relative_to(root):
        return False
    names = path.split("/")
    if last[0]:
        return tuple(names[-3:-1]) == last and _NAME.fullmatch(names[-1]) is not None
    return names[-1] == last[1]


def _config(delta: Delta) -> str:
    if any(one is not None and one.kind != "file" for one in (delta.before, delta.after)):
        return _ACTS
    return config_reason(
        delta.before.data if delta.before else b"", delta.after.data if delta.after else b""
    )


def _steps(data: bytes) -> str:
    plain = all(_STEP.fullmatch(line) for line in data.split(b"\n"))
    return "" if plain else "a rebase that would run commands when it goes on"


_READ = {
    "index": index_reason,
    "MERGE_RR": conflicts_reason,
    **{
        f"rebase-merge/{name}": _steps
        for name in ("done", "git-rebase-todo", "git-rebase-todo.backup")
    },
}
