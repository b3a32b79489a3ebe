"""A stored conversation as Markdown or JSON text: pure, from what `conversations.show` answers."""

import json

from hermes.core.event import Json
from hermes.gateway.render_text import clean

_WHO = {"user": "You", "assistant": "Hermes", "tool": "Tools", "system": "System"}


def to_json(conversation: Json) -> str:
    """The whole conversation, importable again; the bytes of every text unchanged."""
    return json.dumps(conversation, ensure_ascii=False, indent=2) + "\n"


def to_markdown(conversation: Json) -> str:
    """The conversation to read: a heading per message, calls and results in fences."""
    head = [f"# {clean(str(conversation.get('title') or 'Conversation'))}", ""]
    facts = [
        f"- {name}: {clean(str(conversation[name]))}"
        for name in ("id", "created", "updated", "model", "private")
        if conversation.get(name)
    ]
    if len(conversation.get("heads", [])) > 1:
        facts.append("- continued on several machines at once: the next message joins the parts")
    body = [_message(message) for message in conversation.get("messages", [])]
    return "\n".join([*head, *facts, "", *body]).rstrip() + "\n"


def _message(message: Json) -> str:
    role = str(message.get("role", ""))
    who = _WHO.get(role, clean(role))
    parts = "\n\n".join(_part(part) for part in message.get("parts", []))
    return f"## {who} · {clean(str(message.get('at', '')))}\n\n{parts}\n"


def _part(part: Json) -> str:
    match part.get("type"):
        case "tool_call":
            return (
                f"Calls `{clean(str(part['name']))}`:\n\n{_fenced(str(part['arguments']), 'json')}"
            )
        case "tool_result":
            state = "refused" if part.get("denied") else "ok" if part.get("ok", True) else "failed"
            return f"`{clean(str(part['name']))}` ({state}):\n\n{_fenced(str(part['text']))}"
        case _:
            return clean(str(part.get("text", "")))


def _fenced(text: str, language: str = "") -> str:
    """A fence longer than any run of back-ticks inside."""
    text = clean(text)
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
