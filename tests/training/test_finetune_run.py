import json

import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load_file  # noqa: E402 - after the skip

from hermes.errors import DataInvalid, Usage  # noqa: E402
from tests.training import family_model as family  # noqa: E402
from tests.training.test_finetune_models import asked_of_engine  # noqa: E402
from training.finetune.run import Order, finetune  # noqa: E402

torch.set_num_threads(1)
CALL = {"name": "FileRead", "arguments": {"path": "README.md"}}


def conversation(number, answer="the cat sat"):
    return {
        "messages": [
            {"role": "user", "content": f"say it for the {number}th time"},
            {"role": "assistant", "content": answer},
        ]
    }


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def order(tmp_path):
    family.write_model(tmp_path / "model", tokenizer=family.byte_level("llama-bpe"))
    lines = [conversation(number) for number in range(40)]
    lines.append(
        {
            "messages": [
                {"role": "user", "content": "read"},
                {"role": "assistant", "tool_calls": [CALL]},
            ]
        }
    )
    data = write_lines(tmp_path / "data.jsonl", lines)
    return Order(
        tmp_path / "model",
        (data,),
        tmp_path / "out",
        tokens=6_000,
        batch=600,
        length=64,
        bf16=False,
        rate=3e-3,
    )


def changed(order, **changes):
    return type(order)(**{**order.__dict__, **changes})


def said(path, prompt):
    return asked_of_engine(path, [prompt])[0]["top"][0][0]


PROMPT = "<|im_start|>user\nsay it for the 3th time<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("rank", [0, 8])
def test_it_learns_and_the_engine_shows_it(order, rank):
    tuned = finetune(changed(order, lora=rank, rate=3e-3 if not rank else 1e-2))
    assert tuned.finished
    assert tuned.after < tuned.before / 2
    assert (tuned.trained < tuned.parameters) == bool(rank)
    assert json.loads((order.out / "report.json").read_text())["after"] == tuned.after
    ids = family.Tokenizer.from_file(str(order.source / "tokenizer.json")).encode("the").ids
    assert said(order.out / "model.gguf", PROMPT) == ids[0]
    assert (order.out / "adapter.gguf").exists() == bool(rank)


def test_adapters_are_what_peft_loads(order):
    finetune(changed(order, lora=4, tokens=1_200))
    tensors = load_file(order.out / "peft" / "adapter_model.safetensors")
    about = json.loads((order.out / "peft" / "adapter_config.json").read_text())
    assert (about["peft_type"], about["r"], about["lora_alpha"]) == ("LORA", 4, 8.0)
    base = load_file(order.source / "model.safetensors")
    merged = load_file(order.out / "hf" / "model.safetensors")
    for name in ("self_attn.q_proj", "mlp.down_proj"):
        full = f"base_model.model.model.layers.1.{name}"
        a, b = tensors[f"{full}.lora_A.weight"], tensors[f"{full}.lora_B.weight"]
        key = f"model.layers.1.{name}.weight"
        assert b.abs().max() > 0
        torch.testing.assert_close(base[key] + 2 * (b @ a), merged[key], atol=1e-5, rtol=1e-5)
    assert torch.equal(base["model.norm.weight"], merged["model.norm.weight"])


def test_a_run_that_was_stopped_goes_on(order):
    trainers = []

    def stop_soon(trainer):
        trainers.append(trainer)
        trainer.stop = len(trainers) == 1

    first = finetune(order, stop_soon)
    assert (first.finished, first.steps) == (False, 0)
    second = finetune(changed(order, resume=True), stop_soon)
    assert (second.finished, second.steps) == (True, 10)


def test_the_same_seed_gives_the_same_weights(order, tmp_path):
    for place in ("a", "b"):
        finetune(changed(order, lora=2, tokens=1_200, out=tmp_path / place))
    first, second = (load_file(tmp_path / p / "hf" / "model.safetensors") for p in ("a", "b"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_set_of_its_own_is_only_measured(order, tmp_path):
    other = [conversation(n, "no dog ran") for n in range(3)]
    held = write_lines(tmp_path / "held.jsonl", other)
    tuned = finetune(changed(order, held_out=(held,)))
    assert tuned.after > 1  # it learnt to say something else
    assert tuned.after != pytest.approx(tuned.before)


def test_a_tokenizer_without_a_name_gives_no_gguf_but_the_rest(order):
    path = order.source / "tokenizer.json"
    raw = json.loads(path.read_text())
    raw["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] += r"|\d{2}"
    path.write_text(json.dumps(raw))
    tuned = finetune(changed(order, tokens=600))
    assert "tokenizer.json cannot be written as GGUF" in tuned.unwritten
    assert not (order.out / "model.gguf").exists()
    assert (order.out / "hf" / "config.json").exists()


def test_what_is_too_long_is_counted_or_refused(order):
    long = conversation(0, "cat " * 200)
    data = write_lines(order.data[0], [conversation(1), long])
    assert finetune(changed(order, tokens=600)).left_out == 1
    write_lines(data, [long])
    with pytest.raises(DataInvalid, match=r"data\.jsonl fits into 64 tokens"):
        finetune(changed(order, out=order.out / "other"))


def test_a_rank_beyond_the_model_is_refused(order):
    with pytest.raises(Usage, match="a rank of 4096 is not between 1 and 32"):
        finetune(changed(order, lora=4096))
    assert not order.out.exists()
