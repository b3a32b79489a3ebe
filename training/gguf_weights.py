"""Loads a GGUF back into a model to train on: dequantised, checked before anything is built.

It refuses what isn't ours: another architecture, another vocabulary, a torso, a file whose
tensors don't fit its own header. It does not vouch for what the weights say.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from hermes.errors import WeightsInvalid
from training.export import ARCHITECTURE
from training.model import Model, Shape
from training.tokenizer import Tokenizer

_MOST_PER_BYTE = 4  # weights, at two bits each
_LARGEST = 16 << 30  # bytes of file
_SANE = {"width": 1 << 15, "depth": 512, "heads": 512, "vocab": 1 << 20, "context": 1 << 20}


def load_gguf(path: Path, tokenizer: Tokenizer | None = None) -> Model:
    """Read a model; raises WeightsInvalid naming the file and what is wrong with it.

    With `tokenizer` its vocabulary must be that of the file.
    """
    try:
        reader = _open(path)
        shape = _shape(reader)
        if shape.parameters() > _MOST_PER_BYTE * path.stat().st_size:
            raise WeightsInvalid(f"{path} holds fewer weights than its header promises")
        if tokenizer is not None:
            _check_vocabulary(_value(reader, "tokenizer.ggml.tokens"), tokenizer)
        model = Model(shape)
        _fill(model, reader)
    except (OSError, ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise WeightsInvalid(f"{path} cannot be trained on: {error}") from error
    return model


def vocabulary(path: Path) -> Tokenizer:
    """The vocabulary of a file that `export` wrote; WeightsInvalid where it is another's."""
    try:
        reader = _open(path)
        tokens = _value(reader, "tokenizer.ggml.tokens")
        kinds = _value(reader, "tokenizer.ggml.token_type")
        fixed = [token for token, kind in zip(tokens, kinds, strict=True) if kind == 4]  # noqa: PLR2004
        empty = Tokenizer(fixed, ())
        built = Tokenizer(fixed, tokens[len(empty) :])
        _check_vocabulary(tokens, built)
    except (OSError, ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise WeightsInvalid(f"{path} has no vocabulary to train with: {error}") from error
    return built


def _open(path: Path) -> gguf.GGUFReader:
    if not path.is_file():
        raise ValueError("there is no such file")
    size = path.stat().st_size
    if size > _LARGEST:
        raise ValueError(f"{size >> 30} GiB are more than can be trained here")
    return gguf.GGUFReader(path)


def _value(reader: gguf.GGUFReader, key: str) -> Any:  # noqa: ANN401 - a GGUF value
    field = reader.get_field(key)
    if field is None:
        raise ValueError(f"it lacks {key}")
    return field.contents()


def _shape(reader: gguf.GGUFReader) -> Shape:
    architecture = _value(reader, "general.architecture")
    if architecture != ARCHITECTURE:
        raise ValueError(f"its architecture is {architecture}, not {ARCHITECTURE}")

    def number(key: str) -> Any:  # noqa: ANN401 - a GGUF value
        return _value(reader, f"{ARCHITECTURE}.{key}")

    given = {
        "vocab": len(_value(reader, "tokenizer.ggml.tokens")),
        "width": number("embedding_length"),
        "depth": number("block_count"),
        "heads": number("attention.head_count"),
        "context": number("context_length"),
    }
    for name, value in given.items():
        if not isinstance(value, int) or not 0 < value <= _SANE[name]:
            raise ValueError(f"its {name} is {value!r}")
    shape = Shape(
        **given,
        kv_heads=number("attention.head_count_kv"),
        feed_forward=number("feed_forward_length"),
        rope_base=_exact(number("rope.freq_base")),
        epsilon=_exact(number("attention.layer_norm_rms_epsilon")),
    )
    if shape.width % shape.heads or shape.kv_heads < 1 or shape.heads % shape.kv_heads:
        raise ValueError("its heads do not divide its width")
    return shape


def _exact(value: float) -> float:
    """The number that was meant: 1e-05, where 32 bits hold 9.99999974e-06."""
    return float(str(np.float32(value)))


def _check_vocabulary(tokens: Sequence[str], tokenizer: Tokenizer) -> None:
    if list(tokens) != list(tokenizer.tokens):
        at = next(
            (
                i
                for i, pair in enumerate(zip(tokens, tokenizer.tokens, strict=False))
                if pair[0] != pair[1]
            ),
            min(len(tokens), len(tokenizer)),
        )
        raise ValueError(
            f"its vocabulary ({len(tokens)} tokens) is not that of the data "
            f"({len(tokenizer)}): they differ from token {at} on"
        )


def _fill(model: Model, reader: gguf.GGUFReader) -> None:
    found = {tensor.name: tensor for tensor in reader.tensors}
    weights = {}
    for name, weight in model.state_dict().items():
        if name not in found:
            raise ValueError(f"it lacks the tensor {name}")
        tensor = found.pop(name)
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        if values.shape != weight.shape:
            raise ValueError(f"{name} is {values.shape}, not {tuple(weight.shape)}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds values that are no numbers")
        weights[name] = torch.from_numpy(np.array(values, np.float32))
    if found:
        raise ValueError(f"it has tensors that this architecture lacks: {min(found)}")
    model.load_state_dict(weights)
