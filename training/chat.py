"""The chat format: how a conversation becomes the text that Ember is trained on and served with.

ChatML with Hermes-style calls. `TEMPLATE` goes into the GGUF; llama.cpp renders with it exactly
what `parts` gives here. Apart because training, serving and evaluation must agree to the byte.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Message = Mapping[str, Any]
"""One message in OpenAI's form: `role`, `content`, and `tool_calls` with name and arguments."""

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"

TEMPLATE = """{%- for m in messages -%}
{%- if m.role == 'tool' -%}
{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' -}}
{%- elif m.role == 'assistant' and m.tool_calls -%}
{{- '<|im_start|>assistant\\n' -}}
{%- for c in m.tool_calls -%}
{%- set f = c.function if c.function else c -%}
{{- ('' if loop.first else '\\n') + '<tool_call>\\n{"name": "' + f.name + '", "arguments": ' -}}
{{- f.arguments if f.arguments is string else f.arguments | tojson -}}
{{- '}\\n</tool_call>' -}}
{%- endfor -%}
{{- '<|im_end|>\\n' -}}
{%- else -%}
{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""


class Part(NamedTuple):
    """A run of text: whether it carries loss, and whether its control tokens are ours.

    In a part that isn't `fixed`, a typed `<|im_end|>` is text, as it is in the runtime.
    """

    text: str
    loss: bool
    fixed: bool


def arguments_text(arguments: Mapping[str, Any] | str) -> str:
    """A call's arguments as llama.cpp's `tojson` writes them: `", "` and `": "`, no escapes."""
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    return json.dumps(arguments, ensure_ascii=False)


def call_text(call: Mapping[str, Any]) -> str:
    """One call as the assistant writes it; takes `{"name", "arguments"}` or OpenAI's nesting."""
    inner = call.get("function", call)
    arguments = arguments_text(inner["arguments"])
    return f'<tool_call>\n{{"name": "{inner["name"]}", "arguments": {arguments}}}\n</tool_call>'


def assistant_text(message: Message) -> str:
    """What the model generates for this message, without the end token."""
    calls = message.get("tool_calls")
    if calls:
        return "\n".join(call_text(call) for call in calls)
    return str(message.get("content") or "")


def parts(messages: Iterable[Message]) -> list[Part]:
    """Cut a conversation into runs of text, in order; loss lies on what the assistant writes."""
    found: list[Part] = []
    for message in messages:
        role = message["role"]
        if role == "assistant":
            found += (
                Part(f"{START}assistant\n", loss=False, fixed=True),
                Part(assistant_text(message), loss=bool(message.get("loss", True)), fixed=False),
                Part(END, loss=bool(message.get("loss", True)), fixed=True),
                Part("\n", loss=False, fixed=True),
            )
            continue
        before, after = f"{START}{role}\n", f"{END}\n"
        if role == "tool":
            before = f"{START}user\n<tool_response>\n"
            after = f"\n</tool_response>{END}\n"
        found += (
            Part(before, loss=False, fixed=True),
            Part(str(message.get("content") or ""), loss=False, fixed=False),
            Part(after, loss=False, fixed=True),
        )
    return found


def pieces(messages: Iterable[Message]) -> list[tuple[str, bool]]:
    """The text of a conversation, piece by piece, and whether each carries loss."""
    return [(part.text, part.loss) for part in parts(messages)]


def prompt(messages: Sequence[Message]) -> str:
    """The text that asks for the next answer."""
    return "".join(part.text for part in parts(messages)) + f"{START}assistant\n"
