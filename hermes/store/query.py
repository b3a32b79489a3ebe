"""A person's words as an FTS5 expression: no text can be a syntax error or an operator."""

import re

_PIECE = re.compile(r'"([^"]*)"|([^\s"]+)')
_MOST_WORDS = 32
_MOST_TEXT = 1_000


def words(text: str) -> tuple[str, ...]:
    """The quoted phrases and bare words of a query, each as an FTS5 string.

    Words without a letter or a digit match nothing and are dropped.
    """
    # A NUL ends FTS5's own reading; half a surrogate pair cannot be bound at all.
    clean = text[:_MOST_TEXT].replace("\0", " ").encode("utf-8", "replace").decode()
    found = (quoted or bare for quoted, bare in _PIECE.findall(clean))
    kept = [word for word in found if any(map(str.isalnum, word))]
    return tuple(f'"{word}"' for word in kept[:_MOST_WORDS])


def all_of(text: str) -> str:
    """An expression that wants every word; empty when there is none."""
    return " ".join(words(text))


def any_of(text: str) -> str:
    """An expression that is content with one word; empty when there is none."""
    return " OR ".join(words(text))
