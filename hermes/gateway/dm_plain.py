"""Markdown as a plain messenger shows it: the marks that nobody would render are taken out.

Code stays letter for letter. Does not guard against links that a client previews by itself.
"""

import re

from hermes.gateway.render_text import clean

_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})(.*)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*")
_RULE = re.compile(r"\s{0,3}([-*_])(?:\s*\1){2,}\s*")
_ROW = re.compile(r"\s*\|(.*)\|\s*")
_DIVIDER = re.compile(r"[\s|:-]*-[\s|:-]*")
_CODE = re.compile(r"(`+[^`]+`+)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\(<?([^)\s>]+)>?[^)]*\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]*?)(?<=[^\s*])\*(?![\w*])")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])")


def plain(markdown: str) -> str:
    """Write an answer so that it reads well without a renderer."""
    lines: list[str] = []
    fence = ""
    for line in clean(markdown).split("\n"):
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
    if heading := _HEADING.fullmatch(line):
        return _inline(heading.group(1)).upper()
    if _RULE.fullmatch(line):
        return "———"
    if row := _ROW.fullmatch(line):
        if _DIVIDER.fullmatch(row.group(1)):
            return None
        cells = (cell.strip() for cell in row.group(1).split("|"))
        return " · ".join(_inline(cell) for cell in cells)
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
