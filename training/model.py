"""The model: llama's architecture as llama.cpp computes it, so that weights move one to one.

RMSNorm, interleaved rotary positions (llama.cpp's "NORM" kind), grouped queries, SwiGLU, tied
embeddings. A parameter's name is the tensor's name in a GGUF file.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as fn
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

IGNORED = -100
"""The target of a position that carries no loss."""

_SHORT_ROW = 384


@dataclass(frozen=True)
class Shape:
    """The measures of a model; all that a checkpoint needs to build it again."""

    vocab: int = 2048
    width: int = 256
    depth: int = 8
    heads: int = 8
    kv_heads: int = 4
    feed_forward: int = 704
    context: int = 4096
    rope_base: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """How many features one head has."""
        return self.width // self.heads

    def parameters(self) -> int:
        """The number of weights."""
        attention = 2 * self.width * (self.width + self.kv_heads * self.head_width)
        layer = attention + 3 * self.width * self.feed_forward + 2 * self.width
        return self.vocab * self.width + self.depth * layer + self.width


class Norm(nn.Module):
    """RMSNorm with one weight a feature."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Scale each position to unit mean square."""
        return fn.rms_norm(x, (x.size(-1),), self.weight.to(x.dtype), self.epsilon)


def rotations(length: int, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each (length, head_width / 2)."""
    speeds = base ** (-torch.arange(0, head_width, 2).float() / head_width)
    angles = torch.outer(torch.arange(length).float(), speeds)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn neighbouring pairs of features; x is (batch, length, heads, head_width)."""
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
    return turned.flatten(-2)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Causal attention over (batch, heads, length, head_width).

    Short rows on a CPU: plain products are a sixth faster than torch's kernel and its backward;
    from 768 on the kernel is half again to twice as fast (measured, Zen 5, bf16, compiled).
    """
    length = q.size(2)
    if q.device.type != "cpu" or length > _SHORT_ROW or not torch.is_grad_enabled():
        return fn.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
    if mask is None:
        mask = torch.ones(length, length, dtype=torch.bool, device=q.device).tril()
    scores = (q @ k.transpose(-1, -2)) * q.size(-1) ** -0.5
    weights = scores.float().masked_fill(~mask, float("-inf")).softmax(-1)
    return weights.to(v.dtype) @ v


class Block(nn.Module):
    """Attention and feed-forward, each after a norm, each added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, kv = shape.width, shape.kv_heads * shape.head_width
        self.shape = shape
        self.attn_norm = Norm(width, shape.epsilon)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, kv, bias=False)
        self.attn_v = nn.Linear(width, kv, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = Norm(width, shape.epsilon)
        self.ffn_gate = nn.Linear(width, shape.feed_forward, bias=False)
        self.ffn_up = nn.Linear(width, shape.feed_forward, bias=False)
        self.ffn_down = nn.Linear(shape.feed_forward, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        """One layer over (batch, length, width); `mask` says who may look at whom."""
        batch, length, width = x.shape
        shape = self.shape
        h = self.attn_norm(x)
        q = rotate(self.attn_q(h).view(batch, length, shape.heads, -1), cos, sin).transpose(1, 2)
        k = rotate(self.attn_k(h).view(batch, length, shape.kv_heads, -1), cos, sin).transpose(1, 2)
        v = self.attn_v(h).view(batch, length, shape.kv_heads, -1).transpose(1, 2)
        if shape.kv_heads != shape.heads:
            k = k.repeat_interleave(shape.heads // shape.kv_heads, 1)
            v = v.repeat_interleave(shape.heads // shape.kv_heads, 1)
        y = attend(q, k, v, mask)
        x = x + self.attn_output(y.transpose(1, 2).reshape(batch, length, width))
        h = self.ffn_norm(x)
        out: Tensor = x + self.ffn_down(fn.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return out


class Model(nn.Module):
    """The whole network; `hidden` is the part that is worth compiling."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape, *, checkpointing: bool = False) -> None:
        super().__init__()
        self.shape = shape
        self.checkpointing = checkpointing
        self.token_embd = nn.Embedding(shape.vocab, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.output_norm = Norm(shape.width, shape.epsilon)
        cos, sin = rotations(shape.context, shape.head_width, shape.rope_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.reset()

    def reset(self) -> None:
        """Fresh weights from torch's generator; what writes to the stream begins at nought."""
        nn.init.normal_(self.token_embd.weight, std=0.02)
        for name, weight in self.blk.named_parameters():
            if weight.dim() < 2:  # noqa: PLR2004 - norms keep their ones
                continue
            if "attn_output" in name or "ffn_down" in name:
                nn.init.zeros_(weight)
            else:
                nn.init.normal_(weight, std=0.5 * self.shape.width**-0.5)

    def hidden(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        """The normed stream (batch, length, width).

        Args:
            tokens: (batch, length) of ids.
            documents: (batch, length): positions look only at those of the same number;
                without it every earlier one of the row.
        """
        length = tokens.size(1)
        x = self.token_embd(tokens)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        cos = self.cos[:length, None].to(x.dtype)
        sin = self.sin[:length, None].to(x.dtype)
        mask = None
        if documents is not None:
            same = documents[:, :, None] == documents[:, None, :]
            mask = (same & same.new_ones(length, length).tril())[:, None]
        for block in self.blk:
            if self.checkpointing and self.training:
                x = checkpoint(block, x, cos, sin, mask, use_reentrant=False)
            else:
                x = block(x, cos, sin, mask)
        normed: Tensor = self.output_norm(x)
        return normed

    @property
    def head(self) -> Tensor:
        """What makes logits of the stream, (vocab, width): here the embedding."""
        return self.token_embd.weight

    def forward(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        """Logits (batch, length, vocab) of the next token at every position."""
        return fn.linear(self.hidden(tokens, documents), self.head)


def loss_of(hidden: Tensor, embedding: Tensor, targets: Tensor, count: int = 0) -> Tensor:
    """Cross entropy over the positions whose target isn't `IGNORED`, divided by `count`.

    `count` 0 is the number of those positions: the mean. Logits are made for those positions
    only: the others would cost a third of the step.
    """
    wanted = targets != IGNORED
    logits = fn.linear(hidden[wanted], embedding)
    lost = fn.cross_entropy(logits.float(), targets[wanted], reduction="sum")
    return lost / (count or max(1, len(logits)))
