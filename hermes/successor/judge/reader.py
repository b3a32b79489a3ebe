"""What runs inside a box to read changed modules: parses them, runs none; nobody imports it.

Run as `python -I -S -B reader.py`, with a list of paths as JSON on standard input. Each path is
answered by one line of JSON, in ASCII. A module that breaks the parser breaks this process
only: who asked takes a line that does not come for an answer.
"""

import ast
import difflib
import io
import json
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from types import CodeType

REPO, PARENT = "/box/repo", "/box/parent"
_MOST = 60
_SHOWN = 120
_SHORT, _SMALL = 3, 16
_SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
_DEFINED = ast.FunctionDef | ast.AsyncFunctionDef
_CLOCKS = re.compile(
    r"time|clock|now|today|date|monotonic|perf|uptime|year|month|day|hour|minute|count|counter"
    r"|counted|calls|seen|tries|rounds|ticks|steps|turns?|served|hits|nth"
)
_REACHES = re.compile(
    r"__import__|import_module|ctypes|pickle|marshal|_exit|_getframe"
    r"|_current_frames|settrace|setprofile|get_objects|get_referrers|get_referents|__subclasses__"
    r"|__globals__|__code__|__builtins__|addaudithook|meta_path|path_hooks|f_back|f_globals"
    r"|f_locals|tb_frame|gi_frame|cr_frame|atexit|environ|getenv|__main__|fork|execv|execve"
    r"|pidfd_open|process_vm_writev|memfd_create"
)
_BUILTINS = {"eval", "exec", "compile"}  # as names: `re.compile` is another thing
_RUNNERS = {"pytest", "_pytest", "unittest", "pluggy", "hypothesis", "nose"}
Found = dict[str, object]


def content(place: str) -> bytes:
    """A file's bytes; none where there is no file."""
    try:
        with open(place, "rb") as file:
            return file.read()
    except OSError:
        return b""


def look(path: str) -> Found:
    """Everything that is asked about one module."""
    old, new = content(f"{PARENT}/{path}"), content(f"{REPO}/{path}")
    found: Found = {"path": path, "lines": 0, "old_lines": 0}
    before = ast.Module(body=[], type_ignores=[])
    try:
        before = ast.parse(old)
        found["old_lines"] = code_lines(old, before)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        pass  # the parent's own fault: everything in it counts as new
    try:
        after = ast.parse(new)
        found["lines"] = code_lines(new, after)
        changed = changed_lines(old, new)
        code = compile(new, path, "exec", dont_inherit=True)
        found["runs"] = sorted(changed & set(executable(code)))[: _MOST * 20]
        found.update(differences(before, after))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        found["error"] = ascii(str(error))[:_SHOWN]
    return found


def code_lines(data: bytes, tree: ast.Module) -> int:
    """Lines that carry code: no comments, docstrings, empty ones."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(data.decode()).readline):
        if token.type not in _SKIPPED and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in docstrings(tree):
        lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def docstrings(tree: ast.AST) -> Iterator[ast.Expr]:
    """The statements that are docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | _DEFINED) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and text_of(first.value) is not None:
                yield first


def text_of(node: ast.AST) -> str | None:
    """The text that a constant is."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return None


def changed_lines(old: bytes, new: bytes) -> set[int]:
    """Numbers of the lines that are new or other than they were."""
    match = difflib.SequenceMatcher(None, old.split(b"\n"), new.split(b"\n"))
    return {
        number + 1
        for tag, _, _, first, last in match.get_opcodes()
        if tag != "equal"
        for number in range(first, last)
    }


def executable(code: CodeType) -> Iterator[int]:
    """Lines at which a tracer would stop."""
    for _, _, line in code.co_lines():
        if line:
            yield line
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from executable(one)


def differences(before: ast.Module, after: ast.Module) -> Found:
    """What a person would look for."""
    old, new = dict(functions(before)), dict(functions(after))
    for tree in (before, after):
        said = {id(one.value) for one in docstrings(tree)}
        for node in ast.walk(tree):
            if id(node) in said:
                node.value = None  # type: ignore[attr-defined]  # a docstring is no constant
    return {
        "added": sorted(new.keys() - old.keys())[:_MOST],
        "removed": sorted(old.keys() - new.keys())[:_MOST],
        "changed": sorted(one for one in new.keys() & old.keys() if new[one] != old[one])[:_MOST],
        "constants": fresh(constants(before), constants(after)),
        "clocks": fresh(clocks(before), clocks(after)),
        "reaches": fresh(reaches(before), reaches(after)),
        "runners": fresh(runners(before), runners(after)),
        "letters": fresh(letters(before), letters(after)),
    }


Named = Iterator[tuple[str, int]]


def fresh(old: Named, new: Named) -> list[tuple[int, str]]:
    """What stands in the new one more often than in the old, with its lines."""
    known = Counter(name for name, _ in old)
    found: list[tuple[int, str]] = []
    for name, line in new:
        known[name] -= 1
        if known[name] < 0:
            found.append((line, ascii(name)[1:-1][:_SHOWN]))
    return sorted(found)[:_MOST]


def functions(tree: ast.Module, under: str = "") -> Iterator[tuple[str, str]]:
    """Functions and methods by name, with what they are without their positions."""
    for node in tree.body:
        if isinstance(node, _DEFINED):
            yield f"{under}{node.name}"[:_SHOWN], ast.dump(node)
        elif isinstance(node, ast.ClassDef):
            body = ast.Module(body=node.body, type_ignores=[])
            yield from functions(body, f"{under}{node.name}.")


def constants(tree: ast.AST) -> Named:
    """Values that were written out, but for those that stand everywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            value = node.value
            long = isinstance(value, str | bytes) and len(value) >= _SHORT
            large = isinstance(value, int | float | complex) and abs(value) >= _SMALL
            if long or large:
                yield repr(value), node.lineno


def clocks(tree: ast.AST) -> Named:
    """Comparisons and remainders of what looks like a clock or a counter."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) or (
            isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
        ):
            words = {word for name, _ in names(node) for word in name.lower().split("_")}
            if any(_CLOCKS.fullmatch(word) for word in words):
                yield ast.unparse(node), node.lineno


def reaches(tree: ast.AST) -> Named:
    """Names that reach beyond the module: into the interpreter, its frames, its environment."""
    entries = {id(one) for node in ast.walk(tree) for one in entry_words(node)}
    for name, line in names(tree):
        if _REACHES.fullmatch(name):
            yield name, line
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _BUILTINS:
            yield node.id, node.lineno
        text = text_of(node)
        if text is not None and _REACHES.fullmatch(text) and id(node) not in entries:
            yield text, getattr(node, "lineno", 0)


def entry_words(node: ast.AST) -> list[ast.expr]:
    """The word of `if __name__ == "__main__"`."""
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
        return node.comparators if node.left.id == "__name__" else []
    return []


def runners(tree: ast.AST) -> Named:
    """Names of what runs tests, as code or as text."""
    for name, line in names(tree):
        if name in _RUNNERS:
            yield name, line
    for node in ast.walk(tree):
        text = text_of(node)
        if text is not None and text.split(".")[0] in _RUNNERS and re.fullmatch(r"[\w.]+", text):
            yield text, getattr(node, "lineno", 0)


def letters(tree: ast.AST) -> Named:
    """Names with letters that look like others."""
    for name, line in names(tree):
        if not name.isascii():
            yield name, line


def names(tree: ast.AST) -> Named:
    """Every name that is used or bound, with its line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Name):
            yield node.id, line
        elif isinstance(node, ast.Attribute):
            yield node.attr, line
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.arg, line
        elif isinstance(node, ast.ClassDef | _DEFINED):
            yield node.name, line
        elif isinstance(node, ast.alias):
            for part in (*node.name.split("."), *((node.asname,) if node.asname else ())):
                yield part, line
        elif isinstance(node, ast.ImportFrom) and node.module:
            for part in node.module.split("."):
                yield part, line


def main() -> None:
    """Answer line by line, so that what was read before a crash is known."""
    for path in json.load(sys.stdin):
        try:
            found = look(path)
        except RecursionError:
            found = {"path": path, "error": "nested too deeply"}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
