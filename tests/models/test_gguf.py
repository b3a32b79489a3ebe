"""GGUF headers: what is read, and how wrong files are named."""

import hashlib
import os
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.errors import ModelFileInvalid
from hermes.models.gguf import GgufInfo, read_gguf, shipped_model
from tests.models.gguf_bytes import gguf, text

PLAIN = {"general.architecture": "llama", "general.name": "tiny", "llama.context_length": 512}
FLOAT32 = 0
Q8_0 = 8


def _write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    return path


def _why(tmp_path: Path, data: bytes) -> str:
    path = _write(tmp_path, data)
    with pytest.raises(ModelFileInvalid) as caught:
        read_gguf(path)
    assert str(path) in caught.value.message
    assert caught.value.remedy
    return caught.value.message


def test_the_shipped_model_says_what_it_is():
    info = read_gguf(shipped_model())
    assert (info.architecture, info.name, info.profile) == ("llama", "ember", "native")
    assert (info.context_length, info.parameters) == (2_048, 6_426_880)
    assert info.size == shipped_model().stat().st_size
    assert "<|im_start|>" in info.chat_template
    assert {"<|im_start|>", "<|im_end|>"} <= info.control_tokens
    assert any("<tool_call>" in token for token in info.control_tokens)


def test_the_shipped_model_is_the_one_of_the_card():
    digest = hashlib.sha256(shipped_model().read_bytes()).hexdigest()
    assert digest in shipped_model().with_name("MODEL_CARD.md").read_text()


def test_control_tokens_are_those_of_the_two_types(tmp_path):
    keys = PLAIN | {
        "tokenizer.ggml.token_type": [1, 3, 4, 6, 2, 3],
        "tokenizer.ggml.tokens": ["a", "<s>", "<tool>", "<0x00>", "<unk>", ""],
    }
    info = read_gguf(_write(tmp_path, gguf(keys)))
    assert info.control_tokens == {"<s>", "<tool>"}


def test_absent_keys_leave_plain_values(tmp_path):
    info = read_gguf(_write(tmp_path, gguf({"general.architecture": "llama"})))
    assert info == GgufInfo(
        path=info.path,
        size=info.size,
        architecture="llama",
        name="m",
        context_length=0,
        parameters=0,
        chat_template="",
        control_tokens=frozenset(),
        profile="",
    )


@pytest.mark.parametrize("value", ["native", "lean", "full", "other", 7, ["native"]])
def test_only_a_known_profile_counts(tmp_path, value):
    info = read_gguf(_write(tmp_path, gguf(PLAIN | {"hermes.profile": value})))
    assert info.profile == (value if value in ("native", "lean", "full") else "")


def test_keys_of_another_kind_than_expected_are_passed_over(tmp_path):
    odd = {
        "llama.context_length": "long",
        "tokenizer.chat_template": 5,
        "tokenizer.ggml.tokens": [1, 2],
        "tokenizer.ggml.token_type": ["x"],
        "nested": struct.pack("<IIQIQ", 9, 9, 1, 4, 2) + bytes(8),
    }
    info = read_gguf(_write(tmp_path, gguf(PLAIN | odd)))
    assert (info.context_length, info.chat_template, info.control_tokens) == (0, "", frozenset())


def test_a_large_vocabulary_is_read_past_the_first_piece(tmp_path):
    tokens = [f"token-{number:06}" for number in range(150_000)]
    kinds = [3 if number == 149_999 else 1 for number in range(150_000)]
    keys = PLAIN | {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": kinds}
    data = gguf(keys)
    assert len(data) > 1 << 20
    assert read_gguf(_write(tmp_path, data)).control_tokens == {"token-149999"}


def test_tensors_are_counted_and_must_lie_in_the_file(tmp_path):
    tensors = [("a", (64, 4), Q8_0, 0), ("b", (10,), FLOAT32, 288)]
    fits = 4 * 64 // 32 * 34 + 16 + 40
    assert read_gguf(_write(tmp_path, gguf(PLAIN, tensors, fits))).parameters == 266
    assert "it is cut" in _why(tmp_path, gguf(PLAIN, tensors, fits - 1))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too few"),
        (b"GGUF", "too few"),
        (b"PK\x03\x04" + bytes(60), "no GGUF"),
        (gguf(PLAIN, version=1), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "version 50331648"),
        (gguf({}), "names no architecture"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1), "do not fit"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 63), "do not fit"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62) + bytes(64), "exceeds the file"),
        (gguf(PLAIN | {"k": struct.pack("<I", 99)}), "unknown value type 99"),
        (gguf(PLAIN | {"k": struct.pack("<IIQ", 9, 8, 1 << 40)}), "exceeds the file"),
        (gguf(PLAIN | {"k": struct.pack("<IIQ", 9, 4, 1 << 40)}), "exceeds the file"),
        (gguf(PLAIN | {"k": struct.pack("<IIQ", 9, 9, 1 << 40)}), "exceeds the file"),
        (gguf(PLAIN | {"k": struct.pack("<IIQQ", 9, 8, 1, 1 << 63) + bytes(64)}), "exceeds"),
        (gguf(PLAIN | {"k": struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 20}), "nested"),
        (gguf(PLAIN | {"general.alignment": 0}), "alignment"),
        (gguf(PLAIN, [("t", (1,) * 9, 0, 0)]), "9 dimensions"),
        (gguf(PLAIN, [("t", (1 << 40, 1 << 40), 0, 0)]), "it is cut"),
        (gguf(PLAIN, [("t", (1,), 99, 1 << 63)]), "it is cut"),
        (gguf({"k": 5, **PLAIN})[:-70], "ends inside its header"),
    ],
)
def test_a_wrong_file_is_named_with_the_reason(tmp_path, data, why):
    assert why in _why(tmp_path, data)


def test_a_cut_download_is_noticed_at_every_length(tmp_path):
    whole = shipped_model().read_bytes()
    for length in (100, 10_000, len(whole) // 2, len(whole) - 1):
        _why(tmp_path, whole[:length])


def test_what_is_no_file_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none.gguf", tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ModelFileInvalid, match=str(path)):
            read_gguf(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.data())
def test_damaged_bytes_are_read_or_refused(tmp_path, data):
    keys = PLAIN | {
        "tokenizer.ggml.tokens": ["a", "<s>"],
        "tokenizer.ggml.token_type": [1, 3],
        "k": struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ", 8, 1) + text("x"),
    }
    raw = bytearray(gguf(keys, [("t", (32,), Q8_0, 0)], 34))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    path = _write(tmp_path, bytes(raw))
    try:
        info = read_gguf(path)
    except ModelFileInvalid:
        return
    assert info.size == len(raw)
