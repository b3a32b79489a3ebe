"""A set of conversations as a source's own template and tokenizer see them, ready to train on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hermes.errors import DataInvalid
from training.conversations import Conversation
from training.finetune.template import Template
from training.finetune.words import Words


class Rows:
    """Conversations in memory (`training.dataset.Conversations`).

    Those longer than `longest` tokens are left out and counted; raises DataInvalid where none
    is left, naming the first that is wrong where one is.
    """

    def __init__(
        self,
        conversations: Sequence[Conversation],
        template: Template,
        words: Words,
        longest: int,
    ) -> None:
        self.tokenizer = words
        self.directory = Path(conversations[0].where.rpartition(":")[0] or ".")
        self.left_out = 0
        tokens: list[NDArray[np.int32]] = []
        loss: list[NDArray[np.bool_]] = []
        for one in conversations:
            for ids, learnt in _learnt(one, template, words):
                if len(ids) > longest:
                    self.left_out += 1
                elif any(learnt[1:]):
                    tokens.append(np.array(ids, np.int32))
                    loss.append(np.array(learnt, np.bool_))
        if not tokens:
            names = ", ".join(sorted({one.where.rpartition(":")[0] for one in conversations}))
            raise DataInvalid(
                f"no conversation of {names} fits into {longest} tokens", "raise --length"
            )
        self.tokens = np.concatenate(tokens)
        self.loss = np.concatenate(loss)
        self.starts = np.cumsum([0, *map(len, tokens)], dtype=np.int64)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each conversation."""
        lengths: NDArray[np.int64] = np.diff(self.starts)
        return lengths


def _learnt(
    one: Conversation, template: Template, words: Words
) -> list[tuple[list[int], list[bool]]]:
    try:
        return [words.learnt(marked) for marked in template.marked(one.messages, one.tools)]
    except DataInvalid as error:
        raise DataInvalid(f"{one.where}: {error.message}", error.remedy) from error
