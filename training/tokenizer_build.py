"""Builds a vocabulary out of texts: counts words, joins the most frequent pairs of letters."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from hermes.prompt.sections import IDENTITY
from training.tokenizer import WORD, Tokenizer

TOOLS: Mapping[str, Sequence[str]] = {
    "FileRead": ("path", "offset", "limit"),
    "ListDir": ("path",),
    "Grep": ("pattern", "path", "limit"),
    "Glob": ("pattern", "path"),
    "FileWrite": ("path", "content"),
    "FileEdit": ("path", "old", "new"),
    "Bash": ("command", "timeout"),
    "Git": ("command",),
    "Remember": ("content",),
    "Recall": ("query",),
    "SessionSearch": ("query",),
    "Schedule": ("when", "task"),
    "Jobs": (),
    "Status": (),
}
MARKER = "\n[MEMORY MARKER] "
NUMBERS = frozenset({"offset", "limit", "timeout"})
_RARE = 0.7  # counts are raised to this power: a long tail of words beats "the" once more


def fixed_parts(tools: Mapping[str, Sequence[str]] = TOOLS) -> tuple[str, ...]:
    """The runs of text that every call or prompt shares, as one token each.

    Each holds a blank or a line's end: the runtime breaks control tokens in foreign text
    (`hermes/models/hygiene.py`) and takes those for plain words.
    """
    parts = ['<tool_call>\n{"name": "', '"}}\n</tool_call>', "}}\n</tool_call>"]
    parts += ["<tool_response>\n", "\n</tool_response>"]
    parts += [r"\n", r"\t"]  # JSON's escapes: else the n would join the word after it
    parts += [f'{name}", "arguments": {{' for name in tools]
    for name in dict.fromkeys(name for names in tools.values() for name in names):
        if name in NUMBERS:
            parts += [f'"{name}": ', f'", "{name}": ', f', "{name}": ']
        else:
            parts += [f'"{name}": "', f'", "{name}": "']
    return (*parts, IDENTITY, MARKER)


def build(texts: Iterable[str], size: int, fixed: Sequence[str] | None = None) -> Tokenizer:
    """Make a vocabulary of `size` tokens; the same texts give the same vocabulary.

    It is smaller where the texts have too few different words.

    Raises ValueError where `size` has no room for the characters.
    """
    given = tuple(fixed_parts() if fixed is None else fixed)
    room = size - len(Tokenizer(given, ()))
    if room < 0:
        raise ValueError(f"a vocabulary needs at least {size - room} tokens, not {size}")
    counts: Counter[str] = Counter()
    for text in texts:
        for part in given:
            if part in text:
                text = text.replace(part, "\n")  # noqa: PLW2901 - fixed parts have their token
        counts.update(word for word in WORD.findall(text) if len(word) > 1)
    return Tokenizer(given, _merges(counts, room))


def _merges(counts: Counter[str], room: int) -> list[str]:
    weights = {word: max(1, round(100 * count**_RARE)) for word, count in counts.items()}
    words = {word: list(word) for word in sorted(weights)}
    pairs: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], dict[str, None]] = {}
    for word, run in words.items():
        for pair in pairwise(run):
            pairs[pair] += weights[word]
            where.setdefault(pair, {})[word] = None
    made: dict[str, None] = {}
    while len(made) < room and pairs:
        best = max(pairs.items(), key=lambda item: (item[1], item[0]))[0]
        made.setdefault("".join(best))
        for word in where.pop(best):
            run = words[word]
            for pair in pairwise(run):
                pairs[pair] -= weights[word]
            words[word] = run = _joined(run, best)
            for pair in pairwise(run):
                pairs[pair] += weights[word]
                where.setdefault(pair, {})[word] = None
        pairs.pop(best, None)
    return list(made)


def _joined(run: Sequence[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    for part in run:
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return out
