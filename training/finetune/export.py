"""Writes a fine-tuned model: as GGUF, as an adapter for llama.cpp, or as it came.

Apart from `training.export` because a foreign model keeps its own vocabulary and template.
"""

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Quantization
from torch import Tensor

from training.export import KINDS
from training.finetune.names import halved
from training.finetune.source import Source
from training.finetune.template import Template
from training.finetune.vocabulary import Vocabulary, vocabulary_of
from training.finetune.words import Words
from training.whole import write_whole

_FACTORS = "rope_freqs.weight"


def write_gguf(
    path: Path,
    source: Source,
    weights: Mapping[str, Tensor],
    words: Words,
    template: Template,
    kind: str = "q8_0",
) -> None:
    """Write the whole model in one piece; raises WeightsInvalid where its tokenizer has no name."""
    vocabulary = vocabulary_of(words)

    def write(beside: Path) -> None:
        writer = gguf.GGUFWriter(beside, source.architecture)
        _describe(writer, source, kind)
        _tokens(writer, vocabulary, words, template)
        if source.positions.factors:
            writer.add_tensor(_FACTORS, np.array(source.positions.factors, np.float32))
        for name, weight in weights.items():
            _put(writer, name, _outward(name, weight, source), KINDS[kind][1])
        _finish(writer)

    write_whole(path, write)


def write_adapter(path: Path, source: Source, adapters: Mapping[str, Tensor], alpha: float) -> None:
    """Write adapters as llama.cpp loads them beside the model that they were made for.

    Source: llama.cpp, src/llama-adapter.cpp.
    """

    def write(beside: Path) -> None:
        writer = gguf.GGUFWriter(beside, source.architecture)
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        writer.add_name(f"{source.directory.resolve().name} adapter")
        for name, weight in adapters.items():
            owner, _, leaf = name.rpartition(".")
            turned = weight if leaf == "lora_a" else _outward(owner, weight, source)
            _put(writer, f"{owner}.weight.{leaf}", turned, Quantization.F32)
        _finish(writer)

    write_whole(path, write)


def _outward(name: str, weight: Tensor, source: Source) -> Tensor:
    return weight if source.interleaved else halved(name, weight, source.shape)


def _describe(writer: gguf.GGUFWriter, source: Source, kind: str) -> None:
    shape = source.shape
    writer.add_name(f"{source.directory.resolve().name}, fine-tuned")
    writer.add_file_type(KINDS[kind][0])
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.depth)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocab)


def _tokens(
    writer: gguf.GGUFWriter, vocabulary: Vocabulary, words: Words, template: Template
) -> None:
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list([token.encode() for token in vocabulary.tokens])
    writer.add_token_types(vocabulary.types)
    if vocabulary.model == "gpt2":
        writer.add_token_merges(vocabulary.merges)
    else:
        writer.add_token_scores(vocabulary.scores)
        writer.add_add_space_prefix(vocabulary.space_first)
    given = {key: words.known[name] for key, name in template.names.items() if name in words.known}
    if words.first is not None:
        given["bos_token"] = words.first
    adders = {
        "bos_token": writer.add_bos_token_id,
        "eos_token": writer.add_eos_token_id,
        "pad_token": writer.add_pad_token_id,
    }
    for key, number in given.items():
        adders[key](number)
    writer.add_add_bos_token(words.first is not None)
    writer.add_add_eos_token(words.adds_last)
    writer.add_chat_template(template.text)


def _put(writer: gguf.GGUFWriter, name: str, weight: Tensor, wanted: Quantization) -> None:
    values = weight.detach().float().cpu().contiguous().numpy()
    if values.ndim == 1:
        writer.add_tensor(name, values.astype(np.float32))
        return
    if wanted == Quantization.Q4_0 and name.startswith(("token_embd", "output.")):
        wanted = Quantization.Q8_0
    block = gguf.GGML_QUANT_SIZES[wanted][0]
    if values.shape[-1] % block:
        raise ValueError(f"{name} has rows of {values.shape[-1]}, {wanted.name} wants {block}s")
    writer.add_tensor(name, gguf.quants.quantize(values, wanted), raw_dtype=wanted)


def _finish(writer: gguf.GGUFWriter) -> None:
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
