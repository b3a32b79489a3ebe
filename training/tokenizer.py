"""The vocabulary, and an encoder that gives what llama.cpp's SPM tokenizer gives.

Merges are made of letters only; blanks, digits and punctuation stay single. A word then splits
the same way wherever it stands (after a blank, a slash, a quote), which makes copying learnable.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from training.chat import END, PAD, START, Message, parts

CONTROL = (PAD, START, END)
BLANK = "\u2581"
ACCENTED = "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœąćęłńóśźżčďěňřšťůžğışőűăâșțđ"


def _one(letter: str) -> bool:
    return len(letter) == 1 and not letter.isascii()  # not SS of ß, nor plain I


LETTERS = "".join(dict.fromkeys(c for low in ACCENTED for c in (low, low.upper()) if _one(c)))
SIGNS = "„“”‘’«»¿¡–—…€£§°·•→×✓│├└─"  # noqa: RUF001 - what people and tools type
CHARACTERS = (BLANK, "\n", *map(chr, range(33, 127)), *LETTERS, *SIGNS)
WORD = re.compile(f"[A-Za-z{LETTERS}]+|.", re.DOTALL)
_BYTES = 256
_REMEMBERED = 400_000  # words whose tokens are kept
_UNMERGED = -1e6  # below every merge: no pair of characters joins by accident
_FILE_VERSION = 1


class Tokenizer:
    """Text to ids and back.

    `fixed` are user-defined tokens: found in any text, longest first. `merges` are words and
    parts of words in the order of their making. Where two of equal length overlap in a text
    llama.cpp may choose the other one: no text but a heap of torn calls has that.
    """

    def __init__(self, fixed: Sequence[str], merges: Sequence[str]) -> None:
        self.fixed, self.merges = tuple(fixed), tuple(merges)
        raw = tuple(f"<0x{byte:02X}>" for byte in range(_BYTES))
        self.tokens = (*CONTROL, *self.fixed, *raw, *CHARACTERS, *self.merges)
        self.first_byte = len(CONTROL) + len(self.fixed)
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        if len(self.ids) != len(self.tokens):
            raise ValueError("a token stands twice in the vocabulary")
        self.pad, self.start, self.end = (self.ids[token] for token in CONTROL)
        plain = self.first_byte + _BYTES
        self._rank = {merge: rank for rank, merge in enumerate(self.merges)}
        self._plain = {token: [self.ids[token]] for token in self.tokens[plain:]}
        self._plain[" "] = self._plain[BLANK]
        self._known: dict[str, list[int]] = {}
        by_length = sorted(self.fixed, key=lambda token: -len(token.encode()))
        self._fixed = [(token, self.ids[token]) for token in by_length]
        both = sorted((*CONTROL, *self.fixed), key=lambda token: -len(token.encode()))
        self._special = [(token, self.ids[token]) for token in both]

    def __len__(self) -> int:
        """The size of the vocabulary."""
        return len(self.tokens)

    @property
    def scores(self) -> list[float]:
        """SPM scores: earlier merges first."""
        unmerged = [0.0] * (self.first_byte + _BYTES) + [_UNMERGED] * len(CHARACTERS)
        return unmerged + [-float(rank) for rank in range(len(self.merges))]

    @property
    def types(self) -> list[int]:
        """llama.cpp's token types: control, user-defined, byte, normal."""
        given = [3] * len(CONTROL) + [4] * len(self.fixed) + [6] * _BYTES
        return given + [1] * (len(CHARACTERS) + len(self.merges))

    @property
    def digest(self) -> str:
        """What tells two vocabularies apart."""
        text = json.dumps([self.fixed, self.merges, CHARACTERS])
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Ids of a text; control tokens typed in it are text unless `special`."""
        runs: list[int | str] = [text]
        for token, number in self._special if special else self._fixed:
            if token in text:
                runs = [part for run in runs for part in _split(run, token, number)]
        out: list[int] = []
        for run in runs:
            if isinstance(run, int):
                out.append(run)
                continue
            for word in WORD.findall(run):
                found = self._plain.get(word) or self._known.get(word)
                out += found or self._learn(word)
        return out

    def conversation(self, messages: Iterable[Message]) -> tuple[list[int], list[bool]]:
        """Ids of a whole conversation, and for each whether it carries loss."""
        ids: list[int] = []
        loss: list[bool] = []
        for part in parts(messages):
            found = self.encode(part.text, special=part.fixed)
            ids += found
            loss += [part.loss] * len(found)
        return ids, loss

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; bytes that are no UTF-8 come out as replacement characters."""
        data = bytearray()
        bytes_end = self.first_byte + _BYTES
        for number in ids:
            if self.first_byte <= number < bytes_end:
                data.append(number - self.first_byte)
            else:
                token = self.tokens[number]
                data += (token.replace(BLANK, " ") if number >= bytes_end else token).encode()
        return data.decode(errors="replace")

    def _learn(self, word: str) -> list[int]:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        self._known[word] = found = self._word(word)
        return found

    def _word(self, word: str) -> list[int]:
        """Join the pair of the earliest merge, leftmost first, until none is left."""
        rank, run = self._rank, list(word)
        while len(run) > 1:
            ranks = [rank.get(a + b, -1) for a, b in pairwise(run)]
            best = min((r for r in ranks if r >= 0), default=-1)
            if best < 0:
                break
            at = ranks.index(best)
            run[at : at + 2] = [run[at] + run[at + 1]]
        out: list[int] = []
        for part in run:
            if part in self._plain:
                out += self._plain[part]
            else:
                out += [self.first_byte + byte for byte in part.encode(errors="replace")]
        return out

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        given = {"version": _FILE_VERSION, "fixed": self.fixed, "merges": self.merges}
        path.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read what `save` wrote; ValueError where it is something else."""
        given = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(given, dict) or given.get("version") != _FILE_VERSION:
            raise ValueError(f"{path} is no vocabulary of this version")
        return cls(given["fixed"], given["merges"])


def _split(run: int | str, token: str, number: int) -> list[int | str]:
    if isinstance(run, int) or token not in run:
        return [run]
    out: list[int | str] = []
    for index, text in enumerate(run.split(token)):
        if index:
            out.append(number)
        if text:
            out.append(text)
    return out
