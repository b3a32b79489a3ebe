"""Writes a model as GGUF: weights, vocabulary, chat template and what the runtime reads of it."""

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Quantization
from gguf import LlamaFileType

from hermes.errors import Usage, WeightsInvalid
from training.chat import TEMPLATE
from training.model import Model
from training.tokenizer import Tokenizer
from training.whole import write_whole

KINDS = {
    "f32": (LlamaFileType.ALL_F32, Quantization.F32),
    "f16": (LlamaFileType.MOSTLY_F16, Quantization.F16),
    "q8_0": (LlamaFileType.MOSTLY_Q8_0, Quantization.Q8_0),
    "q4_0": (LlamaFileType.MOSTLY_Q4_0, Quantization.Q4_0),
}
ARCHITECTURE = "llama"
PROFILE_KEY = "hermes.profile"
DESCRIPTION = "A small model that knows the tools of Hermes, trained from scratch"


def export(
    model: Model,
    tokenizer: Tokenizer,
    path: Path,
    *,
    kind: str = "q8_0",
    name: str = "ember",
    window: int = 0,
) -> None:
    """Write the GGUF in one piece; `kind` is f32, f16, q8_0 or q4_0.

    `window`: the context length that the file states, 0: the model's own.
    In q4_0 the embedding stays q8_0: it is the output, too, and small rows suffer most.
    Raises WeightsInvalid where the vocabulary isn't the model's, or a width does not quantise.
    """
    if model.shape.vocab != len(tokenizer):
        raise WeightsInvalid(f"a vocabulary of {len(tokenizer)} for a model of {model.shape.vocab}")
    if kind not in KINDS:
        raise Usage(f"no kind {kind!r}: choose one of {', '.join(KINDS)}")
    about = (name, window or model.shape.context)
    write_whole(path, lambda beside: _write(model, tokenizer, beside, kind, about))


def _write(
    model: Model, tokenizer: Tokenizer, path: Path, kind: str, about: tuple[str, int]
) -> None:
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    try:
        _describe(writer, model, kind, *about)
        _vocabulary(writer, tokenizer)
        for key, weight in model.state_dict().items():
            values = weight.detach().float().cpu().numpy()
            _put(writer, key, values, KINDS[kind][1])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _describe(writer: gguf.GGUFWriter, model: Model, kind: str, name: str, window: int) -> None:
    shape = model.shape
    writer.add_name(name)
    writer.add_description(DESCRIPTION)
    writer.add_license("MIT")
    writer.add_string(PROFILE_KEY, "native")
    writer.add_file_type(KINDS[kind][0])
    writer.add_context_length(window)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.depth)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocab)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token.encode() for token in tokenizer.tokens])
    writer.add_token_scores(tokenizer.scores)
    writer.add_token_types(tokenizer.types)
    writer.add_bos_token_id(tokenizer.start)
    writer.add_eos_token_id(tokenizer.end)
    writer.add_unk_token_id(tokenizer.pad)
    writer.add_pad_token_id(tokenizer.pad)
    writer.add_add_bos_token(value=False)
    writer.add_add_eos_token(value=False)
    writer.add_add_space_prefix(value=False)
    writer.add_chat_template(TEMPLATE)


def _put(writer: gguf.GGUFWriter, key: str, values: np.ndarray, wanted: Quantization) -> None:
    if values.ndim == 1:
        writer.add_tensor(key, values.astype(np.float32))
        return
    if wanted == Quantization.Q4_0 and key.startswith("token_embd"):
        wanted = Quantization.Q8_0
    block = gguf.GGML_QUANT_SIZES[wanted][0]
    if values.shape[-1] % block:
        raise WeightsInvalid(f"{key} has rows of {values.shape[-1]}, {wanted.name} wants {block}s")
    writer.add_tensor(key, gguf.quants.quantize(values, wanted), raw_dtype=wanted)
