"""Our model with what the llama family has besides: an output of its own, biases, adapters."""

import math

import torch
import torch.nn.functional as fn
from torch import Tensor, nn

from training.finetune.names import BIASED
from training.finetune.source import Source
from training.finetune.weights import read_weights
from training.model import Model

ADAPTED = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
LONGEST = 32_768
"""Tokens of the longest row: a window of millions would take gigabytes for its positions."""


class FamilyModel(Model):
    """A model of the family; built without weights, which `loaded` puts in."""

    def __init__(self, source: Source, *, checkpointing: bool = False) -> None:
        super().__init__(source.shape, checkpointing=checkpointing)
        self.source = source
        if source.biased:
            for block in self.blk:
                for name in BIASED:
                    plain = getattr(block, name)
                    setattr(block, name, nn.Linear(plain.in_features, plain.out_features))
        if not source.tied:
            self.output = nn.Linear(source.shape.width, source.shape.vocab, bias=False)

    def reset(self) -> None:
        """Nothing: the weights come from files."""

    @property
    def head(self) -> Tensor:
        """The weights that make logits out of the stream."""
        return self.token_embd.weight if self.source.tied else self.output.weight


class Adapted(nn.Module):
    """A linear map that stays as it is, and a narrow one beside it that learns (LoRA).

    Source: Hu et al., https://arxiv.org/abs/2106.09685.
    """

    def __init__(self, plain: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.weight, self.bias = plain.weight, plain.bias
        self.scale = alpha / rank
        device = plain.weight.device
        self.lora_a = nn.Parameter(torch.empty(rank, plain.in_features, device=device))
        self.lora_b = nn.Parameter(torch.zeros(plain.out_features, rank, device=device))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Both maps, added."""
        beside = fn.linear(fn.linear(x, self.lora_a), self.lora_b)
        return fn.linear(x, self.weight, self.bias) + self.scale * beside


def loaded(
    source: Source, dtype: torch.dtype = torch.float32, *, checkpointing: bool = False
) -> FamilyModel:
    """The model with its weights; raises WeightsInvalid naming the file that is wrong."""
    with torch.device("meta"):
        model = FamilyModel(source, checkpointing=checkpointing)
    model.load_state_dict(read_weights(source, dtype), assign=True)
    shape = source.shape
    longest = min(shape.context, LONGEST)
    model.cos, model.sin = source.positions.turns(longest, shape.head_width)
    return model


def adapt(model: FamilyModel, rank: int, alpha: float, seed: int) -> None:
    """Hold every weight and put adapters beside the layers' matrices."""
    torch.manual_seed(seed)
    model.requires_grad_(requires_grad=False)
    for block in model.blk:
        for name in ADAPTED:
            setattr(block, name, Adapted(getattr(block, name), rank, alpha))


def merged(model: FamilyModel) -> dict[str, Tensor]:
    """The weights by our names, with adapters added in, on the CPU."""
    beside = {name for name, part in model.named_modules() if isinstance(part, Adapted)}
    found = {}
    for name, weight in model.state_dict().items():
        owner, _, leaf = name.rpartition(".")
        if leaf.startswith("lora_"):
            continue
        value = weight.detach().float().cpu()
        if owner in beside and leaf == "weight":
            part = model.get_submodule(owner)
            assert isinstance(part, Adapted)
            value = value + part.scale * (part.lora_b @ part.lora_a).detach().float().cpu()
        found[name] = value
    return found


def adapters(model: FamilyModel) -> dict[str, Tensor]:
    """The adapters by our names (`blk.0.attn_q.lora_a`), on the CPU."""
    state = model.state_dict().items()
    return {name: weight.detach().float().cpu() for name, weight in state if ".lora_" in name}
