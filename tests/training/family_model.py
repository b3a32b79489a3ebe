"""Tiny models in Hugging Face's layout, and a plain reference of how they are computed there.

The reference is written after transformers' modeling_llama: half-split rotary positions, its
names, nothing of ours.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as fn
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, trainers
from tokenizers import pre_tokenizers as pre

LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>\n"
    '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}}\n'
    "</tool_call>{% endfor %}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXTS = [
    "the cat sat on the mat, and the dog ran after 12 birds in 2024.",
    "def main():\n    print('hello world')  # naïve café 漢字 🙂\n",
    "read README.md and tell me what it says; I'll wait, you've got time",
]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_level(words="gpt-2"):
    """A byte-level tokenizer that splits words as one of those that llama.cpp knows."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=words == "llama-bpe"))
    plain = pre.ByteLevel(add_prefix_space=False, use_regex=False)
    if words == "gpt-2":
        tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
    else:
        regex = LLAMA_3 if words == "llama-bpe" else LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")
        split = pre.Split(Regex(regex), "isolated")
        tokenizer.pre_tokenizer = pre.Sequence([split, plain])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=SPECIAL,
        initial_alphabet=pre.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def with_fallback():
    """A tokenizer as the first llamas have it: blanks as signs, unknown characters as bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    raw = ["<unk>", *SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=raw, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    given = json.loads(tokenizer.to_str())
    given["added_tokens"] = [a for a in given["added_tokens"] if not a["content"].startswith("<0x")]
    made = Tokenizer.from_str(json.dumps(given))
    made.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return made


def config(family="llama", **changes):
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": family,
        "vocab_size": 448,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 96,
        "max_position_embeddings": 512,
        "rope_theta": 10_000.0,
        "rms_norm_eps": 1e-5,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        **changes,
    }


def tensors_of(about, seed=0):
    """Random weights by Hugging Face's names, large enough that a wrong turn shows."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*size, scale=None):
        return torch.randn(size, generator=generator) * (scale or size[-1] ** -0.5)

    width, inner = about["hidden_size"], about["intermediate_size"]
    kv = width // about["num_attention_heads"] * about["num_key_value_heads"]
    found = {
        "model.embed_tokens.weight": drawn(about["vocab_size"], width, scale=0.5),
        "model.norm.weight": 1 + drawn(width, scale=0.1),
    }
    if not about["tie_word_embeddings"]:
        found["lm_head.weight"] = drawn(about["vocab_size"], width)
    for layer in range(about["num_hidden_layers"]):
        here = f"model.layers.{layer}"
        for name, rows in (("q", width), ("k", kv), ("v", kv), ("o", width)):
            found[f"{here}.self_attn.{name}_proj.weight"] = 2 * drawn(rows, width)
            if about["model_type"] == "qwen2" and name != "o":
                found[f"{here}.self_attn.{name}_proj.bias"] = drawn(rows, scale=0.3)
        for name, rows, columns in (
            ("gate", inner, width),
            ("up", inner, width),
            ("down", width, inner),
        ):
            found[f"{here}.mlp.{name}_proj.weight"] = drawn(rows, columns)
        for name in ("input_layernorm", "post_attention_layernorm"):
            found[f"{here}.{name}.weight"] = 1 + drawn(width, scale=0.1)
    return found


def write_model(
    place: Path, about=None, tokenizer=None, *, shards=1, dtype=torch.float32, template=CHATML
):
    """Write a model's directory and return its tensors."""
    about = about or config()
    place.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.to(dtype) for name, tensor in tensors_of(about).items()}
    (place / "config.json").write_text(json.dumps(about))
    (tokenizer or byte_level()).save(str(place / "tokenizer.json"))
    settings = {"eos_token": "<|im_end|>", "pad_token": {"content": "<|endoftext|>"}}
    if template:
        settings["chat_template"] = template
    (place / "tokenizer_config.json").write_text(json.dumps(settings))
    if shards == 1:
        save_file(tensors, place / "model.safetensors")
        return tensors
    where = {}
    for number in range(shards):
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(tensors.items())[number::shards])
        save_file(part, place / file)
        where |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": where}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    return tensors


def speeds_of(about, size):
    """After transformers' _compute_llama3_parameters."""
    speeds = 1 / about["rope_theta"] ** (torch.arange(0, size, 2).float() / size)
    if not (scaled := about.get("rope_scaling")):
        return speeds
    factor, low, high = (scaled[k] for k in ("factor", "low_freq_factor", "high_freq_factor"))
    window = scaled["original_max_position_embeddings"]
    lengths = 2 * math.pi / speeds
    slowed = torch.where(lengths > window / low, speeds / factor, speeds)
    smooth = (window / lengths - low) / (high - low)
    between = (1 - smooth) * slowed / factor + smooth * slowed
    is_between = ~(lengths < window / high) & ~(lengths > window / low)
    return torch.where(is_between, between, slowed)


def reference(about, weights, ids):
    """Logits as transformers computes them, (length, vocab)."""
    heads, kv_heads = about["num_attention_heads"], about["num_key_value_heads"]
    size, length = about["hidden_size"] // heads, len(ids)
    speeds = speeds_of(about, size)
    angles = torch.outer(torch.arange(length).float(), speeds)
    cos, sin = torch.cat((angles, angles), -1).cos(), torch.cat((angles, angles), -1).sin()

    def normed(x, name):
        root = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + about["rms_norm_eps"])
        return x * root * weights[name]

    def turned(x):
        half = torch.cat((-x[..., size // 2 :], x[..., : size // 2]), -1)
        return x * cos + half * sin

    x = weights["model.embed_tokens.weight"][torch.tensor(ids)]
    for layer in range(about["num_hidden_layers"]):
        here = f"model.layers.{layer}"

        def linear(h, name, here=here):
            weight = weights[f"{here}.{name}.weight"]
            return fn.linear(h, weight, weights.get(f"{here}.{name}.bias"))

        h = normed(x, f"{here}.input_layernorm.weight")
        q, k, v = (
            linear(h, f"self_attn.{name}_proj").view(length, count, size).transpose(0, 1)
            for name, count in (("q", heads), ("k", kv_heads), ("v", kv_heads))
        )
        q, k = turned(q), turned(k).repeat_interleave(heads // kv_heads, 0)
        v = v.repeat_interleave(heads // kv_heads, 0)
        scores = q @ k.transpose(1, 2) / size**0.5
        past = torch.ones(length, length, dtype=torch.bool).tril()
        mixed = scores.masked_fill(~past, float("-inf")).softmax(-1) @ v
        x = x + linear(mixed.transpose(0, 1).reshape(length, -1), "self_attn.o_proj")
        h = normed(x, f"{here}.post_attention_layernorm.weight")
        gate = fn.silu(linear(h, "mlp.gate_proj")) * linear(h, "mlp.up_proj")
        x = x + linear(gate, "mlp.down_proj")
    output = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    return fn.linear(normed(x, "model.norm.weight"), output)
