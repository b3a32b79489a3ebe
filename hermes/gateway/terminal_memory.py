"""`/memory`: what is remembered of this project, and why the model was shown it."""

from hermes.core.event import Json
from hermes.gateway.render_recalled import why_lines
from hermes.gateway.render_text import clean, one_line
from hermes.gateway.terminal_state import Chat

_SHOWN = 10
_TURNS = 3


async def memory(chat: Chat, rest: str) -> None:
    """List, find, add or forget memories, or say why some were shown."""
    word, _, text = rest.partition(" ")
    root = chat.view.request.root
    if word == "add" and text:
        await chat.door.query("memory.add", root=root, content=text)
        await chat.screen.say("remembered", "good")
        return
    if word == "forget" and text:
        await _forget(chat, text)
        return
    if rest == "why":
        await _why(chat)
        return
    found: list[Json] = (
        await chat.door.query("memory.search", root=root, query=rest, limit=_SHOWN)
        if rest
        else await chat.door.query("memory.list", root=root, limit=_SHOWN, offset=0)
    )
    for entry in found:
        text = one_line(clean(str(entry.get("content", ""))), 120)
        await chat.screen.say(f"  {entry.get('id', '')}  {text}")
    if not found:
        await chat.screen.say("nothing is remembered here", "dim")


async def _forget(chat: Chat, text: str) -> None:
    number = int(text) if text.strip().isdecimal() else 0
    answer: Json = await chat.door.query("memory.forget", id=number)
    found_it = bool(answer["erased"])
    said = "forgotten" if found_it else f"no memory has the id {text}"
    await chat.screen.say(said, "good" if found_it else "warn")


async def _why(chat: Chat) -> None:
    if not chat.conversation:
        await chat.screen.say("nothing was said yet", "dim")
        return
    told: Json = await chat.door.query(
        "memory.why",
        root=chat.view.request.root,
        conversation=str(chat.conversation),
        turns=_TURNS,
    )
    for line, style in why_lines(told):
        await chat.screen.say(line, style)
