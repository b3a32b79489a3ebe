import json

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from hermes.gateway.export import to_json, to_markdown

TALK = {
    "id": "0199a000-0000-7000-8000-000000000001",
    "title": "A talk",
    "updated": "2026-11-21T03:51:00.000Z",
    "private": False,
    "messages": [
        {"role": "user", "at": "T1", "parts": [{"type": "text", "text": "read \x1b[31ma.md"}]},
        {
            "role": "assistant",
            "at": "T2",
            "parts": [
                {"type": "text", "text": "Reading."},
                {
                    "type": "tool_call",
                    "id": "c",
                    "name": "FileRead",
                    "arguments": '{"path": "a.md"}',
                },
            ],
        },
        {
            "role": "tool",
            "at": "T3",
            "parts": [
                {"type": "tool_result", "call_id": "c", "name": "FileRead", "text": "x\n```\ny"},
                {
                    "type": "tool_result",
                    "call_id": "d",
                    "name": "Bash",
                    "text": "no",
                    "ok": False,
                    "denied": True,
                },
            ],
        },
    ],
}


def test_markdown():
    assert to_markdown(TALK) == snapshot(
        """\
# A talk

- id: 0199a000-0000-7000-8000-000000000001
- updated: 2026-11-21T03:51:00.000Z

## You · T1

read a.md

## Hermes · T2

Reading.

Calls `FileRead`:

```json
{"path": "a.md"}
```

## Tools · T3

`FileRead` (ok):

````
x
```
y
````

`Bash` (refused):

```
no
```
"""
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_keeps_every_text(text):
    talk = {"id": "x", "messages": [{"role": "user", "parts": [{"type": "text", "text": text}]}]}
    assert json.loads(to_json(talk)) == talk


@given(st.text("`\nab"))
def test_a_result_cannot_break_out_of_its_fence(text):
    part = {"type": "tool_result", "call_id": "c", "name": "T", "text": text}
    lines = to_markdown({"messages": [{"role": "tool", "at": "", "parts": [part]}]}).split("\n")
    fences = [line for line in lines if line.startswith("```")]
    assert len(fences[0]) > max(
        (len(line) for line in text.split("\n") if set(line) == {"`"}), default=0
    )
