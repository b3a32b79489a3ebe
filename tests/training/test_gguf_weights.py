import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
gguf = pytest.importorskip("gguf")
from hermes.errors import Usage, WeightsInvalid  # noqa: E402
from hermes.models.gguf import read_gguf  # noqa: E402
from tests.training import small_model as small  # noqa: E402
from training.chat import TEMPLATE  # noqa: E402
from training.export import export  # noqa: E402
from training.gguf_weights import load_gguf, vocabulary  # noqa: E402
from training.model import Model  # noqa: E402
from training.tokenizer_build import build  # noqa: E402

torch.set_num_threads(1)
TOKENIZER = small.tokenizer()
BOUNDS = {"f32": 0.0, "f16": 5e-4, "q8_0": 5e-3, "q4_0": 0.126}
"""Largest change of a weight by storing it, as a part of the largest weight of its tensor."""


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    model = small.model(len(TOKENIZER))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return model


@pytest.fixture
def written(model, tmp_path):
    path = tmp_path / "model.gguf"
    export(model, TOKENIZER, path, kind="f16", name="pebble")
    return path


@pytest.mark.parametrize("kind", BOUNDS)
def test_weights_come_back(model, tmp_path, kind):
    path = tmp_path / "model.gguf"
    export(model, TOKENIZER, path, kind=kind)
    back = load_gguf(path, TOKENIZER)
    assert back.shape == model.shape
    for name, weight in model.state_dict().items():
        away = (back.state_dict()[name] - weight).abs().max() / weight.abs().max()
        assert away <= BOUNDS[kind], name


def test_q4_0_keeps_the_embedding_in_eight_bits(model, tmp_path):
    path = tmp_path / "model.gguf"
    export(model, TOKENIZER, path, kind="q4_0")
    kinds = {one.name: one.tensor_type.name for one in gguf.GGUFReader(path).tensors}
    assert kinds["token_embd.weight"] == "Q8_0"
    assert kinds["blk.1.ffn_down.weight"] == "Q4_0"
    assert kinds["output_norm.weight"] == "F32"


def test_the_runtime_reads_what_it_must_know(written, model):
    info = read_gguf(written)
    assert (info.architecture, info.name, info.profile) == ("llama", "pebble", "native")
    assert info.chat_template == TEMPLATE
    assert info.context_length == 512
    assert info.parameters == model.shape.parameters()
    assert {"<|im_start|>", "<|im_end|>"} <= info.control_tokens


def test_the_vocabulary_comes_back(written):
    assert vocabulary(written).digest == TOKENIZER.digest


def test_another_vocabulary_is_refused(written, model, tmp_path):
    with pytest.raises(WeightsInvalid, match=r"model\.gguf.*differ from token"):
        load_gguf(written, build(["quite other words"], 700))
    with pytest.raises(WeightsInvalid, match="for a model of 700"):
        export(model, build(["quite other words"], 650), tmp_path / "x.gguf")


def test_an_unknown_kind_is_refused(model, tmp_path):
    with pytest.raises(Usage, match="q9"):
        export(model, TOKENIZER, tmp_path / "x.gguf", kind="q9")


def test_widths_that_do_not_quantise_leave_no_file(tmp_path):
    narrow = Model(small.shape(len(TOKENIZER)).__class__(len(TOKENIZER), 24, 1, 2, 1, 40))
    with pytest.raises(WeightsInvalid, match="rows of 24"):
        export(narrow, TOKENIZER, tmp_path / "x.gguf", kind="q4_0")
    assert list(tmp_path.iterdir()) == []


def _cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def _cut_in_header(path):
    path.write_bytes(path.read_bytes()[:200])


def _empty(path):
    path.write_bytes(b"")


def _no_gguf(path):
    path.write_bytes(b"PK\3\4" * 1000)


def _missing(path):
    path.unlink()


def _folder(path):
    path.unlink()
    path.mkdir()


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


def _huge(path):
    with path.open("r+b") as file:
        file.truncate(20 << 30)  # sparse


def _changed(old, new):
    def change(path):
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, 1))

    return change


def _number(key, value):
    def change(path):
        data = bytearray(path.read_bytes())
        at = data.index(key.encode()) + len(key) + 4  # after the key: its type, then the value
        data[at : at + 4] = value.to_bytes(4, "little")
        path.write_bytes(data)

    return change


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(_cut, id="cut"),
        pytest.param(_cut_in_header, id="cut in its header"),
        pytest.param(_empty, id="empty"),
        pytest.param(_no_gguf, id="no gguf"),
        pytest.param(_missing, id="missing"),
        pytest.param(_folder, id="folder"),
        pytest.param(_pipe, id="pipe"),
        pytest.param(_huge, id="huge"),
        pytest.param(_changed(b"\5\0\0\0\0\0\0\0llama", b"\5\0\0\0\0\0\0\0gemma"), id="other"),
        pytest.param(_changed(b"blk.1.ffn_up.weight", b"blk.1.ffn_xx.weight"), id="tensor"),
        pytest.param(_number("llama.embedding_length", 128), id="width"),
        pytest.param(_number("llama.embedding_length", 0), id="no width"),
        pytest.param(_number("llama.block_count", 2_000_000_000), id="depth"),
        pytest.param(_number("llama.feed_forward_length", 2_000_000_000), id="feed forward"),
        pytest.param(_number("llama.attention.head_count", 7), id="heads"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_by_name(written, harm):
    harm(written)
    with pytest.raises(WeightsInvalid, match=r"model\.gguf"):
        load_gguf(written)


def test_weights_that_are_no_numbers_are_refused(model, tmp_path):
    path = tmp_path / "model.gguf"
    spoilt = small.model(len(TOKENIZER))
    spoilt.load_state_dict(model.state_dict())
    with torch.no_grad():
        spoilt.blk[0].attn_q.weight[0, 0] = float("nan")
    export(spoilt, TOKENIZER, path, kind="f32")
    with pytest.raises(WeightsInvalid, match=r"blk\.0\.attn_q\.weight"):
        load_gguf(path)


def test_a_full_disk_leaves_what_was_there(model, tmp_path):
    path = tmp_path / "model.gguf"
    export(model, TOKENIZER, path, kind="q8_0")
    before = path.read_bytes()
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from training.export import export; from training.gguf_weights import *\n"
        "path = Path(sys.argv[1]); model = load_gguf(path); words = vocabulary(path)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "try: export(model, words, path, kind='f32')\n"
        "except HermesError as error: print(error)\n"
    )
    code = "from hermes.errors import HermesError\n" + code
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert "cannot be written" in done.stdout
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["model.gguf"]
