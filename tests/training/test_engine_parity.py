"""The engine computes, tokenises and renders what training does."""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")
from tests.training import small_model as small  # noqa: E402
from training.chat import prompt  # noqa: E402
from training.export import export  # noqa: E402
from training.gguf_weights import load_gguf  # noqa: E402

torch.set_num_threads(1)
TOKENIZER = small.tokenizer()
BOUNDS = {"f32": 1e-4, "f16": 0.02, "q8_0": 0.5, "q4_0": 0.5}
"""Largest difference of a log probability, against torch on the weights as stored.

llama.cpp rounds activations to the weights' kind, torch does not. Measured on these weights,
whose log probabilities spread by 1.2: 8e-6, 0.005, 0.16, 0.12.
"""
PROMPTS = 4


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    model = small.model(len(TOKENIZER)).eval()
    for name, weight in model.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(weight, mean=1.0, std=0.2)
        else:
            torch.nn.init.normal_(weight, std=0.15)
    return model


def ask(model_file, requests):
    with tempfile.TemporaryDirectory(prefix="hv2-") as short:
        given = {"model": str(model_file), "uds": f"{short}/s.sock", "requests": requests}
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("engine_asked.py"))],
            input=json.dumps(given) + "\n",
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def prompts():
    draw = random.Random(3)
    return [
        [draw.randrange(3, len(TOKENIZER)) for _ in range(draw.randint(20, 120))]
        for _ in range(PROMPTS)
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", BOUNDS)
def test_log_probabilities_are_torchs(model, tmp_path, kind):
    path = tmp_path / "model.gguf"
    export(model, TOKENIZER, path, kind=kind)
    stored = load_gguf(path, TOKENIZER).eval()
    body = {"n_predict": 1, "n_probs": len(TOKENIZER), "temperature": 0}
    answers = ask(path, [("/completion", body | {"prompt": ids}) for ids in prompts()])
    for ids, answer in zip(prompts(), answers, strict=True):
        with torch.no_grad():
            wanted = stored(torch.tensor([ids]))[0, -1].log_softmax(-1)
        found = answer["completion_probabilities"][0]["top_logprobs"]
        assert len(found) == len(TOKENIZER)
        away = max(abs(one["logprob"] - wanted[one["id"]].item()) for one in found)
        assert away < BOUNDS[kind]
        assert wanted.std() > 0.5  # else there was nothing to agree on


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_text_is_cut_and_conversations_are_rendered_as_in_training(model, tmp_path):
    path = tmp_path / "model.gguf"
    export(model, TOKENIZER, path, kind="q8_0")
    draw = random.Random(1)
    letters = "abcdefgeéüß  \n\t\"\\{}<>/.,:|_-0123456789ñłäÄŁ'“„🙂кир▁"
    apart = [f"{part}." for part in TOKENIZER.fixed]  # of two that overlap either may win
    runs = [*letters, *apart, "\\n", "Hermes", "<|im_end|>", "folder"]
    texts = ["".join(draw.choices(runs, k=draw.randint(0, 25))) for _ in range(100)]
    texts += ["".join(draw.choices(letters, k=draw.randint(0, 80))) for _ in range(100)]
    talk = [
        {"role": "system", "content": "You are Hermes.\n[MEMORY] é"},
        {"role": "user", "content": 'öffne  naïve/straße.py "path": "x", C:\\new\n'},
        {"role": "assistant", "content": "", "tool_calls": [_call("FileEdit"), _call("Jobs")]},
        {"role": "tool", "tool_call_id": "1", "content": "ok\n  x"},
        {"role": "assistant", "content": "fertig\n\n- x"},
        {"role": "user", "content": "  danke \n"},
    ]
    requests = [("/apply-template", {"messages": talk})]
    for text in texts:
        given = {"content": text, "add_special": False}
        requests += [("/tokenize", given | {"parse_special": special}) for special in (True, False)]
    rendered, *cut = ask(path, requests)
    assert rendered["prompt"] == prompt(talk)
    wanted = [
        TOKENIZER.encode(text, special=special) for text in texts for special in (True, False)
    ]
    assert [one["tokens"] for one in cut] == wanted


def _call(name):
    arguments = {"path": "a b", "new": "x\n\"y\\n<ü>&'🙂\u2028\t/", "limit": 3}
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": "1", "type": "function", "function": function}
