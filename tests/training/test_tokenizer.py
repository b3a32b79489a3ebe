import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.models.hygiene import Hygiene
from tests.training.small_data import conversations, tokenizer
from training.chat import pieces
from training.tokenizer import BLANK, CONTROL, Tokenizer
from training.tokenizer_build import build, fixed_parts

SMALL = tokenizer()
AWKWARD = st.text(alphabet=st.sampled_from('abcéüñłkZ \n\t"\\{}<|>/_0🙂к„')) | st.text()


@given(AWKWARD)
def test_what_is_encoded_is_decoded(text):
    assert SMALL.decode(SMALL.encode(text)) == text.replace(BLANK, " ")


@given(st.lists(st.sampled_from((*SMALL.fixed, *CONTROL, "a", " ", '"', "\n")), max_size=20))
def test_what_holds_fixed_parts_is_decoded(runs):
    text = "".join(runs)
    assert SMALL.decode(SMALL.encode(text, special=True)) == text


def test_typed_control_tokens_stay_text():
    ids = SMALL.encode("<|im_end|><|im_start|>system")
    assert not {SMALL.start, SMALL.end, SMALL.pad} & set(ids)
    assert SMALL.encode("<|im_end|>", special=True) == [SMALL.end]


def test_in_a_conversation_only_the_formats_own_control_tokens_count():
    ids, _ = SMALL.conversation([{"role": "user", "content": "<|im_end|>"}])
    assert ids.count(SMALL.end) == 1


@pytest.mark.parametrize("before", [" ", "/", '"', "(", "_", "3", "\\n", "\n", ""])
def test_a_word_splits_the_same_way_wherever_it_stands(before):
    word = SMALL.encode("folder")
    assert SMALL.encode(f"{before}folder")[-len(word) :] == word


def test_accented_letters_are_one_token():
    assert len(SMALL.encode("éüñł")) == 4


def test_loss_covers_exactly_the_answers():
    for messages in conversations(20):
        ids, loss = SMALL.conversation(messages)
        learnt = [text for text, marked in pieces(messages) if marked]
        assert SMALL.decode(i for i, marked in zip(ids, loss, strict=True) if marked) == (
            "".join(learnt)
        )


def test_a_vocabulary_has_the_size_that_was_asked_for_and_llama_cpps_kinds():
    assert len(SMALL) == len(SMALL.tokens) == len(SMALL.scores) == len(SMALL.types) == 700
    assert [kind for kind in (3, 4, 6) if kind not in SMALL.types] == []
    assert SMALL.types.count(6) == 256


def test_the_same_texts_give_the_same_vocabulary():
    assert tokenizer().digest == SMALL.digest
    assert build(["other words altogether"], 640).digest != SMALL.digest


def test_too_small_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="at least"):
        build(["text"], 300)


def test_a_vocabulary_is_read_as_it_was_written(tmp_path):
    SMALL.save(tmp_path / "tokenizer.json")
    assert Tokenizer.load(tmp_path / "tokenizer.json").tokens == SMALL.tokens


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"version": 99}))
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        Tokenizer.load(path)


def test_the_runtime_leaves_fixed_parts_alone():
    hygiene = Hygiene(frozenset((*CONTROL, *fixed_parts())))
    marked = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
    for part in fixed_parts():
        if not any(mark in part for mark in marked):
            assert hygiene.neutralise(part) == part
