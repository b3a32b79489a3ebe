"""Writes a fine-tuned model back as it came: the directory that transformers and vLLM load.

Adapters become a directory that `peft` loads beside the original.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from training.finetune.model import ADAPTED
from training.finetune.names import halved, theirs
from training.finetune.source import CONFIG, Source
from training.finetune.weights import ONE_FILE
from training.whole import write_whole

_COPIED = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
)
_FORMAT = {"format": "pt"}


def write_source(
    directory: Path, source: Source, weights: Mapping[str, Tensor], dtype: torch.dtype
) -> None:
    """Write config, tokenizer and weights; config.json comes last, so a torso is no model."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / CONFIG).unlink(missing_ok=True)
    for name in _COPIED:
        if (source.directory / name).is_file():
            shutil.copyfile(source.directory / name, directory / name)
    tensors = {
        theirs(name): halved(name, weight, source.shape).to(dtype).contiguous()
        for name, weight in weights.items()
    }
    _put(directory / ONE_FILE, tensors)
    kind = str(dtype).removeprefix("torch.")
    config = {**source.raw, "dtype": kind, "torch_dtype": kind}
    write_whole(directory / CONFIG, lambda beside: beside.write_text(_text(config), "utf-8"))


def write_adapters(
    directory: Path, source: Source, adapters: Mapping[str, Tensor], rank: int, alpha: float
) -> None:
    """Write adapters in the layout of `peft`."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, weight in adapters.items():
        owner, _, leaf = name.rpartition(".")
        kind = f"lora_{leaf[-1].upper()}"
        base = theirs(f"{owner}.weight").removesuffix(".weight")
        turned = weight if leaf == "lora_a" else halved(owner, weight, source.shape)
        tensors[f"base_model.model.{base}.{kind}.weight"] = turned.contiguous()
    _put(directory / "adapter_model.safetensors", tensors)
    modules = sorted({theirs(f"blk.0.{name}.weight").split(".")[-2] for name in ADAPTED})
    about = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(source.directory),
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": modules,
        "bias": "none",
    }
    path = directory / "adapter_config.json"
    write_whole(path, lambda beside: beside.write_text(_text(about), "utf-8"))


def _put(path: Path, tensors: dict[str, Tensor]) -> None:
    try:
        write_whole(path, lambda beside: save_file(tensors, beside, _FORMAT))
    except SafetensorError as error:  # its writer hides a full disk in it
        raise OSError(f"{path}: {error}") from error


def _text(value: Mapping[str, object]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
