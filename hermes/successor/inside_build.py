"""What runs inside the boxes of a build: unpacks, applies a patch, compiles; nobody imports it.

Run as `python -I -S -B inside_build.py unpack|apply|compile`. What it says goes out as frames: a
line of JSON, then as many bytes as its `size` says. The reader outside believes none of it.
Somebody waits for every module that is imported here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator

if sys.argv[1:] == ["unpack"]:
    import tarfile
if sys.argv[1:] == ["compile"]:
    import ast
    import py_compile

REPO, PARENT = "/box/repo", "/box/parent"
_PATCH, _SAID, _ERRED = "/box/patch", "/box/said", "/box/erred"
_WRITTEN = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_PREFIXED = re.compile(rb"^(--- a/|\+\+\+ b/|diff --git a/)", re.MULTILINE)
_GIT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/box/home", "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CEILING_DIRECTORIES": "/box"}  # fmt: skip


def say(head: dict[str, object], data: bytes = b"") -> None:
    """One frame."""
    out = sys.stdout.buffer
    out.write(json.dumps(head | {"size": len(data)}).encode() + b"\n" + data)


def give(path: str, place: str) -> None:
    """A file as it lies; of anything else only that it is there."""
    mode = os.lstat(place).st_mode
    if not stat.S_ISREG(mode):
        say({"path": path, "odd": stat.filemode(mode)[0]})
        return
    say({"path": path, "x": bool(mode & 0o100)}, content(place))


def content(place: str) -> bytes:
    """A file's bytes."""
    with open(place, "rb") as file:
        return file.read()


def unpack() -> None:
    """An archive on standard input, file by file."""
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for one in archive:
            if one.isdir():
                continue
            file = archive.extractfile(one) if one.isreg() else None
            if file is None:
                say({"path": one.name, "odd": one.type.decode()})
            else:
                say({"path": one.name, "x": bool(one.mode & 0o100)}, file.read())


def apply() -> None:
    """A patch on standard input, on a copy of the parent; what differs afterwards.

    First on a copy of the files that git lists for it; a rename's old name is not among them, so
    what fails there is tried on all files.
    """
    patch = sys.stdin.buffer.read()
    with open(_PATCH, "wb") as file:
        file.write(patch)
    first = b""
    for strip in ("-p1",) if _PREFIXED.search(patch) else ("-p1", "-p0"):
        _, listed, _ = git("/box", strip, "--numstat", "-z")
        for number, wanted in enumerate((names(listed), everything())):
            work = f"/box/work{strip}{number}"
            os.mkdir(work)
            copied = {path for path in wanted if copy(path, work)}
            status, _, said = git(work, strip)
            if status == 0:
                tell_changes(work, copied)
                return
            first = first or said
    say({"refused": first.decode(errors="replace")[:4000]})


def everything() -> Iterator[str]:
    """Every source of the parent."""
    return (path for path, _ in files(PARENT) if "__pycache__" not in path.split("/"))


def git(place: str, *words: str) -> tuple[int, bytes, bytes]:
    """Let git read the patch; how it ended, and what it said."""
    argv = ["git", "-C", place, "apply", "--whitespace=nowarn", *words, _PATCH]
    heard = [(os.POSIX_SPAWN_OPEN, at, to, _WRITTEN, 0o600) for at, to in ((1, _SAID), (2, _ERRED))]
    pid = os.posix_spawnp("git", argv, _GIT, file_actions=heard)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, content(_SAID), content(_ERRED)


def names(listed: bytes) -> Iterator[str]:
    """The paths of a list that `--numstat -z` made."""
    for word in listed.split(b"\0"):
        path = os.fsdecode(word.split(b"\t", 2)[-1])
        if path and not path.startswith("/") and ".." not in path.split("/"):
            yield path


def copy(path: str, work: str) -> bool:
    """One of the parent's files, writable; where it has none, there is nothing to copy."""
    place, target = os.path.join(PARENT, path), os.path.join(work, path)
    if not os.path.isfile(place):
        return False
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(content(place))
    os.chmod(target, 0o700 if os.stat(place).st_mode & 0o100 else 0o600)
    return True


def tell_changes(work: str, copied: set[str]) -> None:
    """Every place that is not as it was."""
    after = dict(files(work))
    for path, place in sorted(after.items()):
        if path not in copied or not same(os.path.join(PARENT, path), place):
            give(path, place)
    for path in sorted(copied - after.keys()):
        say({"path": path, "gone": True})


def same(old: str, new: str) -> bool:
    """Whether two places hold the same file."""
    one, other = os.lstat(old), os.lstat(new)
    if one.st_size != other.st_size or (one.st_mode ^ other.st_mode) & (0o100 | 0o170000):
        return False
    return content(old) == content(new)


def files(root: str) -> Iterator[tuple[str, str]]:
    """Everything below that is no directory."""
    left = [""]
    while left:
        folder = left.pop()
        for one in os.scandir(os.path.join(root, folder)):
            path = os.path.join(folder, one.name)
            if one.is_dir(follow_symlinks=False):
                left.append(path)
            else:
                yield path, one.path


def compile_() -> None:
    """Compile what is named on standard input, and say the shapes of what is named for that."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    asked = json.load(sys.stdin)
    for path in asked["shape"]:
        say({"path": path, "after": shape(f"{REPO}/{path}"), "before": shape(f"{PARENT}/{path}")})
    for path in asked["compile"]:
        place = f"{REPO}/{path}"
        made = f"/tmp/{hashlib.sha256(path.encode()).hexdigest()}.pyc"  # noqa: S108 - inside
        try:
            py_compile.compile(place, made, place, doraise=True, invalidation_mode=mode)
        except (py_compile.PyCompileError, ValueError, RecursionError, MemoryError) as error:
            say({"path": path, "broken": str(error)[:400]})
            continue
        say({"path": path, "pyc": True}, content(made))
        os.unlink(made)


def shape(place: str) -> str:
    """Without positions, comments and docstrings; "" where there is no such file or tree."""
    try:
        tree = ast.parse(content(place))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and is_docstring(node, body[0]):
                del body[0]
        text = ast.dump(tree)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def is_docstring(node: ast.AST, first: ast.stmt) -> bool:
    """Whether a body begins with words about it."""
    return (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


if __name__ == "__main__":
    {"unpack": unpack, "apply": apply, "compile": compile_}[sys.argv[1]]()
    say({"end": True})
    sys.stdout.buffer.flush()
