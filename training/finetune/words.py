"""A model's own tokenizer, by the `tokenizers` library: ids of a text, and which are learnt."""

import hashlib
from collections.abc import Mapping

from tokenizers import Tokenizer

from hermes.errors import WeightsInvalid
from training.finetune.source import Source, read_json
from training.finetune.template import Marked

FILE = "tokenizer.json"
_LARGEST = 128 << 20
_SENTENCEPIECE = "tokenizer.model"
_REMEDY = "write it with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"


class Words:
    """The tokenizer of a source, checked against it; as long as the model's vocabulary."""

    def __init__(self, source: Source) -> None:
        path = source.directory / FILE
        if not path.exists() and (source.directory / _SENTENCEPIECE).exists():
            raise WeightsInvalid(f"{path} is missing, there is only {_SENTENCEPIECE}", _REMEDY)
        self.raw = read_json(path, _LARGEST)
        try:
            self._tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
        except Exception as error:  # the library raises nothing narrower
            raise WeightsInvalid(f"{path} is no tokenizer: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._size = source.shape.vocab
        known: Mapping[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)
        if (most := max(known.values(), default=-1)) >= self._size:
            raise WeightsInvalid(
                f"{path} has tokens up to {most}, config.json a vocabulary of {self._size}: "
                "they belong to different models"
            )
        self.known = known
        self._data = path.read_bytes()
        self._before = self._tokenizer.encode("a").ids
        self._after = self._tokenizer.encode("a", add_special_tokens=False).ids

    def __len__(self) -> int:
        """The size of the model's vocabulary."""
        return self._size

    @property
    def digest(self) -> str:
        """What tells two vocabularies apart."""
        return f"sha256:{hashlib.sha256(self._data).hexdigest()}"

    @property
    def control(self) -> frozenset[str]:
        """Tokens that stand for themselves wherever they are found in a text."""
        found = self._tokenizer.get_added_tokens_decoder().values()
        return frozenset(token.content for token in found)

    @property
    def first(self) -> int | None:
        """The token that begins every text, where there is one."""
        return self._before[0] if self._before[:1] != self._after[:1] else None

    @property
    def adds_last(self) -> bool:
        """Whether every text gets a token at its end."""
        return self._before[-1:] != self._after[-1:]

    def encode(self, text: str) -> list[int]:
        """Ids of a text in which control tokens are control tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        """The text of ids."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))

    def learnt(self, marked: Marked) -> tuple[list[int], list[bool]]:
        """Ids of a text, and for each whether any of it lies in a marked run."""
        found = self._tokenizer.encode(marked.text, add_special_tokens=False)
        ids, runs = list(found.ids), found.offsets
        loss = [False] * len(ids)
        spans = list(marked.spans)
        for place, (begin, end) in enumerate(runs):
            while spans and spans[0][1] <= begin:
                spans.pop(0)
            loss[place] = bool(spans) and begin < spans[0][1] and spans[0][0] < max(end, begin + 1)
        if self.first is not None and ids[:1] != [self.first]:
            ids.insert(0, self.first)
            loss.insert(0, False)
        return ids, loss
