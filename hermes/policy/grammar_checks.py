"""Checks that the grammar's reading of a text leaves nothing out; apart, to be looked at alone.

Measured: tree-sitter-bash 0.25 loses a back-quoted command in a here-document's body.
"""

import re
import unicodedata
from collections.abc import Iterator

from tree_sitter import Node

from hermes.policy.command import LONGEST

_START = re.compile(rb"\\?(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_EXPANDS = re.compile(rb"(?<!\\)(?:\\\\)*(`|\$[({\[])")


def unreadable(command: str) -> str:
    """Why a text is not even given to the grammar; empty when it is."""
    if not command.strip():
        return "it is empty"
    if len(command) > LONGEST or len(command.encode(errors="replace")) > LONGEST:
        return f"it is longer than {LONGEST} bytes"
    if "\\\n" in command:
        return "a line is continued with a backslash; write it on one line"
    for char in command:
        if char in " \n\t" or "!" <= char <= "~":
            continue
        if unicodedata.category(char)[0] in "CZ":
            return f"an unusual character, U+{ord(char):04X}"
    return ""


def has_gaps(root: Node, source: bytes) -> bool:
    """Whether there is more than blanks between the leaves; texts check themselves."""
    at = 0
    for leaf in _leaves(root):
        if source[at : leaf.start_byte].strip(b" \t\n"):
            return True
        at = max(at, leaf.end_byte)
    return bool(source[at:].strip(b" \t\n"))


def heredoc_fault(node: Node, source: bytes) -> str:
    """Why a here-document cannot be read for certain; empty when it can."""
    by_type = {child.type: child for child in node.children}
    start, end = by_type.get("heredoc_start"), by_type.get("heredoc_end")
    if start is None or end is None:
        return "a here-document has no end"
    found = _START.fullmatch(source[start.start_byte : start.end_byte])
    at = source.find(b"\n", start.end_byte) + 1
    line = source[source.rfind(b"\n", 0, start.start_byte) + 1 : max(at - 1, start.end_byte)]
    if not found or line.count(b"<<") > 1:
        return "a here-document whose delimiter is unclear"
    if at == 0:
        return "a here-document without a body"
    for line in source[at:].split(b"\n"):
        if (line.lstrip(b"\t") if "<<-" in by_type else line) == found[2]:
            stop = at + len(line) - len(found[2])
            return "" if stop == end.start_byte else "a here-document's end is unclear"
        at += len(line) + 1
    return "a here-document has no end"


def hides_expansion(node: Node, source: bytes) -> bool:
    """Whether a text with expansions holds one that the grammar did not see."""
    if node.type == "heredoc_body" and _is_quoted(node, source):
        return False
    at, rest = node.start_byte, b""
    for child in node.children:
        if child.type in {"string_content", "heredoc_content", '"'}:
            continue
        rest += source[at : child.start_byte] + b" "
        at = child.end_byte
    return _EXPANDS.search(rest + source[at : node.end_byte]) is not None


def _is_quoted(body: Node, source: bytes) -> bool:
    siblings = body.parent.children if body.parent else []
    start = next((c for c in siblings if c.type == "heredoc_start"), None)
    return start is not None and source[start.start_byte : start.start_byte + 1] in b"'\"\\"


def _leaves(node: Node) -> Iterator[Node]:
    pending = [node]
    while pending:
        current = pending.pop()
        if not current.children or current.type in {"heredoc_body", "string"}:
            yield current
        else:
            pending.extend(reversed(current.children))
