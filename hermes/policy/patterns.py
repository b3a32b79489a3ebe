"""Path patterns of rules: gitignore-like globs on the resolved path.

`*.md` a name at any depth, `src/**/*.py` under the root, `./a.py` exactly there,
`docs/` everything below, `/etc/hosts` absolute. Compiled here because gitignore libraries
let a negation or a parent's match loosen what an allow rule says.
"""

import os
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hermes.policy.paths import relative


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern whose text was checked by `fault`."""

    text: str

    @property
    def literal(self) -> bool:
        """Whether it names one file."""
        anchored = "/" in self.text and not self.text.endswith("/")
        return anchored and not set("*?[") & set(self.text)

    def covers(self, path: Path, root: Path) -> bool:
        """Whether the pattern surely means this resolved path."""
        if self.text.startswith("/"):
            return _absolute(self.text).fullmatch(path.as_posix()) is not None
        under = relative(path, root)
        return under is not None and _compiled(self.text).fullmatch(under) is not None

    def may_cover(self, path: Path, root: Path) -> bool:
        """Whether it could be meant: any case, the path itself or a directory above it."""
        text = _folded(self.text)
        absolute = text.startswith("/")
        under = None if absolute else relative(path, root)
        shown = path.as_posix() if under is None else under
        patterns = (_absolute(text), _absolute(self.text)) if absolute else (_compiled(text),)
        names = (shown, *_upwards(_folded(shown)))
        return any(pattern.fullmatch(each) for pattern in patterns for each in names)


@lru_cache(maxsize=1024)
def fault(text: str) -> str:  # noqa: PLR0911 - one return a kind of fault
    """Why a text is no pattern; empty when it is one."""
    if not text or not text.isprintable():
        return "an empty pattern, or one with unprintable characters"
    if text.startswith("~"):
        return "`~` is not known here: write the whole path"
    if text.startswith("!") or "\\" in text:
        return "`!` and backslashes have no meaning here"
    if ".." in text.split("/"):
        return "`..` in a pattern"
    if re.search(r"\[[^\]/]*(/|$)|\[!?\]", text) or "//" in text:
        return "a bracket is not closed, or a doubled slash"
    if re.search(r"[^/]\*\*|\*\*[^/]", text):
        return "`**` stands alone between slashes"
    try:
        re.compile(_translate(text))
    except (re.error, ValueError) as error:
        return f"a bracket cannot be read: {error}"
    return ""


def _upwards(text: str) -> list[str]:
    """A path and the directories above it; bare text, as walkers ask this of every file."""
    found = [text]
    while (cut := text.rfind("/")) > 0:
        text = text[:cut]
        found.append(text)
    return [*found, "/" if text.startswith("/") else "."]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


@lru_cache(maxsize=1024)
def _compiled(text: str) -> re.Pattern[str]:
    """A pattern that is relative to the root."""
    anchored = "/" in text.rstrip("/")
    body = text.removeprefix("./") + ("**" if text.endswith("/") else "")
    return re.compile(("" if anchored else "(?:.*/)?") + _translate(body), re.DOTALL)


@lru_cache(maxsize=1024)
def _absolute(text: str) -> re.Pattern[str]:
    """An absolute pattern; the directories before its first glob may be links."""
    body = text + ("**" if text.endswith("/") else "")
    fixed = re.split(r"[*?\[]", body, maxsplit=1)[0]
    head = fixed if fixed == body else fixed.rpartition("/")[0]
    real = os.path.realpath(head).rstrip("/") if head else ""
    rest = _translate(body[len(head) :])
    return re.compile(f"(?:{re.escape(head)}|{re.escape(real)}){rest}", re.DOTALL)


def _translate(body: str) -> str:
    out, at = "", 0
    while at < len(body):
        if body.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif body.startswith("**", at):
            out, at = out + ".+", at + 2
        elif body[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif body[at] == "?":
            out, at = out + "[^/]", at + 1
        elif body[at] == "[":
            end = body.index("]", at + 2)
            inner = re.sub(r"([\[\\&~|^])", r"\\\1", body[at + 1 : end])
            inner = "^/" + inner[1:] if inner.startswith("!") else inner
            out, at = out + f"[{inner}]", end + 1
        else:
            out, at = out + re.escape(body[at]), at + 1
    return out
