"""A model's own chat template: conversations as the text that it was trained on, answers marked.

The template is foreign code: it runs in jinja2's sandbox, which holds it to its arguments. It
does not bound how long it runs.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hermes.core.event import Json
from hermes.errors import DataInvalid, WeightsInvalid
from hermes.models.hygiene import Hygiene
from training.chat import Message
from training.finetune.source import read_json

FILE = "chat_template.jinja"
SETTINGS = "tokenizer_config.json"
_LARGEST = 1 << 20
_LARGEST_SETTINGS = 16 << 20
_REMEDY = f"put its chat template into {FILE} beside config.json"


class Marked(NamedTuple):
    """A text and the runs of it (from, to) that the model is to learn."""

    text: str
    spans: tuple[tuple[int, int], ...]


class Template:
    """Renders conversations; `tokens` are the control tokens that foreign text must not form."""

    def __init__(self, text: str, names: Mapping[str, str], tokens: frozenset[str]) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise
        try:
            self._template = environment.from_string(text)
        except (jinja2.TemplateError, RecursionError) as error:
            raise WeightsInvalid(f"its chat template is none: {error}", _REMEDY) from error
        self.text, self.names, self._hygiene = text, dict(names), Hygiene(tokens)

    def render(
        self, messages: Sequence[Message], tools: Sequence[Json] = (), *, prompt: bool = False
    ) -> str:
        """The text of messages; with `prompt` it ends where the model goes on."""
        try:
            return self._template.render(
                messages=[self._given(message) for message in messages],
                tools=list(tools) or None,
                add_generation_prompt=prompt,
                **self.names,
            )
        except (jinja2.TemplateError, TypeError, ValueError, RecursionError) as error:
            raise DataInvalid(f"the model's chat template refuses it: {error}") from error

    def marked(self, messages: Sequence[Message], tools: Sequence[Json] = ()) -> list[Marked]:
        """The conversation with its answers marked.

        One text where the template only ever appends. Some take earlier answers' thoughts out
        again: then each answer is a text of its own.
        """
        whole = self.render(messages, tools)
        apart: list[Marked] = []
        spans: list[tuple[int, int]] = []
        for place, message in enumerate(messages):
            if message["role"] != "assistant" or not message.get("loss", True):
                continue
            asked = self.render(messages[:place], tools, prompt=True)
            answered = self.render(messages[: place + 1], tools)
            if not answered.startswith(asked):
                raise DataInvalid("the model's chat template does not go on from its own prompt")
            apart.append(Marked(answered, ((len(asked), len(answered)),)))
            if whole.startswith(answered):
                spans.append((len(asked), len(answered)))
        return [Marked(whole, tuple(spans))] if len(spans) == len(apart) else apart

    def _given(self, message: Message) -> dict[str, object]:
        """A message as templates expect it: calls nested, arguments as an object."""
        own = message["role"] == "assistant"
        clean = self._hygiene.neutralise_own if own else self._hygiene.neutralise
        given: dict[str, object] = {
            "role": message["role"],
            "content": clean(str(message.get("content") or "")),
        }
        if calls := message.get("tool_calls"):
            given["tool_calls"] = [_call(call) for call in calls]
        if "name" in message:
            given["name"] = clean(str(message["name"]))
        return given


def read_template(directory: Path, tokens: frozenset[str]) -> Template:
    """The template of a model's directory; raises WeightsInvalid."""
    settings = directory / SETTINGS
    raw = read_json(settings, _LARGEST_SETTINGS) if settings.exists() else {}
    path = directory / FILE
    try:
        if path.exists() and path.stat().st_size > _LARGEST:
            raise WeightsInvalid(f"{path} is larger than {_LARGEST >> 10} KiB")
        found: object = path.read_text("utf-8") if path.exists() else raw.get("chat_template")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsInvalid(f"{path} cannot be read: {error}") from error
    if isinstance(found, list):  # several, by name
        named = {item.get("name"): item.get("template") for item in found if isinstance(item, dict)}
        found = named.get("tool_use") or named.get("default")
    if not isinstance(found, str) or not found.strip():
        raise WeightsInvalid(f"{directory} has no chat template", _REMEDY)
    names = {key: token_text(raw.get(key)) for key in ("bos_token", "eos_token", "pad_token")}
    return Template(found, names, tokens)


def token_text(given: object) -> str:
    """A token in tokenizer_config.json: text, or an object that holds it."""
    content = given.get("content") if isinstance(given, dict) else given
    return content if isinstance(content, str) else ""


def _call(call: Mapping[str, object]) -> dict[str, object]:
    inner = call.get("function", call)
    if not isinstance(inner, Mapping):
        raise DataInvalid("a call names no tool")
    given = inner.get("arguments", {})
    try:
        arguments = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise DataInvalid(f"a call's arguments are no JSON: {error}") from error
    return {"type": "function", "function": {"name": inner.get("name"), "arguments": arguments}}


def _to_json(value: object, indent: int | None = None, **_: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
