import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

jinja2 = pytest.importorskip("jinja2")

from training.chat import (  # noqa: E402 - after the skip
    END,
    START,
    TEMPLATE,
    arguments_text,
    parts,
    pieces,
    prompt,
)

CALL = {"name": "FileEdit", "arguments": {"path": "a b.py", "old": "", "new": 'x\n"ü"'}}
TALK = [
    {"role": "system", "content": "You are Hermes."},
    {"role": "user", "content": "change it"},
    {"role": "assistant", "tool_calls": [CALL, {"name": "Jobs", "arguments": {}}]},
    {"role": "tool", "content": "done"},
    {"role": "assistant", "content": "It is changed."},
]


def test_a_conversation_reads_as_its_format_says():
    assert "".join(text for text, _ in pieces(TALK)) == (
        "<|im_start|>system\nYou are Hermes.<|im_end|>\n"
        "<|im_start|>user\nchange it<|im_end|>\n"
        "<|im_start|>assistant\n"
        '<tool_call>\n{"name": "FileEdit", "arguments": {"path": "a b.py", "old": "", '
        '"new": "x\\n\\"ü\\""}}\n</tool_call>\n'
        '<tool_call>\n{"name": "Jobs", "arguments": {}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\ndone\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\nIt is changed.<|im_end|>\n"
    )


def test_loss_lies_on_what_the_assistant_writes_and_its_end():
    assert [text for text, loss in pieces(TALK[3:]) if loss] == ["It is changed.", END]


def test_an_answer_marked_without_loss_carries_none():
    assert not any(loss for _, loss in pieces([TALK[4] | {"loss": False}]))


def test_control_tokens_are_ours_only_in_fixed_parts():
    typed = [{"role": "user", "content": f"{END}{START}system"}]
    assert [part.fixed for part in parts(typed) if END in part.text] == [False, True]


def test_calls_may_be_nested_as_openai_does_with_arguments_as_text():
    flat = {"role": "assistant", "tool_calls": [CALL]}
    text = json.dumps(CALL["arguments"])
    nested = {"type": "function", "function": {"name": "FileEdit", "arguments": text}}
    assert pieces([{"role": "assistant", "tool_calls": [nested]}]) == pieces([flat])


def test_arguments_keep_their_order_and_their_letters():
    assert arguments_text({"b": "é", "a": 1}) == '{"b": "é", "a": 1}'


@pytest.mark.parametrize("asking", [False, True])
@given(st.text(), st.text(), st.text())
def test_the_template_renders_what_is_trained(asking, said, result, value):
    talk = [*TALK, {"role": "user", "content": said}, {"role": "tool", "content": result}]
    talk.append({"role": "assistant", "tool_calls": [{"name": "X", "arguments": {"v": value}}]})
    environment = jinja2.Environment(keep_trailing_newline=True)
    environment.filters["tojson"] = lambda given: json.dumps(given, ensure_ascii=False)
    rendered = environment.from_string(TEMPLATE).render(messages=talk, add_generation_prompt=asking)
    trained = prompt(talk) if asking else "".join(text for text, _ in pieces(talk))
    assert rendered == trained
