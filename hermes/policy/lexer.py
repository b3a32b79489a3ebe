"""A second, narrower reader of shell text, independent of the grammar.

It knows only plain commands (words, quotes, lists, pipes, simple redirections) and gives up
on everything else. What the grammar says about a text is believed for allowing only where
this reader says the same: one parser's bug alone opens nothing.
"""

import re
from dataclasses import dataclass, field

from hermes.policy.command import ASSIGNMENT, Part, Redirect, Word, names

RESERVED = names(
    "if then elif else fi for while until do done case esac in function select { } [[ ]] ! ["
)
_DECLARES = names("export declare typeset local readonly unset unsetenv alias")
_REDIRECTION = re.compile(r"(\d*)(&>>|&>|>>|>\||>&|<&|>|<)")
_BOUNDARY = re.compile(r"&&|\|\||\|&|;|\||&|\n")
_REFUSED = ("<<", "<>", "<(", ">(", ";;")
_GLOB = frozenset("*?[{}$`()")


class _NotPlainError(Exception):
    """The text holds something this reader does not know."""


def split(text: str, *, comments: bool = True) -> tuple[Part, ...] | None:
    """Read a plain command text into its parts; None when it is not plain."""
    try:
        return _Lexer(text, comments).run()
    except _NotPlainError:
        return None


@dataclass
class _Lexer:
    text: str
    comments: bool
    at: int = 0
    words: list[tuple[str, str]] = field(default_factory=list)  # text, source
    redirects: list[Redirect] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def run(self) -> tuple[Part, ...]:
        while self.at < len(self.text):
            self._step()
        self._close()
        return tuple(self.parts)

    def _step(self) -> None:
        text, at = self.text, self.at
        if text[at] in " \t":
            self.at += 1
        elif text[at] == "#":
            if not self.comments:
                raise _NotPlainError
            end = text.find("\n", at)
            self.at = len(text) if end < 0 else end
        elif text.startswith(_REFUSED, at):
            raise _NotPlainError
        elif found := _REDIRECTION.match(text, at):
            self._redirect(found)
        elif found := _BOUNDARY.match(text, at):
            self.at = found.end()
            self._close()
        else:
            self.words.append((self._word(), text[at : self.at]))

    def _redirect(self, found: re.Match[str]) -> None:
        if text := found[1]:
            if found[2].startswith("&"):
                raise _NotPlainError
            if int(text) > 9:  # noqa: PLR2004 - higher descriptors are the shell's own
                raise _NotPlainError
        self.at = found.end()
        while self.text[self.at : self.at + 1] in {" ", "\t"}:
            self.at += 1
        if self.text[self.at : self.at + 1] in set("<>&|;\n#") | {""}:
            raise _NotPlainError
        self.redirects.append(Redirect(found[2], Word(self._word())))

    def _word(self) -> str:
        out = ""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\n;|&<>":
                break
            if char in "'\"\\":
                out += self._quoted(char)
            else:
                self._bare(char, out)
                out += char
                self.at += 1
        return out

    def _bare(self, char: str, before: str) -> None:
        """Refuse what the shell would not take as it stands."""
        if self.text.startswith("{}", self.at) and not before:
            self._whole_braces()
        elif char in _GLOB and not (char == "}" and before == "{"):
            raise _NotPlainError
        if char == "~" and (not before or before[-1] in "=:"):
            raise _NotPlainError
        if char == "!" and self.text[self.at + 1 : self.at + 2] not in {"", " ", "\t", "\n", "="}:
            raise _NotPlainError

    def _whole_braces(self) -> None:
        if self.text[self.at + 2 : self.at + 3] not in {"", " ", "\t", "\n", ";", "|", "&"}:
            raise _NotPlainError

    def _quoted(self, char: str) -> str:
        text, start = self.text, self.at + 1
        if char == "\\":
            if start >= len(text) or text[start] == "\n":
                raise _NotPlainError
            self.at = start + 1
            return text[start]
        if char == "'":
            end = text.find("'", start)
            if end < 0:
                raise _NotPlainError
            self.at = end + 1
            return text[start:end]
        return self._double(start)

    def _double(self, at: int) -> str:
        text, out = self.text, ""
        while at < len(text) and text[at] != '"':
            if text[at] in "$`":
                raise _NotPlainError
            if text[at] == "!" and text[at + 1 : at + 2] not in {'"', " ", "=", "\n"}:
                raise _NotPlainError
            if text[at] == "\\" and text[at + 1 : at + 2] in {'"', "\\", "$", "`"}:
                at += 1
            elif text[at] == "\\" and text[at + 1 : at + 2] == "\n":
                raise _NotPlainError
            out += text[at]
            at += 1
        if at >= len(text):
            raise _NotPlainError
        self.at = at + 1
        return out

    def _close(self) -> None:
        words, self.words = self.words, []
        redirects, self.redirects = tuple(self.redirects), []
        if words[:1] == [("!", "!")]:
            words = words[1:]
        assigns = []
        while words and ASSIGNMENT.match(words[0][1]):
            assigns.append(Word(words.pop(0)[0]))
        if words and words[0][0] in RESERVED | _DECLARES:
            raise _NotPlainError
        if words or assigns or redirects:
            self.parts.append(Part(tuple(Word(w) for w, _ in words), tuple(assigns), redirects))
