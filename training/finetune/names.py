"""What Hugging Face calls a tensor and what we do, and the two orders of rotary features.

Hugging Face turns feature i with i + half, we (and llama.cpp's "llama") 2i with 2i + 1: the rows
of queries and keys are put in order when they come in, and back when they go out.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from training.finetune.source import Source
from training.model import Shape

_OUTER = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_INNER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
BIASED = ("attn_q", "attn_k", "attn_v")
_OURS = re.compile(r"blk\.(\d+)\.(\w+)\.(\w+)")


def theirs(ours: str) -> str:
    """Hugging Face's name of a tensor of ours."""
    if ours in _OUTER:
        return _OUTER[ours]
    found = _OURS.fullmatch(ours)
    if not found:
        raise ValueError(f"no tensor is called {ours!r}")
    return f"model.layers.{found[1]}.{_INNER[found[2]]}.{found[3]}"


def measures(source: Source) -> Mapping[str, tuple[int, ...]]:
    """Each tensor that a model has, by our name, and its measures."""
    shape = source.shape
    width, kv, inner = shape.width, shape.kv_heads * shape.head_width, shape.feed_forward
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (shape.vocab, width)}
    rows = {"attn_q": width, "attn_k": kv, "attn_v": kv, "attn_output": width}
    for layer in range(shape.depth):
        here = f"blk.{layer}"
        found |= {f"{here}.{name}.weight": (count, width) for name, count in rows.items()}
        if source.biased:
            found |= {f"{here}.{name}.bias": (rows[name],) for name in BIASED}
        found |= {f"{here}.{name}.weight": (width,) for name in ("attn_norm", "ffn_norm")}
        found |= {f"{here}.{name}.weight": (inner, width) for name in ("ffn_gate", "ffn_up")}
        found[f"{here}.ffn_down.weight"] = (width, inner)
    found["output_norm.weight"] = (width,)
    if not source.tied:
        found["output.weight"] = (shape.vocab, width)
    return found


def interleaved(name: str, tensor: Tensor, shape: Shape) -> Tensor:
    """Rows in the order of neighbours, of a tensor (by our name) whose rows are in halves."""
    heads = turning_heads(name, shape)
    if not heads:
        return tensor
    pairs = tensor.reshape(heads, 2, shape.head_width // 2, *tensor.shape[1:])
    return pairs.transpose(1, 2).reshape(tensor.shape)


def halved(name: str, tensor: Tensor, shape: Shape) -> Tensor:
    """The way back."""
    heads = turning_heads(name, shape)
    if not heads:
        return tensor
    pairs = tensor.reshape(heads, shape.head_width // 2, 2, *tensor.shape[1:])
    return pairs.transpose(1, 2).reshape(tensor.shape)


def turning_heads(name: str, shape: Shape) -> int:
    """How many heads the rows of this tensor turn in; 0 where they don't."""
    kind = name.split(".")[2] if name.startswith("blk.") else ""
    return {"attn_q": shape.heads, "attn_k": shape.kv_heads}.get(kind, 0)
