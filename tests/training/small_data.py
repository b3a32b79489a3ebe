"""A vocabulary and conversations of few words: what tests train on, without torch."""

import random

from training.chat import pieces
from training.tokenizer import Tokenizer
from training.tokenizer_build import build

SENTENCE = "open the file please and read what is in it now or list folder für mich café"
LETTERS = "abcdefgh"


def conversations(count: int, seed: int = 0) -> list[list[dict[str, object]]]:
    draw = random.Random(seed)
    return [_conversation(draw) for _ in range(count)]


def _conversation(draw: random.Random) -> list[dict[str, object]]:
    path = "".join(draw.choices(LETTERS, k=draw.randint(2, 5))) + ".py"
    words = " ".join(draw.choices(SENTENCE.split(), k=draw.randint(1, 6)))
    call = {"name": draw.choice(("FileRead", "ListDir")), "arguments": {"path": path}}
    messages: list[dict[str, object]] = [
        {"role": "user", "content": f"{words} {path}"},
        {"role": "assistant", "tool_calls": [call]},
    ]
    if draw.random() < 0.5:
        result = " ".join(draw.choices(SENTENCE.split(), k=draw.randint(1, 12)))
        messages.append({"role": "tool", "content": result})
        messages.append({"role": "assistant", "content": f"it is {path}"})
    return messages


def tokenizer() -> Tokenizer:
    texts = ["".join(text for text, _ in pieces(one)) for one in conversations(200)]
    return build(texts, 700)
