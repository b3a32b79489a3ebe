"""The slash command about skills: what there is, and the person's word on it."""

from hermes.core.event import Json
from hermes.gateway.render_text import clean, one_line
from hermes.gateway.terminal_state import Chat

WORDS = ("show", "approve", "reject", "disable")
_STATES = {"approve": "approved", "reject": "rejected", "disable": "disabled"}
_SHOWN = 30  # lines of a skill's instructions


async def skills(chat: Chat, rest: str) -> None:
    """List the skills of this project, show one, or say what may be used."""
    word, _, name = rest.partition(" ")
    root = chat.view.request.root
    if not rest:
        await _list(chat, await chat.door.query("skills.list", root=root))
    elif word == "show" and name:
        await _show(chat, await chat.door.query("skills.show", root=root, name=name.strip()))
    elif word in _STATES and name:
        state = _STATES[word]
        said: Json = await chat.door.query("skills.say", root=root, name=name.strip(), state=state)
        await chat.screen.say(clean(f"{said['name']} is {state}"), "good")
        await _remarks(chat, said)
    else:
        await chat.screen.say("/skills [show | approve | reject | disable NAME]", "warn")


async def _list(chat: Chat, found: list[Json]) -> None:
    for skill in found:
        line = f"{skill['name']}, {skill['state']}: {skill['description']}"
        await chat.screen.say(f"  {one_line(clean(line), 118)}")
    if not found:
        await chat.screen.say("no skills here: hermes skills add DIR takes one in", "dim")


async def _show(chat: Chat, skill: Json) -> None:
    await chat.screen.say(clean(f"  {skill['name']}, {skill['state']}: {skill['description']}"))
    await chat.screen.say(clean(f"  {skill['path']}: {', '.join(skill['files'])}"), "dim")
    lines = str(skill["body"]).split("\n")
    for line in lines[:_SHOWN]:
        await chat.screen.say(clean(f"  {line}"))
    if len(lines) > _SHOWN:
        more = f"  {len(lines) - _SHOWN} more lines: hermes skills show {skill['name']}"
        await chat.screen.say(clean(more), "dim")
    await _remarks(chat, skill)


async def _remarks(chat: Chat, skill: Json) -> None:
    for remark in skill["remarks"]:
        await chat.screen.say(clean(f"  look at this: {remark}"), "warn")
