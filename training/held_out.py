"""What is kept apart from training, and how well a model foretells it."""

import hashlib
import json
from collections.abc import Sequence

import torch

from training.conversations import Conversation
from training.dataset import IGNORED, Conversations
from training.device import lower_precision
from training.model import Model, loss_of

_LARGEST = 200
_SHARE = 10  # one conversation in ten


def split(conversations: Sequence[Conversation]) -> tuple[list[Conversation], list[Conversation]]:
    """Part what is learnt from what is held out: one in ten by digest, at most 200.

    The same conversation always falls on the same side. Of fewer than ten all are learnt.
    """
    count = min(_LARGEST, len(conversations) // _SHARE)
    held = set(sorted(_digest(one) for one in conversations)[:count])
    learnt = [one for one in conversations if _digest(one) not in held]
    return learnt, [one for one in conversations if _digest(one) in held]


def mean_loss(model: Model, data: Conversations, *, bf16: bool = False) -> float:
    """Mean cross entropy of the answers of every conversation, in nats a token."""
    device = model.cos.device
    training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad(), lower_precision(device, on=bf16):
        for begin, end in zip(data.starts[:-1], data.starts[1:], strict=True):
            ids = torch.from_numpy(data.tokens[begin:end].astype("int64")).to(device)
            learnt = torch.from_numpy(data.loss[begin:end].copy()).to(device)
            targets = torch.where(learnt[1:], ids[1:], IGNORED)
            wanted = int(learnt[1:].sum())
            if wanted:
                lost = loss_of(model.hidden(ids[None, :-1]), model.head, targets[None])
                total += wanted * float(lost)
                count += wanted
    model.train(training)
    return total / max(1, count)


def _digest(one: Conversation) -> bytes:
    return hashlib.sha256(json.dumps(one.messages, sort_keys=True).encode()).digest()
