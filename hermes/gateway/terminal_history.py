"""Slash commands about what was said: go back, copy, take back, search, export."""

from pathlib import Path

import anyio

from hermes.core.event import Json
from hermes.core.ids import ConversationId
from hermes.gateway.export import to_json, to_markdown
from hermes.gateway.render_text import clean, local_time, one_line
from hermes.gateway.terminal_state import Chat

_SHOWN = 10


async def new(chat: Chat, _: str) -> None:
    """Start a new conversation."""
    chat.go_to(ConversationId(""))
    await chat.screen.say("a new conversation; /resume goes back", "dim")


async def resume(chat: Chat, wanted: str) -> None:
    """Go back to a conversation and show its last messages."""
    chosen = wanted
    if not chosen:
        found: list[Json] = await chat.door.query("conversations.list", limit=200, offset=0)
        if not found:
            await chat.screen.say("no conversations yet", "dim")
            return
        rows = [_row(c, chat) for c in found]
        index = await chat.picker.pick("Conversations; type to filter:", rows)
        if index is None:
            return
        chosen = str(found[index]["id"])
    shown: Json = await chat.door.query("conversations.show", id=chosen)
    await chat.open(shown)


async def fork(chat: Chat, _: str) -> None:
    """Go on in a new conversation on the same head."""
    if not chat.conversation:
        await chat.screen.say("nothing was said yet", "dim")
        return
    title = chat.view.title
    answer: Json = await chat.door.query("conversations.fork", id=chat.conversation)
    chat.go_to(ConversationId(str(answer["id"])), title)
    await chat.screen.say("this is a copy now; the other one stays as it is", "dim")


async def undo(chat: Chat, _: str) -> None:
    """Take back the last turn, and the files it changed, after showing them."""
    if not chat.conversation:
        await chat.screen.say("nothing was said yet", "dim")
        return
    request = chat.view.request
    asked = {"id": chat.conversation, "cwd": request.cwd, "root": request.root}
    plan: Json = await chat.door.query("conversations.undo", apply=False, **asked)
    await chat.screen.say(f"takes back: {one_line(clean(str(plan['text'])), 100)}", "accent")
    for file in plan["files"]:
        await _show_file(chat, file)
    if unknown := plan.get("unknown"):
        tools = ", ".join(map(str, unknown))
        await chat.screen.say(f"what {tools} did is not known and stays", "warn")
    if not await chat.picker.confirm(_question(plan["files"])):
        await chat.screen.say("nothing was taken back", "dim")
        return
    done: Json = await chat.door.query("conversations.undo", apply=True, **asked)
    said = "taken back" if done.get("applied") else "it could not be taken back"
    await chat.screen.say(said, "good" if done.get("applied") else "bad")


async def search(chat: Chat, words: str) -> None:
    """Find messages in every conversation."""
    if not words:
        await chat.screen.say("say what to look for: /search WORDS", "warn")
        return
    hits: list[Json] = await chat.door.query("conversations.search", query=words, limit=_SHOWN)
    for hit in hits:
        head = [local_time(str(hit.get("at", ""))), hit.get("conversation"), hit.get("role")]
        await chat.screen.say("  ".join(map(str, head)), "dim")
        await chat.screen.say(f"  {one_line(clean(str(hit.get('snippet', ''))), 160)}")
    if not hits:
        await chat.screen.say("nothing found", "dim")


async def export(chat: Chat, name: str) -> None:
    """Write the conversation to a Markdown or JSON file; never over one without asking."""
    if not name or not chat.conversation:
        said = "say where: /export FILE.md or FILE.json" if not name else "nothing was said yet"
        await chat.screen.say(said, "warn")
        return
    path = Path(chat.view.request.cwd) / name
    there = await anyio.Path(path).exists()
    if there and not await chat.picker.confirm(f"{name} exists; replace it?"):
        return
    exported: Json = await chat.door.query("conversations.export", id=chat.conversation)
    text = to_json(exported) if path.suffix == ".json" else to_markdown(exported)
    try:
        await anyio.Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        await chat.screen.say(f"cannot write {name}: {error.strerror}", "bad")
        return
    await chat.screen.say(f"wrote {path}", "good")


def _row(conversation: Json, chat: Chat) -> str:
    count = int(conversation.get("messages") or 0)
    words = [
        local_time(str(conversation.get("updated", ""))),
        f"{count:>4} message{' ' if count == 1 else 's'}",
        str(conversation.get("title") or conversation["id"]),
    ]
    if conversation["id"] == chat.conversation:
        words.append("(this one)")
    return "  ".join(words)


async def _show_file(chat: Chat, file: Json) -> None:
    state = str(file.get("state", ""))
    said = {
        "clean": "goes back to what it was",
        "changed": "was changed since: it stays as it is",
        "gone": "is gone: it stays so",
    }.get(state, state)
    style = "accent" if state == "clean" else "warn"
    await chat.screen.say(f"{file['path']} {said}", style)
    if state == "clean":
        await chat.screen.commit(chat.screen.paint.diff(str(file.get("diff", ""))))


def _question(files: list[Json]) -> str:
    clean_ones = sum(file.get("state") == "clean" for file in files)
    if not clean_ones:
        return "Take back the turn?"
    return f"Take back the turn and {clean_ones} file{'s' if clean_ones > 1 else ''}?"
