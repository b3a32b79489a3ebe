"""Slash commands about how the next turns run, and how things stand."""

import msgspec

from hermes.core.event import Json
from hermes.gateway.render_text import clean
from hermes.gateway.terminal_models import about, row
from hermes.gateway.terminal_state import Chat

MODES = ("ask", "auto", "read-only")
_BAR = 24


async def status(chat: Chat, _: str) -> None:
    """Show what the owner does; works while a turn runs."""
    await chat.refresh()
    now, hello = chat.view.status, chat.door.hello
    us = "this process" if hello.owner_is_us else f"pid {hello.pid}"
    context, engine = now.get("context") or {}, now.get("engine") or {}
    lines = [
        ("owner", f"{us}, Hermes {hello.version}, {now.get('clients', 1)} attached"),
        ("store", hello.store),
        ("model", f"{chat.view.request.model or now.get('model', '')}"),
        (
            "engine",
            _engine(engine),
        ),
        ("context", _filled(context)),
        ("conversation", f"{chat.conversation or 'new'} {chat.view.title}"),
        ("mode", chat.view.request.mode),
        ("project", chat.view.request.root),
    ]
    for turn in now.get("running") or []:
        tools = ", ".join(map(str, turn.get("tools") or [])) or "the model"
        lines.append(("running", f"{turn.get('conversation_id', '')}: {tools}"))
    lines += [("alarm", clean(str(alarm))) for alarm in now.get("alarms") or []]
    await chat.screen.commit(
        "".join(chat.screen.paint.line(f"  {name:<13} {text}") for name, text in lines)
    )


def _engine(engine: Json) -> str:
    state = str(engine.get("state") or "none")
    speed = float(engine.get("tokens_per_s") or 0)
    words = ["none in this process: a server or a script answers" if state == "none" else state]
    return ", ".join([*words, f"{speed:,.0f} tok/s"] if speed else words)


def _filled(context: Json) -> str:
    if not context.get("window"):
        return "-"
    return f"{context.get('used', 0):,} of {context['window']:,} tokens"


async def context(chat: Chat, _: str) -> None:
    """Show what fills the window, counted by the model's own tokenizer where there is one."""
    size: Json = await chat.door.query(
        "context",
        conversation_id=chat.conversation,
        request=msgspec.to_builtins(chat.view.request),
    )
    total, window = int(size["total"]), max(int(size["window"]), 1)
    how = "" if size.get("method") == "tokenizer" else ", estimated"
    head = f"  {total:,} of {window:,} tokens ({100 * total // window}%), {size['profile']}{how}"
    lines = [head]
    for part in size.get("parts", []):
        tokens = int(part["tokens"])
        bar = "#" * min(_BAR, -(-_BAR * tokens // window))
        lines.append(f"  {clean(str(part['name'])):<16} {tokens:>7,}  {bar}")
    lines += _went(size.get("view") or {})
    await chat.screen.commit(chat.screen.paint.lines(lines))


def _went(view: Json) -> list[str]:
    """Where the conversation's messages went, when not all are shown as they are."""
    if not view.get("saved"):
        return []
    by = {"": "when the window was full", "rules": "by rules"}.get(view["by"], f"by {view['by']}")
    lines = [f"  {int(view['saved']):,} tokens saved, {clean(by)}; the store keeps all:"]
    for name in ("kept", "shortened", "summarised", "dropped"):
        share = view.get(name) or {}
        if count := int(share.get("messages", 0)):
            tokens, shown = int(share["tokens"]), int(share["shown"])
            lines.append(f"  {name:<16} {count:>4} messages, {tokens:,} tokens as {shown:,}")
    return lines


async def model(chat: Chat, name: str) -> None:
    """Take a model for the next turns; without a name, choose from those there are."""
    if not name:
        models: list[Json] = await chat.door.query("models.list")
        if not models:
            await chat.screen.say("no other model found; /model PATH.gguf or URL#NAME", "dim")
            return
        chosen = await chat.picker.pick("Models; type to filter:", [row(m) for m in models])
        if chosen is None:
            return
        name = str(models[chosen]["model"])
    chat.choose(model=name)
    await chat.screen.say(about(chat), "dim")


async def skin(chat: Chat, name: str) -> None:
    """Take a skin for the next turns; without a name, choose."""
    if not name:
        skins: list[Json] = await chat.door.query("skins.list")
        rows = [f"{s['name']}  {s.get('persona', '')}" for s in skins]
        chosen = await chat.picker.pick("Skins; type to filter:", rows)
        if chosen is None:
            return
        name = str(skins[chosen]["name"])
    found: Json = await chat.door.query("skin.get", name=name)  # an unknown one is refused here
    chat.choose(skin=name)
    await chat.wear(found)
    await chat.screen.say(f"{name} speaks from the next turn on", "dim")


async def mode(chat: Chat, name: str) -> None:
    """Take a mode, or the next one."""
    now = chat.view.request.mode
    if name and name not in MODES:
        await chat.screen.say(f"modes are {', '.join(MODES)}", "warn")
        return
    chat.choose(mode=name or MODES[(MODES.index(now) + 1) % len(MODES)])
    await chat.screen.say(f"mode {chat.view.request.mode}, from the next turn on", "dim")


async def private(chat: Chat, word: str) -> None:
    """Mark the conversation: never used for training, never replicated."""
    on = word != "off"
    if chat.conversation:
        await chat.door.query("conversations.private", id=chat.conversation, on=on)
    chat.choose(private=on)
    said = "private: never trained on, never replicated" if on else "no longer private"
    await chat.screen.say(said, "dim")
