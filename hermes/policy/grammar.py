"""The shell parser: text to every simple command in it, through tree-sitter's bash grammar.

Heavy, so it comes in through `hermes.load`; no tree-sitter type leaves it. Whatever it is
not sure of is Unparseable. It does not guard against what a command does when it runs.
"""

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from hermes.policy.command import (
    Parsed,
    ParsedCommand,
    Part,
    Redirect,
    Unparseable,
    Word,
    names,
)
from hermes.policy.grammar_checks import has_gaps, heredoc_fault, hides_expansion, unreadable
from hermes.policy.grammar_words import assigned_of, word_of
from hermes.policy.lexer import RESERVED, split

_LANGUAGE = Language(tree_sitter_bash.language())
_DEEPEST = 60
_STRUCTURE = names(
    "program list pipeline subshell compound_statement negated_command if_statement elif_clause "
    "else_clause while_statement do_group case_statement case_item command_substitution "
    "process_substitution string concatenation expansion arithmetic_expansion binary_expression "
    "unary_expression ternary_expression postfix_expression parenthesized_expression subscript "
    "array simple_expansion translated_string heredoc_body brace_expression command_name"
)
_LEAVES = names(
    "ansi_c_string comment extglob_pattern file_descriptor heredoc_content heredoc_end "
    "heredoc_start number raw_string regex special_variable_name string_content test_operator "
    "variable_name word"
)
_WORDS = names(
    "word number string raw_string concatenation ansi_c_string simple_expansion expansion "
    "command_substitution process_substitution arithmetic_expansion brace_expression "
    "translated_string regex extglob_pattern variable_assignment variable_name "
    "command_name"
)
_STRANGE = {
    "declaration_command": "it declares variables",
    "unset_command": "it removes variables",
    "test_command": "a shell test can evaluate its words",
    "function_definition": "it defines a function",
    "c_style_for_statement": "shell arithmetic",
}


class _UnsureError(Exception):
    """The text cannot be read for certain."""


def parse(command: str) -> Parsed:
    """Find every simple command in a shell text; never raises, never runs anything."""
    if why := unreadable(command):
        return Unparseable(why)
    reader = _Reader(command.encode())
    try:
        parts = reader.read()
    except (_UnsureError, RecursionError) as error:
        return Unparseable(str(error) or "nested too deeply")
    second = split(command)
    if second is not None and second != parts and all(part.known for part in parts):
        return Unparseable("two readings of it differ; write it more simply")
    return ParsedCommand(command, parts, plain=second is not None and second == parts)


class _Reader:
    def __init__(self, source: bytes) -> None:
        self.source = source
        self.parts: list[Part] = []
        self.last = 0  # index of the command that a trailing redirection belongs to

    def read(self) -> tuple[Part, ...]:
        root = Parser(_LANGUAGE).parse(self.source).root_node
        if root.has_error:
            raise _UnsureError("the shell grammar does not fit it")
        if has_gaps(root, self.source):
            raise _UnsureError("the shell grammar passes over some of it")
        self._visit(root, 0)
        return tuple(self.parts)

    def _visit(self, node: Node, depth: int) -> None:
        if depth > _DEEPEST:
            raise _UnsureError("nested too deeply")
        if not node.is_named or node.type in _LEAVES:
            return
        if node.type in {"string", "heredoc_body"} and hides_expansion(node, self.source):
            raise _UnsureError("an expansion in a text is unclear")
        if node.type == "command":
            self._command(node, depth)
        elif node.type == "redirected_statement":
            self._redirected(node, depth)
        elif node.type in {"variable_assignment", "variable_assignments"}:
            self._assignment(node, depth)
        elif node.type in _STRANGE:
            self._strange(node, depth)
        else:
            self._inside(node, depth)

    def _inside(self, node: Node, depth: int) -> None:
        if node.type == "for_statement":
            name = next(c for c in node.children if c.type == "variable_name")
            self._add(Part(assigns=(Word(self._text(name), known=False),)))
        elif node.type == "compound_statement" and node.children[0].type == "((":
            self._add(Part(words=(Word("((", known=False),), strange="shell arithmetic"))
        elif node.type not in _STRUCTURE | {"file_redirect", "herestring_redirect"}:
            raise _UnsureError(f"an unknown construct: {node.type}")
        for child in node.children:
            self._visit(child, depth + 1)

    def _command(self, node: Node, depth: int) -> None:
        words: list[Word] = []
        assigns: list[Word] = []
        redirects: list[Redirect] = []
        for child in node.children:
            if child.type == "variable_assignment":
                assigns.append(assigned_of(child, self.source))
            elif child.type.endswith("_redirect"):
                words += self._redirect(child, redirects)
            elif child.type in _WORDS:
                words.append(word_of(child, self.source))
            else:  # a `$` that stands alone, `==` and the like
                words.append(Word(self._text(child), known=False))
        if words and words[0].known and words[0].text in RESERVED | {"time"}:
            self._reserved(words)
        self._add(Part(tuple(words), tuple(assigns), tuple(redirects)))
        mine = self.last
        for child in node.children:
            self._deeper(child, depth)
        self.last = mine

    def _reserved(self, words: list[Word]) -> None:
        """The grammar takes `time { rm; }` and a stray `then` for commands."""
        after = next((w.text for w in words[1:] if not w.text.startswith("-")), "")
        if words[0].text != "time" or after in RESERVED - {"["} or not after:
            raise _UnsureError(f"`{words[0].text}` stands where a command should")

    def _redirected(self, node: Node, depth: int) -> None:
        tails = [c for c in node.children if c.type.endswith("_redirect")]
        bodies = [c for c in node.children if c not in tails]
        for body in bodies:
            self._visit(body, depth + 1)
        if not bodies or bodies[-1].type not in {"command", "list", "pipeline", "negated_command"}:
            self._add(Part())
        mine = self.last
        redirects: list[Redirect] = []
        words: list[Word] = []
        for child in tails:
            words += self._redirect(child, redirects)
        old = self.parts[mine]
        self.parts[mine] = Part(
            (*old.words, *words), old.assigns, (*old.redirects, *redirects), old.strange
        )
        for child in tails:
            self._deeper(child, depth)

    def _deeper(self, child: Node, depth: int) -> None:
        """Visit what runs inside a word, an assignment or a redirection."""
        if child.type in {"variable_assignment", "heredoc_redirect", "file_redirect"}:
            for inner in child.children:
                if not inner.type.endswith("_redirect"):
                    self._visit(inner, depth + 2)
                else:
                    self._deeper(inner, depth + 1)
        else:
            self._visit(child, depth + 1)

    def _redirect(self, node: Node, into: list[Redirect]) -> list[Word]:
        """Note a redirection; the grammar hangs words that follow it below it: they return."""
        if node.type == "heredoc_redirect":
            return self._heredoc(node, into)
        op = next((c.type for c in node.children if not c.is_named), "")
        words = [word_of(c, self.source) for c in node.children if c.type in _WORDS]
        if op in {">&-", "<&-"}:
            op, words = op[:2], [Word("-"), *words]
        if not words:
            raise _UnsureError("a redirection without a target")
        into.append(Redirect(op, words[0]))
        return words[1:]

    def _heredoc(self, node: Node, into: list[Redirect]) -> list[Word]:
        if why := heredoc_fault(node, self.source):
            raise _UnsureError(why)
        op = node.children[0].type
        if not op.startswith("<<"):
            op = "<<"
        into.append(Redirect(op, Word("here-document", known=False)))
        words: list[Word] = []
        for child in node.children:
            if child.type in {"file_redirect", "herestring_redirect"}:
                words += self._redirect(child, into)
            elif child.type in _WORDS:
                words.append(word_of(child, self.source))
        return words

    def _assignment(self, node: Node, depth: int) -> None:
        found = [node] if node.type == "variable_assignment" else node.named_children
        self._add(Part(assigns=tuple(assigned_of(each, self.source) for each in found)))
        mine = self.last
        for each in found:
            self._deeper(each, depth)
        self.last = mine

    def _strange(self, node: Node, depth: int) -> None:
        words = tuple(word_of(c, self.source) for c in node.children if c.type in _WORDS)
        head = node.children[0]
        if not head.is_named and head.type not in {"function", "for"}:
            words = (Word(head.type), *words)
        if node.type == "test_command":
            words = (words[0], Word("", known=False))
        if node.type in {"function_definition", "c_style_for_statement"}:
            words = (Word("", known=False),) if node.type.startswith("c_") else ()
        self._add(Part(words, strange=_STRANGE[node.type]))
        mine = self.last
        for child in node.children:
            self._deeper(child, depth)
        self.last = mine

    def _add(self, part: Part) -> None:
        self.last = len(self.parts)
        self.parts.append(part)

    def _text(self, node: Node) -> str:
        return self.source[node.start_byte : node.end_byte].decode()
