"""The line budget: 200 code lines a file, tests 400; comments and docstrings are free."""

import ast
import io
import sys
import tokenize
from pathlib import Path

BUDGET = {
    "hermes": 200,
    "relay": 200,
    "training": 200,
    "scripts": 200,
    "benchmarks": 200,
    "tests": 400,
}
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


def docstring_lines(tree: ast.AST) -> set[int]:
    """Line numbers that belong to a docstring."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0] if node.body else None
        if ast.get_docstring(node, clean=False) is not None and first is not None:
            found.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return found


def code_lines(text: str) -> int:
    """How many lines carry code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SKIPPED and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(text)))


def main() -> int:
    """Print every file over its budget; 1 when there is one."""
    over = []
    for top, limit in BUDGET.items():
        for path in sorted(Path(top).rglob("*.py")):
            count = code_lines(path.read_text())
            if count > limit:
                over.append(f"{path}: {count} code lines, budget {limit}")
    print("\n".join(over) or "line budget kept")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
