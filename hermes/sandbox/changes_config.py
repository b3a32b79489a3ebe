"""A repository's settings, read as git reads them, and whether a change of them is harmless.

Settings that only describe may come and go: who commits, which branch follows which, where a
new remote lies. All others stay as they were, in their order; so does where a remote or branch
that was there before leads. It is no judge of what the person wrote: that stays.
"""

import re
from collections.abc import Iterable, Iterator

_MOST = 1 << 20
_ACTS = "git acts on it whenever it runs"
_YES = r"(?i:true|false|yes|no|on|off|[01])?"
_WORD = r"[A-Za-z0-9][\w.-]*"
_TEXT = r"(?!-)[^\x00-\x1f\x7f]*"
_REF = r"\w[\w./@#+-]*"
_HOST = r"(?:\w[\w.~%+-]*(?::[\w.~%+-]*)?@)?(?:[A-Za-z0-9_][\w.-]*|\[[0-9a-fA-F:.]+\])"
_PATH = r"[\w.~/@%+,= -]*"
_URL = (
    rf"(?:https?|ssh|git)://{_HOST}(?::\d+)?(?:/[\w.~/@%+,=:?&-]*)?|file:///{_PATH}"
    rf"|(?:\w[\w.+-]*@)?[A-Za-z0-9][\w.-]*:(?!//)[\w./~]{_PATH}|[./]{_PATH}"
)
_SPEC = r"[+^]?\w[\w./*@#+-]*(?::refs/(?:remotes|tags)/[\w./*@#+-]+)?"
_TAME = [
    (re.compile(name), re.compile(value))
    for name, value in (
        (r"core\.(filemode|bare|ignorecase|precomposeunicode|symlinks)", _YES),
        (r"(fetch\.prune|remote\.\*\.prune|rerere\.enabled|user\.useconfigonly)", _YES),
        (r"(push\.(autosetupremote|followtags)|rebase\.(autostash|autosquash|updaterefs))", _YES),
        (r"core\.repositoryformatversion", "[01]"),
        (r"core\.logallrefupdates", rf"{_YES}|always"),
        (r"core\.autocrlf", rf"{_YES}|input"),
        (r"core\.eol", "lf|crlf|native"),
        (r"extensions\.objectformat", "sha1"),
        (r"(user|author|committer)\.(name|email)|user\.signingkey", _TEXT),
        (r"branch\.\*\.remote", rf"\.|{_WORD}"),
        (r"branch\.\*\.merge|init\.defaultbranch", _REF),
        (r"(branch\.\*|pull)\.rebase", rf"{_YES}|merges|interactive"),
        (r"(pull|merge)\.ff", rf"{_YES}|only"),
        (r"remote\.\*\.url", _URL),
        (r"remote\.\*\.fetch", _SPEC),
        (r"remote\.\*\.tagopt", "--tags|--no-tags"),
        (r"push\.default|merge\.conflictstyle|color\.ui", _WORD),
    )
]
_WITHIN = [
    (re.compile(r"safe\.directory"), re.compile(_TEXT)),
    (re.compile(r"filter\.lfs\.(clean|smudge|process)"), re.compile(r"git-lfs [\w %-]+")),
    (re.compile(r"filter\.lfs\.required"), re.compile(_YES)),
]  # of a person's own, for a git that is held in: without them files look changed to it
_LEADS = ("remote.*.url", "branch.*.remote")
_STAYS = "remote.*.url"  # gone, it could come back as another with the next command
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "\\": "\\", '"': '"'}

Entry = tuple[str, str]


def config_reason(before: bytes, after: bytes) -> str:
    """Why a change of a repository's settings is refused; empty when it is not."""
    try:
        old, new = read_config(before), read_config(after)
    except ValueError as error:
        return f"git's settings, and {error}"
    kept, wild = [[one for one in side if not _tame(one)] for side in (old, new)]
    if kept != wild:
        odd = [one for one in wild if one not in kept] or [one for one in kept if one not in wild]
        return f"git's setting {odd[0][0] if odd else 'order'}: {_ACTS}"
    was, now = _leading(old), _leading(new)
    for name, texts in was.items():
        if now.get(name) != texts and (name in now or _form(name) == _STAYS):
            return f"git's setting {name}: it would lead elsewhere than it did"
    return ""


def _leading(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Where each remote and branch leads."""
    found: dict[str, list[str]] = {}
    for name, text in entries:
        if _form(name) in _LEADS:
            found.setdefault(name, []).append(text)
    return found


def describing(data: bytes) -> tuple[Entry, ...]:
    """Of a person's settings what a git inside needs; of what cannot be read, nothing."""
    try:
        return tuple(one for one in read_config(data) if _tame(one) or _is_in(_WITHIN, *one))
    except ValueError:
        return ()


def as_config(entries: Iterable[Entry]) -> bytes:
    """Settings as a file that git reads."""
    lines = []
    for name, value in entries:
        section, _, key = name.rpartition(".")
        outer, dot, under = section.partition(".")
        quoted = [re.sub(r'(["\\])', r"\\\1", text) for text in (under, value)]
        head = f'[{outer} "{quoted[0]}"]' if dot else f"[{outer}]"
        lines.append(f'{head}\n\t{key} = "{quoted[1]}"\n')
    return "".join(lines).encode("utf-8", "surrogateescape")


def read_config(data: bytes) -> tuple[Entry, ...]:
    """Names and values in order, by git's own grammar; ValueError where git would refuse."""
    if len(data) > _MOST:
        raise ValueError("they are too long to read")
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return tuple(_Reader(text.removeprefix("\ufeff")).read())


def _form(name: str) -> str:
    section, _, rest = name.partition(".")
    middle, dot, key = rest.rpartition(".")
    return f"{section}.*.{key}" if dot and _plain(middle) else name


def _plain(middle: str) -> bool:
    return re.fullmatch(_REF, middle) is not None


def _tame(entry: Entry) -> bool:
    return _is_in(_TAME, _form(entry[0]), entry[1])


def _is_in(table: list[tuple[re.Pattern[str], re.Pattern[str]]], name: str, value: str) -> bool:
    return any(one.fullmatch(name) and text.fullmatch(value) for one, text in table)


class _Reader:
    """One pass over the text; a name without a value stands for an empty one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._section = ""

    def read(self) -> Iterator[Entry]:
        """Every setting."""
        while self._at < len(self._text):
            char = self._next()
            if char in " \t\n\r":
                continue
            if char in "#;":
                self._comment()
            elif char == "[":
                self._section = self._header()
            elif char.isascii() and char.isalpha() and self._section:
                yield self._setting(char)
            else:
                raise ValueError("they cannot be read")

    def _next(self) -> str:
        """The next character; the end is the end of a line."""
        self._at += 1
        return self._text[self._at - 1] if self._at <= len(self._text) else "\n"

    def _header(self) -> str:
        found = re.compile(r'([A-Za-z0-9.-]+)(?:[ \t]+"((?:[^"\\\n]|\\[^\n])*)")?\]').match(
            self._text, self._at
        )
        if found is None:
            raise ValueError("a section cannot be read")
        self._at = found.end()
        under = found[2]
        deeper = "" if under is None else "." + re.sub(r"\\(.)", r"\1", under)
        return found[1].lower() + deeper

    def _setting(self, first: str) -> Entry:
        found = re.compile(r"([A-Za-z0-9-]*)[ \t]*(=|(?=\n|\Z))").match(self._text, self._at)
        if found is None:
            raise ValueError("a setting cannot be read")
        self._at = found.end()
        name = f"{self._section}.{(first + found[1]).lower()}"
        return name, self._value() if found[2] else ""

    def _value(self) -> str:
        said: list[str] = []
        quoted = False
        solid = 0  # as much as unquoted white space at the end does not belong to
        while (char := self._next()) != "\n":
            if not quoted and char in "#;":
                self._comment()
                break
            if not quoted and char in " \t\r":
                said += [char] if said else []
                continue
            if char == '"':
                quoted = not quoted
            else:
                said += self._escaped() if char == "\\" else [char]
            solid = len(said)
        if quoted:
            raise ValueError("a value cannot be read")
        return "".join(said[:solid])

    def _escaped(self) -> list[str]:
        after = self._next()
        if after == "\n":
            return []
        if after not in _ESCAPES:
            raise ValueError("a value cannot be read")
        return [_ESCAPES[after]]

    def _comment(self) -> None:
        while self._next() != "\n":
            pass
