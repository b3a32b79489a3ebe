"""Words of the grammar's tree: their text when the shell will use exactly that."""

import re

from tree_sitter import Node

from hermes.policy.command import Word

_UNSURE = frozenset("*?[]{}~!$`()<>|&;#")


def word_of(node: Node, source: bytes) -> Word:
    """The word a node stands for."""
    text = source[node.start_byte : node.end_byte].decode()
    match node.type:
        case "command_name" if len(node.children) == 1:
            return word_of(node.children[0], source)
        case "raw_string":
            return Word(text[1:-1])
        case "string":
            plain = all(c.type in {'"', "string_content"} for c in node.children)
            bad = re.search(r"(?<!\\)(?:\\\\)*[$`]|!(?![\"\s=])", text[1:-1] + '"')
            inner = re.sub(r'\\(["\\$`])', r"\1", text[1:-1])
            return Word(inner if plain and not bad else text, known=plain and not bad)
        case "concatenation":
            return _joined(node, source)
        case "word" | "number":
            return _bare(text)
        case _:
            return Word(text, known=False)


def assigned_of(node: Node, source: bytes) -> Word:
    """The `A=b` an assignment stands for; arrays and subscripts are not known."""
    name, equals, *value = node.children
    text = source[node.start_byte : node.end_byte].decode()
    if name.type != "variable_name" or len(value) > 1:
        return Word(text, known=False)
    word = word_of(value[0], source) if value else Word("")
    begin = source[name.start_byte : equals.end_byte].decode()
    return Word(begin + word.text, word.known)


def _joined(node: Node, source: bytes) -> Word:
    text = source[node.start_byte : node.end_byte].decode()
    if text == "{}":
        return Word("{}")
    pieces = [word_of(child, source) for child in node.children]
    if all(piece.known for piece in pieces):
        return Word("".join(piece.text for piece in pieces))
    return Word(text, known=False)


def _bare(text: str) -> Word:
    stripped = re.sub(r"\\.", "", text, flags=re.DOTALL)
    if _UNSURE & set(stripped.removesuffix("!").replace("!=", "")):
        tail = re.sub(r"(?<=[^\s])[#~]", "", stripped)  # inside a word these are themselves
        if _UNSURE & set(tail.removesuffix("!").replace("!=", "")) or re.search("[=:]~", stripped):
            return Word(text, known=False)
    return Word(re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL))
