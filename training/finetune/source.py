"""What a directory in Hugging Face's layout says of its model, before any weight is read.

It refuses what our model doesn't compute: other architectures, scaled rotary positions
but Llama 3's, quantised weights. It doesn't vouch for the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from hermes.errors import WeightsInvalid
from training.finetune.positions import Positions, number, positions_of
from training.model import Shape

CONFIG = "config.json"
_FAMILIES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2"}
_LARGEST_CONFIG = 1 << 20
_MOST = {
    "vocab_size": 1 << 20,
    "hidden_size": 1 << 15,
    "num_hidden_layers": 512,
    "num_attention_heads": 512,
    "num_key_value_heads": 512,
    "intermediate_size": 1 << 17,
    "max_position_embeddings": 1 << 24,
}
_OFF = {  # keys that change the arithmetic, and the values with which they don't
    "attention_bias": (None, False),
    "mlp_bias": (None, False),
    "hidden_act": (None, "silu"),
    "partial_rotary_factor": (None, 1, 1.0),
    "quantization_config": (None,),
    "use_sliding_window": (None, False),
}
_PLAIN_EPSILON = 1e-6


@dataclass(frozen=True)
class Source:
    """A model on disk. `architecture` is llama.cpp's; `raw` the whole of its config.json."""

    directory: Path
    family: str
    architecture: str
    shape: Shape
    positions: Positions
    tied: bool
    biased: bool
    raw: Mapping[str, object]

    @property
    def interleaved(self) -> bool:
        """Whether llama.cpp turns neighbouring features of it, as we do, or halves."""
        return self.architecture == "llama"

    def parameters(self) -> int:
        """The number of weights."""
        shape = self.shape
        output = 0 if self.tied else shape.vocab * shape.width
        bias = shape.width + 2 * shape.kv_heads * shape.head_width
        return shape.parameters() + output + (shape.depth * bias if self.biased else 0)


def is_source(directory: Path) -> bool:
    """Whether this is a directory in Hugging Face's layout."""
    return (directory / CONFIG).is_file()


def read_source(directory: Path) -> Source:
    """Read config.json; raises WeightsInvalid naming the file and what is wrong."""
    path = directory / CONFIG
    raw = read_json(path, _LARGEST_CONFIG)
    try:
        return _source(directory, raw)
    except (ValueError, TypeError) as error:
        remedy = f"models of these kinds can be fine-tuned: {', '.join(_FAMILIES)}"
        raise WeightsInvalid(f"{path}: {error}", remedy) from error


def read_json(path: Path, largest: int) -> dict[str, object]:
    """Read a JSON object of at most `largest` bytes; raises WeightsInvalid."""
    try:
        if not path.is_file():
            raise WeightsInvalid(f"{path} is missing, or no regular file")
        if path.stat().st_size > largest:
            raise WeightsInvalid(f"{path} is larger than {largest >> 10} KiB")
        found = msgspec.json.decode(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise WeightsInvalid(f"{path} is no JSON: {error}") from error
    except OSError as error:
        raise WeightsInvalid(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(found, dict):
        raise WeightsInvalid(f"{path} holds no JSON object")
    return found


def _source(directory: Path, raw: Mapping[str, object]) -> Source:
    family = raw.get("model_type")
    if not isinstance(family, str) or family not in _FAMILIES:
        raise ValueError(f"its model_type is {family!r}, which is not computed here")
    for key, plain in _OFF.items():
        if raw.get(key) not in plain:
            raise ValueError(f"its {key} is {str(raw[key])[:80]!r}, which is not computed here")
    tied = raw.get("tie_word_embeddings", False)
    shape = _shape(raw)
    return Source(
        directory=directory,
        family=family,
        architecture=_FAMILIES[family],
        shape=shape,
        positions=positions_of(raw, shape.head_width),
        tied=bool(tied),
        biased=family == "qwen2",
        raw=raw,
    )


def _shape(raw: Mapping[str, object]) -> Shape:
    heads = _count(raw, "num_attention_heads")
    shape = Shape(
        vocab=_count(raw, "vocab_size"),
        width=_count(raw, "hidden_size"),
        depth=_count(raw, "num_hidden_layers"),
        heads=heads,
        kv_heads=_count(raw, "num_key_value_heads", heads),
        feed_forward=_count(raw, "intermediate_size"),
        context=_count(raw, "max_position_embeddings"),
        epsilon=number(raw.get("rms_norm_eps", _PLAIN_EPSILON), "rms_norm_eps"),
    )
    if shape.width % heads or shape.head_width % 2 or heads % shape.kv_heads:
        raise ValueError("its heads do not divide its hidden_size")
    if raw.get("head_dim") not in {None, shape.head_width}:
        raise ValueError(f"its head_dim is {raw['head_dim']!r}, not hidden_size / heads")
    return replace(shape, rope_base=positions_of(raw, shape.head_width).base)


def _count(raw: Mapping[str, object], key: str, plain: int | None = None) -> int:
    value = raw.get(key, plain)
    value = plain if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST[key]:
        raise ValueError(f"its {key} is {value!r}")
    return value
