"""Which model answers: the line about it, the choice at the first start, the config file."""

import json
import tomllib
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.core.event import Json
from hermes.gateway.render_text import one_line
from hermes.gateway.terminal_state import Chat
from hermes.models.gguf import EXACT, shipped_model

_PATIENCE_S = 0.25  # the prompt must not wait for a slow look-up


def row(model: Json) -> str:
    """A model in one line."""
    name = str(model["model"])
    name = f"{Path(name).stem}, the small model that ships" if ships(name) else name
    window = f"  {int(model['window']):,} tokens" if model.get("window") else ""
    return f"{name}{window}{'  (now)' if model.get('current') else ''}"


def ships(name: str) -> bool:
    """Whether it is the model that comes with Hermes, by its path or its name."""
    shipped = shipped_model()
    return name in {str(shipped), shipped.stem, ""}


def about(chat: Chat) -> str:
    """One plain line: which model runs and how far that goes."""
    name = chat.view.request.model or chat.door.hello.model
    if ships(name):
        return (
            f"{shipped_model().stem} answers, the small model that ships: it is often wrong. Of "
            f"freely worded requests {EXACT} % come out exactly right; plain ones such as `read "
            "README.md` do. /model offers others, /help shows the commands."
        )
    return f"{one_line(name, 60)} answers. /help shows the commands."


async def offer(chat: Chat) -> None:
    """At the first start, offer the models of local servers; the choice is kept."""
    settings = chat.settings
    path = settings.config_dir / "config.toml"
    if chat.view.request.model or not settings.search_servers:
        return
    if await anyio.to_thread.run_sync(has_model, path):
        return
    found: list[Json] = []
    with anyio.move_on_after(_PATIENCE_S):
        found = await chat.door.query("models.list")
    others = [m for m in found if not m.get("current") and not ships(str(m["model"]))]
    if not others:
        return
    rows = [f"{row(model)}" for model in others] + ["stay with the small model that ships"]
    chosen = await chat.picker.pick("Models found on this machine; type to filter:", rows)
    if chosen is None:
        return
    model = str(others[chosen]["model"]) if chosen < len(others) else ""
    chat.choose(model=model)
    if await anyio.to_thread.run_sync(keep_model, path, model):
        await chat.screen.say(f"kept as the default in {path}", "dim")


def has_model(path: Path) -> bool:
    """Whether the config file says which model to use."""
    try:
        return "model" in tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True  # not ours to mend here


def keep_model(path: Path, model: str) -> bool:
    """Write the default model into a config file that has none; False when it cannot be."""
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = f"model = {json.dumps(model, ensure_ascii=False)}\n{before}"
        if "model" in tomllib.loads(before) or tomllib.loads(after)["model"] != model:
            return False
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text(after, encoding="utf-8")
        fresh.replace(path)
    except (OSError, ValueError):
        return False
    return True
