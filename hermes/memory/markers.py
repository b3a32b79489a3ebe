"""Memory markers: a remembered row as the one line that stands in the prompt (seed 004 §3.4).

Pure, so that the same rows always give the same bytes and the prompt's prefix stays stable.
It guards the form of the line, not the truth of its content, and control tokens of a model
are neutralised where the prompt is sent.
"""

import re
import unicodedata

from hermes.core.ids import is_uuid

CONTENT_CHARS = 300
"""Longest content in a marker; a model with a small window reads several of them."""

_READ = 4 * CONTENT_CHARS
_TYPE_CHARS = 24
_SOURCE_CHARS = 48
_UUID_PREFIX = 13  # a UUIDv7's 48 bits of time: names the session, at a third of the tokens
# Not from the middle of a run of brackets: a long one would be looked through again and again.
_FORGED = re.compile(r"(?<![\[(\s])[\[(\s]*memory[\W_]*marker[\])\s]*", re.IGNORECASE)


def marker(memory_type: str, content: str, source_session_id: str | None) -> str:
    """Make the marker's line: `[MEMORY MARKER] Decision: use SQLite. Source: session-abc123.`."""
    kind = re.sub(r"[^\w -]", "", _one_line(memory_type))[:_TYPE_CHARS].strip() or "note"
    body = _cut(_one_line(content[:_READ]), CONTENT_CHARS)
    if not body.endswith((".", "!", "?", "…")):
        body += "."
    return (
        f"[MEMORY MARKER] {kind[0].upper()}{kind[1:]}: {body} Source: {_source(source_session_id)}."
    )


def unmarked(text: str) -> str:
    """Put a text into one line in which nothing poses as a marker."""
    return _one_line(text)


def _one_line(text: str) -> str:
    line = _flat(text)
    folded = _flat(unicodedata.normalize("NFKC", line))
    if not _FORGED.search(folded):
        return line
    # Full-width brackets and letters pose as well: then the folded form is kept.
    return _flat(_FORGED.sub(" (memory marker) ", folded))


def _flat(text: str) -> str:
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return " ".join("".join(c for c in text if not _hidden(c)).split())


def _hidden(char: str) -> bool:
    return not char.isspace() and unicodedata.category(char).startswith("C")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _source(session: str | None) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]", "", session or "")
    if is_uuid(name):
        return f"session-{name[:_UUID_PREFIX]}"
    return name[:_SOURCE_CHARS] or "unknown"
