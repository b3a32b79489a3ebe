"""Markdown as a plain messenger shows it: the marks that nobody would render are taken out.

Code stays letter for letter. Does not guard against links that a client previews by itself.
"""

import re

from hermes.gateway.render_text import clean

MOST = 40_000
"""Characters that are looked at: patterns over hostile text are bounded, and so is their sum."""
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})(.*)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_CODE = re.compile(r"(`{1,3}[^`]{1,400}`{1,3})")
_TARGET = r"\(<?([^()\s>]{1,300})>?(?:\s\"[^\")]{0,100}\")?\)"
_IMAGE = re.compile(r"!\[([^\]\[]{0,200})\]" + _TARGET)
_LINK = re.compile(r"\[([^\]\[]{1,200})\]" + _TARGET)
_STRONG = re.compile(r"(?<!\\)(\*\*|__)(?=\S)(.{1,200}?)(?<=[^\s\\])\1")
_EMPHASIS = re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*]{0,200}?)(?<=[^\s*\\])\*(?![\w*])")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])")
_RULES = {"-", "*", "_"}
_LEAST_RULE = 3


def plain(markdown: str) -> str:
    """Write an answer, of at most MOST characters, so that it reads well without a renderer."""
    lines: list[str] = []
    fence = ""
    for line in clean(markdown[:MOST]).split("\n"):
        mark = _FENCE.fullmatch(line)
        if fence:
            lines.append(line)
            if mark and mark.group(1).startswith(fence) and not mark.group(2).strip():
                fence = ""
        elif mark:
            fence = mark.group(1)
            lines.append(line)
        elif (told := _line(line)) is not None:
            lines.append(told)
    return "\n".join(lines).strip()


def _line(line: str) -> str | None:
    """One line outside code; None: it was there only for a renderer."""
    bare = "".join(line.split())
    if _HEADING.match(line):
        return _inline(line.strip().strip("#").strip()).upper()
    if len(bare) >= _LEAST_RULE and bare[0] in _RULES and not bare.strip(bare[0]):
        return "———"
    if bare[:1] == bare[-1:] == "|" and len(bare) > 1:
        if not bare.strip("|:-"):
            return None
        return " · ".join(_inline(cell.strip()) for cell in line.strip()[1:-1].split("|"))
    return _inline(line)


def _inline(text: str) -> str:
    """The pieces between code spans; those stay as they are."""
    pieces = _CODE.split(text)
    pieces[::2] = [_words(piece) for piece in pieces[::2]]
    return "".join(pieces)


def _words(text: str) -> str:
    text = _IMAGE.sub(lambda found: f"{found.group(1) or 'image'}: {found.group(2)}", text)
    text = _LINK.sub(_link, text)
    text = _EMPHASIS.sub(r"\1", _STRONG.sub(r"\2", text))
    return _ESCAPED.sub(r"\1", text)


def _link(found: re.Match[str]) -> str:
    words, place = found.group(1), found.group(2)
    return place if words == place else f"{words} ({place})"
