"""Which changes to a workspace are not let out: what would run, or reach, beyond it later.

It guards what acts by lying there: git's hooks and settings, Hermes's own rules, links that
lead out, devices, setuid bits. It does not judge contents: a Makefile or a test that does harm
when a person runs it is for that person's eyes, who sees the list.
"""

import posixpath
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from hermes.sandbox.changes import Changes, Delta, Node, Refusal
from hermes.sandbox.changes_git import git_reason, hooks_of, is_bare, lies_bare
from hermes.sandbox.changes_index import folded

_OURS = ".hermes-v2"
_PROGRAM = re.compile(r"(?:/\w[\w.+-]*|/\.[\w-][\w.+-]*)*/bin/python(?:3(?:\.\d+)?)?")
_SPECIAL_BITS = 0o6000


def checked(changes: Changes, root: Path) -> Changes:
    """The same changes with the refusals added; `root`: where they would be made."""
    hooks = hooks_of(root)
    judged = [(one, reason_of(one, root) or _hook(one.path, hooks)) for one in changes.deltas]
    found = [Refusal(one.path, reason) for one, reason in judged if reason]
    return replace(changes, refused=(*changes.refused, *found))


def reason_of(delta: Delta, root: Path) -> str:
    """Why a change is refused; empty when it is not."""
    parts = PurePosixPath(delta.path).parts
    names = [folded(part) for part in parts]
    if _OURS in names:
        return "Hermes's own rules for this project"
    if ".git" in names:
        if reason := git_reason(parts[names.index(".git") + 1 :], delta, root):
            return reason
    elif is_bare(parts[-1], delta):
        return "it makes a directory a repository, on whose settings git would act"
    elif reason := _in_bare(parts, delta, root):
        return reason
    return _kind(delta.path, delta.after, root) if delta.after else ""


def _hook(path: str, hooks: str) -> str:
    """Why a change to what the project's own git runs for hooks is refused."""
    within = hooks and PurePosixPath(path).is_relative_to(hooks)
    return "git's hooks, by core.hooksPath: they act whenever git runs" if within else ""


def _in_bare(parts: tuple[str, ...], delta: Delta, root: Path) -> str:
    """Why a change in a repository without `.git`, which was there before, is refused."""
    depths = (one for one in range(len(parts)) if lies_bare(root.joinpath(*parts[:one])))
    depth = next(depths, None)
    return "" if depth is None else git_reason(parts[depth:], delta, root)


def _kind(path: str, node: Node, root: Path) -> str:
    if node.kind == "other":
        return "a device, pipe or socket"
    if node.mode & _SPECIAL_BITS and node.kind == "file":
        return "runs as another user (setuid)"
    if node.kind == "link":
        return _link(path, node.data.decode(errors="surrogateescape"), root)
    return ""


def _link(path: str, target: str, root: Path) -> str:
    """Steps up may only come first: after a name they would follow where another link leads."""
    if _PROGRAM.fullmatch(f"/{path}") and _PROGRAM.fullmatch(target):
        return ""  # a virtual environment's way to its interpreter
    if target.startswith(f"{root}/"):
        path, target = "", target.removeprefix(f"{root}/").lstrip("/")
    if target.startswith("/"):
        return f"a link out of the workspace, to {target}"
    steps = [step for step in target.split("/") if step not in {"", "."}]
    if {".git", _OURS} & set(map(folded, steps)):
        return "a link to what acts whenever git or Hermes runs"
    down = [step for step in steps[_leading(steps) :] if step == ".."]
    landed = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if down or landed == ".." or landed.startswith("../"):
        return f"a link out of the workspace, to {target}"
    return ""


def _leading(steps: list[str]) -> int:
    return next((at for at, step in enumerate(steps) if step != ".."), len(steps))
