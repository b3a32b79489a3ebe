"""What runs inside the boxes of a build: unpacks, applies a patch, compiles; nobody imports it.

Run as `python -I -S -B inside_build.py unpack|apply|compile`. What it says goes out as frames: a
line of JSON, then as many bytes as its `size` says. The reader outside believes none of it.
"""

import ast
import hashlib
import json
import os
import py_compile
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

REPO, PARENT, WORK = "/box/repo", "/box/parent", "/box/work"
_PATCH = "/box/patch"
_UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
_PREFIXED = re.compile(rb"^(--- a/|\+\+\+ b/|diff --git a/)", re.MULTILINE)
_COPIED: set[str] = set()
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
            file: BinaryIO | None = archive.extractfile(one) if one.isreg() else None  # type: ignore[assignment]
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
    said = b""
    for strip in ("-p1",) if _PREFIXED.search(patch) else ("-p1", "-p0"):
        for wanted in (names(git(strip, "--numstat", "-z").stdout), everything()):
            shutil.rmtree(WORK, ignore_errors=True)
            os.mkdir(WORK)
            _COPIED.clear()
            for path in wanted:
                copy(path)
            done = git(strip)
            if done.returncode == 0:
                tell_changes()
                return
            said = said or done.stderr
    say({"refused": said.decode(errors="replace")[:4000]})


def everything() -> Iterator[str]:
    """Every source of the parent."""
    return (path for path, _ in files(PARENT) if "__pycache__" not in path.split("/"))


def git(*words: str) -> "subprocess.CompletedProcess[bytes]":
    """Let git read the patch."""
    argv = ["git", "apply", "--whitespace=nowarn", *words, _PATCH]
    place = WORK if os.path.isdir(WORK) else "/box"
    return subprocess.run(argv, cwd=place, env=_GIT, capture_output=True, check=False)


def names(listed: bytes) -> Iterator[str]:
    """The paths of a list that `--numstat -z` made."""
    for word in listed.split(b"\0"):
        path = os.fsdecode(word.split(b"\t", 2)[-1])
        if path and not path.startswith("/") and ".." not in path.split("/"):
            yield path


def copy(path: str) -> None:
    """One of the parent's files, writable; where it has none, there is nothing to copy."""
    place, target = os.path.join(PARENT, path), os.path.join(WORK, path)
    if os.path.isfile(place):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(place, target)
        os.chmod(target, 0o700 if os.stat(place).st_mode & 0o100 else 0o600)
        _COPIED.add(path)


def tell_changes() -> None:
    """Every place that is not as it was."""
    after = dict(files(WORK))
    for path, place in sorted(after.items()):
        if path not in _COPIED or not same(os.path.join(PARENT, path), place):
            give(path, place)
    for path in sorted(_COPIED - after.keys()):
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
    asked = json.load(sys.stdin)
    for path in asked["shape"]:
        say({"path": path, "after": shape(f"{REPO}/{path}"), "before": shape(f"{PARENT}/{path}")})
    for path in asked["compile"]:
        place = f"{REPO}/{path}"
        made = f"/tmp/{hashlib.sha256(path.encode()).hexdigest()}.pyc"  # noqa: S108 - inside
        try:
            py_compile.compile(place, made, place, doraise=True, invalidation_mode=_UNCHECKED)
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
