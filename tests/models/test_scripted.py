import anyio
import anyio.to_thread
import pytest

from hermes.core.model import ChatMessage, ModelRequest, Piece, Reply
from hermes.errors import ModelRefused, ScriptExhausted, Usage
from hermes.models.scripted import Line, ScriptedModel

ASK = ModelRequest("", (ChatMessage("user", "hello there"),))


async def play(model: ScriptedModel) -> tuple[list[str], Reply]:
    pieces, replies = [], []
    async with model.stream(ASK) as answer:
        async for item in answer:
            if isinstance(item, Piece):
                pieces.append(item.text)
            else:
                replies.append(item)
    (reply,) = replies
    return pieces, reply


async def test_plays_lines_in_order_in_words(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(
        '{"text": "two  words\\n"}\n\n'
        '{"tool_calls": [{"name": "Bash", "arguments": {"command":  "ls"}},'
        ' {"name": "Grep", "arguments": "{broken"}, {"name": "Jobs"}]}\n'
    )
    model = await anyio.to_thread.run_sync(ScriptedModel.read, path)
    pieces, reply = await play(model)
    assert pieces == ["two  ", "words\n"]
    assert reply.text == "two  words\n"
    assert reply.finish == "stop"
    _, reply = await play(model)
    assert [(c.name, c.arguments) for c in reply.calls] == [
        ("Bash", '{"command":  "ls"}'),
        ("Grep", "{broken"),
        ("Jobs", "{}"),
    ]
    assert len({c.id for c in reply.calls}) == 3
    assert reply.finish == "tool_calls"
    with pytest.raises(ScriptExhausted, match="only 2 replies"):
        await play(model)


async def test_skips_what_was_played_and_keeps_its_place(tmp_path):
    model = ScriptedModel([Line(text="a"), Line(text="b"), Line(text="c")])
    model.skip(1)
    assert (await play(model))[1].text == "b"
    other = model.sized(4096, "lean")
    assert (other.window, other.profile) == (4096, "lean")
    assert (await play(other))[1].text == "c"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2"),
        ('{"txt": "a"}', "txt"),
        ('{"text": 3}', "line 2"),
        ('{"tool_calls": [{"arguments": {}}]}', "name"),
        ('{"tool_calls": [{"name": "A", "arguments": "\\ud800"}]}', "line 2"),
        ("[1]", "line 2"),
        ("[" * 100_000, "line 2"),
    ],
)
def test_a_malformed_line_names_file_and_number(tmp_path, line, says):
    path = tmp_path / "s.jsonl"
    path.write_text('{"text": "ok"}\n' + line)
    with pytest.raises(Usage) as caught:
        ScriptedModel.read(path)
    assert says in caught.value.message
    assert str(path) in caught.value.message


def test_a_missing_or_binary_script_is_a_usage_error(tmp_path):
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    for name in ("none", "b"):
        with pytest.raises(Usage, match="cannot read"):
            ScriptedModel.read(tmp_path / name)


async def test_error_line_and_delay_are_honoured():
    model = ScriptedModel([Line(error="no"), Line(text="late", delay_s=3600)])
    with pytest.raises(ModelRefused, match="no"):
        await play(model)
    with anyio.move_on_after(0.01) as scope:
        await play(model)
    assert scope.cancelled_caught
    with pytest.raises(ScriptExhausted):  # a cancelled line was played
        await play(model)


async def test_counts_roughly():
    assert 5 <= await ScriptedModel([]).count(ASK) <= 20
