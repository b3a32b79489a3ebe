import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load_file  # noqa: E402 - after the skip

from hermes.models.gguf import read_gguf  # noqa: E402
from tests.training import family_model as family  # noqa: E402
from training.device import lower_precision  # noqa: E402
from training.finetune.export import write_adapter, write_gguf  # noqa: E402
from training.finetune.model import adapt, adapters, loaded, merged  # noqa: E402
from training.finetune.save import write_source  # noqa: E402
from training.finetune.source import read_source  # noqa: E402
from training.finetune.template import read_template  # noqa: E402
from training.finetune.weights import read_weights  # noqa: E402
from training.finetune.words import Words  # noqa: E402
from training.model import loss_of  # noqa: E402

torch.set_num_threads(1)
SLOWED = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
KINDS = {
    "slowed": (family.config(rope_scaling=SLOWED), lambda: family.byte_level("llama-bpe")),
    "tied": (family.config(), family.byte_level),
    "untied": (
        family.config("mistral", tie_word_embeddings=False, rope_theta=50_000.0),
        lambda: family.byte_level("llama-bpe"),
    ),
    "biased": (family.config("qwen2"), lambda: family.byte_level("qwen2")),
    "fallback": (family.config(), family.with_fallback),
}
TEXTS = [
    "<|im_start|>user\nread README.md<|im_end|>\n<|im_start|>assistant\n",
    "I'll  wait 12345 days,\n\n naïve café 漢字 🙂",
    "def main():\n    print('x')  \n",
]


def asked_of_engine(model, prompts, adapter=None):
    with tempfile.TemporaryDirectory(prefix="hv2-") as short:
        asked = {"model": str(model), "uds": f"{short}/s.sock", "prompts": prompts}
        asked |= {"adapter": str(adapter)} if adapter else {}
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("engine_probe.py"))],
            input=json.dumps(asked) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_agree(model, words, answers, bound):
    for text, answer in zip(TEXTS, answers, strict=True):
        ids = words.encode(text)
        assert answer["tokens"] == len(ids), text
        with torch.no_grad():
            ours = model(torch.tensor([ids]))[0, -1].log_softmax(-1)
        for token, likely in answer["top"]:
            assert ours[token].item() == pytest.approx(likely, abs=bound), (text, token)
        assert int(ours.argmax()) == answer["top"][0][0]


@pytest.fixture(params=KINDS)
def made(request, tmp_path):
    about, tokenizer = KINDS[request.param]
    weights = family.write_model(tmp_path / "model", about, tokenizer(), shards=2)
    return about, weights, read_source(tmp_path / "model")


def test_logits_are_those_of_transformers(made):
    about, weights, source = made
    ids = [5, 9, 100, 33, 7, 200, 300, 9]
    with torch.no_grad():
        ours = loaded(source)(torch.tensor([ids]))[0]
    torch.testing.assert_close(ours, family.reference(about, weights, ids), atol=1e-4, rtol=1e-4)


def test_the_engine_computes_and_splits_as_we_do(made, tmp_path):
    _, _, source = made
    model, words = loaded(source), Words(source)
    path = tmp_path / "out.gguf"
    write_gguf(
        path, source, merged(model), words, read_template(source.directory, words.control), "f32"
    )
    assert read_gguf(path).architecture == source.architecture
    assert "<|im_start|>" in read_gguf(path).control_tokens
    assert_agree(model, words, asked_of_engine(path, TEXTS), 1e-3)


def test_the_engine_takes_an_adapter(made, tmp_path):
    _, _, source = made
    model, words = loaded(source), Words(source)
    template = read_template(source.directory, words.control)
    plain, beside, whole = (tmp_path / name for name in ("plain", "adapter", "merged"))
    write_gguf(plain, source, merged(model), words, template, "f32")
    adapt(model, 4, 8.0, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("lora_b"):
                weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    write_adapter(beside, source, adapters(model), 8.0)
    write_gguf(whole, source, merged(model), words, template, "f32")
    without = asked_of_engine(plain, TEXTS[:1])
    assert_agree(model, words, asked_of_engine(plain, TEXTS, beside), 1e-3)
    assert_agree(model, words, asked_of_engine(whole, TEXTS), 1e-3)
    assert without[0]["top"] != asked_of_engine(whole, TEXTS[:1])[0]["top"]


def test_it_is_written_back_as_it_came(made, tmp_path):
    _, weights, source = made
    write_source(tmp_path / "back", source, merged(loaded(source)), torch.float32)
    again = read_source(tmp_path / "back")
    assert (again.shape, again.tied, again.family) == (source.shape, source.tied, source.family)
    first, second = read_weights(source), read_weights(again)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert len(Words(again)) == len(Words(source))

    back = load_file(tmp_path / "back" / "model.safetensors")
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)


def test_adapters_learn_beside_weights_of_half_the_bytes(made):
    _, _, source = made
    model = loaded(source, torch.bfloat16)
    adapt(model, 4, 8.0, seed=1)
    tokens = torch.arange(24)[None]
    with lower_precision(torch.device("cpu"), on=True):
        loss = loss_of(model.hidden(tokens), model.head, tokens)
    loss.backward()
    learning = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert learning == {name for name, _ in model.named_parameters() if ".lora_" in name}
    whole = loaded(source)
    with torch.no_grad():
        plain = loss_of(whole.hidden(tokens), whole.head, tokens)
    assert loss.item() == pytest.approx(plain.item(), rel=0.03)


@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_0"])
def test_smaller_kinds_load(tmp_path, kind):
    family.write_model(tmp_path / "model")
    source = read_source(tmp_path / "model")
    words = Words(source)
    template = read_template(source.directory, words.control)
    path = tmp_path / "small.gguf"
    write_gguf(path, source, merged(loaded(source)), words, template, kind)
    (answer,) = asked_of_engine(path, TEXTS[:1])
    assert answer["tokens"] == len(words.encode(TEXTS[0]))
