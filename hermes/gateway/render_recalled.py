"""Why memories were shown, in plain lines: for the terminal and for `hermes memory why`."""

from collections.abc import Iterator

from hermes.core.event import Json
from hermes.gateway.render_text import clean, local_time, one_line

_SAID = 70
_CONTENT = 110


def why_lines(told: Json) -> Iterator[tuple[str, str]]:
    """Lines with their styles, from an answer to `memory.why`."""
    if not told["memories"]:
        yield "no memory was shown here, and none came close", "dim"
    turn = ""
    for one in told["memories"]:
        if one["turn"] != turn:
            turn = one["turn"]
            said = one_line(clean(str(one["said"])), _SAID)
            yield f"{local_time(str(one['at']))}  {said}", "accent"
        content = one["content"]
        text = "(forgotten since)" if content is None else one_line(clean(str(content)), _CONTENT)
        mark = "shown" if one["shown"] else "not  "
        yield f"  {mark} {one['score']:.2f}  {one['memory']}  {text}", ""
        yield f"              {_reasons(one, told['least'])}", "dim"


def _reasons(one: Json, least: float) -> str:
    why = one["why"]
    parts = []
    if why.get("recent"):
        parts.append("it is recent")
    if words := why.get("words"):
        parts.append(f"words {', '.join(clean(str(word)) for word in words)}")
    parts += [
        f"{name} {why[key]:.2f} (place {why[f'{key}_rank']})"
        for key, name in (("text", "fit by words"), ("vector", "by likeness"))
        if why.get(f"{key}_rank")
    ]
    parts.append(f"relevance {why['relevance']:.2f}")
    parts.append(f"{why['age_days']:.0f} days old")
    if why.get("uses"):
        parts.append(f"used {why['uses']} times")
    if not one["shown"]:
        below = one["score"] < least
        parts.append(f"below {least:g}" if below else "no room for it")
    return "; ".join(parts)
