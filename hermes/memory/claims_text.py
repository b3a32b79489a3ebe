"""A person's message as sentences of their own: without code, quotes and what they pasted.

It errs towards leaving out: what is not read is only not remembered by itself.
"""

import re
from collections.abc import Iterator

_FENCE = re.compile(r"(?ms)^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)")
_TAGGED = re.compile(r"(?s)<(\w{1,20})[^<>]{0,200}>.*?(?:</\1>|\Z)")
_QUOTE = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|(?<!\w)'[^'\n]{12,}'(?!\w)")
_QUOTED_LINE = re.compile(r"(?m)^[ \t]{0,3}(?:[>|]|\d+[:|] |[+-]{1,3}(?=\S)|@@|\$ |#!|# ).*$")
_INDENTED = re.compile(r"(?m)^(?: {4,}|\t)\S.*$")
_LOG_LINE = re.compile(
    r"(?m)^.*(?:\d{2}:\d{2}:\d{2}|\b(?:Traceback|File \"|at \w[\w.$]+\(|ERROR|WARN(?:ING)?|INFO|"
    r"DEBUG)\b|^From: |^Subject: |^To: |^Sent: |^On .{5,60} wrote:).*$"
)
_PASTED = re.compile(
    r"(?im)^(?!\W*(?:please |also |and |bitte )?(?:remember|note|keep in mind|merke?|souviens|"
    r"recuerda))"
    r".*\b(?:here(?:'s| is| are)|this is|see|read|look at|below|following|says?|said|wrote|"
    r"reads|output|log|readme|email|e-mail|mail|message|text|content|error|file|paste[ds]?|"
    r"transcript|quote|document|article|ticket|issue|spec|hier|folgende\w*|voici|aqu[íi]|"
    r"siguiente|translat\w+|summari[sz]e|rewrite|proofread|correct|explain|review|[üu]bersetze?|"
    r"zusammenfass\w*|fasse?|traduis|r[ée]sume|traduce|resume)\b[^\n]*:[ \t]*$"
)
_TASK = re.compile(
    r"(?i)^\W*(?:(?:please|can you|could you|would you|kannst du|bitte|hey|hi|hermes|now|ok(?:ay)?)"
    r"[\s,]+)*(?:translate|summari[sz]e|rewrite|rephrase|paraphrase|proofread|correct|"
    r"classify|reply to|respond to|imagine|pretend|role-?play|act as|play|let'?s (?:say|pretend|"
    r"imagine|play)|suppose|write (?:me )?an? (?:story|poem|song|joke|novel|email|mail|tweet|"
    r"essay|speech|dialog(?:ue)?|sentence|haiku|letter)|[üu]bersetze?|fasse|korrigiere|"
    r"stell dir vor|tu so|schreib(?:e)? (?:mir )?ein|traduis|traduire|r[ée]sume|corrige|imagine|"
    r"[ée]cris|traduce|traducir|resume|corrige|imagina|escribe)\b"
)
_SPLIT = re.compile(r"(?<=[.!?])(?:\s+|$)|\n+|(?<=[a-z)])\s+[-\u2013\u2014]\s+(?=[a-z])")
_ABBREVIATION = re.compile(
    r"(?i)\b(?:e\.g|i\.e|z\.b|d\.h|etc|vs|approx|ca|no|nr|p\.ej|Mr|Mrs|Dr)\.$"
)
INSTEAD = re.compile(r"(?i)^not [^,;:.!?]{1,40}, [^,;:.!?]{1,40}[.!]?$")
"""What only says which value goes for which; the next sentence says of what."""

_BULLET = re.compile(r"^(?:[-*•]|\d{1,2}[.)])\s+")
_HOLE = "\ufffc"
_LONG, _LINES, _SENTENCE = 1_500, 24, 400
_WORDS_QUOTED = 3


def sentences(text: str) -> list[str]:
    """The sentences that a person wrote themselves, in order."""
    if _TASK.match(text):
        return []
    if _HOLE in text:
        return []
    kept = _FENCE.sub("\n\n", text)
    kept = _TAGGED.sub(" " + _HOLE + " ", kept)
    if (paste := _PASTED.search(kept)) is not None:
        kept = kept[: paste.start()]
    for pattern in (_QUOTED_LINE, _INDENTED, _LOG_LINE):
        kept = pattern.sub("", kept)
    kept = _QUOTE.sub(_short_quotes, kept)
    return [one for one in _split(_own(kept)) if len(one) <= _SENTENCE]


def _own(text: str) -> str:
    """Of something long only how it begins and ends: the middle is hardly typed."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    if len(text) <= _LONG and text.count("\n") <= _LINES:
        return text
    if len(paragraphs) < 2:  # noqa: PLR2004 - one block is a paste
        return ""
    ends = (paragraphs[0], paragraphs[-1])
    return "\n\n".join(part for part in ends if len(part) <= _SENTENCE)


def _short_quotes(match: re.Match[str]) -> str:
    """A quoted name is the person's own word, a quoted sentence is not."""
    inside = match[0][1:-1]
    return inside if len(inside.split()) <= _WORDS_QUOTED and inside.strip() else f" {_HOLE} "


def _split(text: str) -> Iterator[str]:
    held = ""
    for part in _SPLIT.split(text):
        whole = f"{held} {part}".strip() if held else part.strip()
        if _ABBREVIATION.search(whole):
            held = whole
            continue
        held = ""
        if whole:
            yield " ".join(_BULLET.sub("", whole).split())
    if held:
        yield held


def has_hole(sentence: str) -> bool:
    """Whether something quoted was left out of it."""
    return _HOLE in sentence
