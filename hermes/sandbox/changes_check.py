"""Which changes to a workspace are not let out: what would run, or reach, beyond it later.

It guards what acts by lying there: git's hooks and settings, Hermes's own rules, links that
lead out, devices, setuid bits. It does not judge contents: a Makefile or a test that does harm
when a person runs it is for that person's eyes, who sees the list.
"""

import posixpath
from dataclasses import replace
from pathlib import PurePosixPath

from hermes.sandbox.changes import Changes, Delta, Node, Refusal

_GIT_FOLDERS = {"objects", "refs", "logs"}
_GIT_FILES = {
    "index",
    "HEAD",
    "ORIG_HEAD",
    "FETCH_HEAD",
    "MERGE_HEAD",
    "MERGE_MODE",
    "MERGE_MSG",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "AUTO_MERGE",
    "COMMIT_EDITMSG",
    "SQUASH_MSG",
    "packed-refs",
}
_OURS = ".hermes-v2"
_SPECIAL_BITS = 0o6000


def checked(changes: Changes) -> Changes:
    """The same changes with the refusals added."""
    found = [Refusal(one.path, reason) for one in changes.deltas if (reason := reason_of(one))]
    return replace(changes, refused=(*changes.refused, *found))


def reason_of(delta: Delta) -> str:
    """Why a change is refused; empty when it is not."""
    parts = PurePosixPath(delta.path).parts
    folded = [_fold(part) for part in parts]
    if _OURS in folded:
        return "Hermes's own rules for this project"
    if ".git" in folded and (reason := _git(parts[folded.index(".git") + 1 :], delta)):
        return reason
    return _kind(delta.path, delta.after) if delta.after else ""


def _fold(part: str) -> str:
    """A name as file systems that ignore case, and git on them, read it."""
    plain = part.casefold().rstrip(". ")
    return ".git" if plain == "git~1" else plain


def _git(rest: tuple[str, ...], delta: Delta) -> str:
    node = delta.after or delta.before
    if not rest:
        whole = node is not None and node.kind == "directory"
        return (
            "" if whole and delta.before is None else "a repository put away or turned into a link"
        )
    if node is not None and node.kind == "link":
        return "a link inside .git"
    if rest[0] in _GIT_FOLDERS:
        return "objects of another repository" if "alternates" in rest[-1] else ""
    if len(rest) == 1 and rest[0] in _GIT_FILES:
        return ""
    return "git's hooks, settings or inner files: they act whenever git runs"


def _kind(path: str, node: Node) -> str:
    if node.kind == "other":
        return "a device, pipe or socket"
    if node.mode & _SPECIAL_BITS and node.kind == "file":
        return "runs as another user (setuid)"
    if node.kind == "link":
        return _link(path, node.data.decode(errors="surrogateescape"))
    return ""


def _link(path: str, target: str) -> str:
    """Steps up may only come first: after a name they would follow where another link leads."""
    if target.startswith("/"):
        return f"a link out of the workspace, to {target}"
    steps = [step for step in target.split("/") if step not in {"", "."}]
    down = [step for step in steps[_leading(steps) :] if step == ".."]
    landed = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if down or landed == ".." or landed.startswith("../"):
        return f"a link out of the workspace, to {target}"
    return ""


def _leading(steps: list[str]) -> int:
    return next((at for at, step in enumerate(steps) if step != ".."), len(steps))
