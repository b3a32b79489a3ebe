"""From the command line to Settings and to the request that travels to the owner."""

import argparse
from pathlib import Path

from hermes.cli.world import World
from hermes.config import Settings, read_settings
from hermes.core.ids import ConversationId, TurnId, uuid7
from hermes.core.request import TurnRequest

_OVERRIDES = ("model", "skin", "mode", "context", "profile")


def settings_of(args: argparse.Namespace, world: World) -> Settings:
    """Read the settings with what this command line says on top."""
    overrides = {name: getattr(args, name, None) for name in _OVERRIDES}
    if model := overrides["model"]:
        overrides["model"] = absolute_model(model, world)
    return read_settings(world.environ, overrides)


def absolute_model(model: str, world: World) -> str:
    """The model with its file's path made absolute: the owner may stand elsewhere."""
    kind, colon, rest = model.partition(":")
    if kind == "scripted" and colon:
        return f"scripted:{_absolute(rest, world)}"
    if model.endswith(".gguf") and "://" not in model:
        return str(_absolute(model, world))
    return model


def request_of(args: argparse.Namespace, world: World, settings: Settings) -> TurnRequest:
    """The request of one turn, its text still empty."""
    root = world.root
    if root in {world.home, Path("/")}:
        world.note(f"hermes: the project is all of {root}; start it in a project's directory")
    return TurnRequest(
        turn_id=TurnId(uuid7()),
        text="",
        cwd=str(world.cwd),
        root=str(root),
        conversation_id=ConversationId((args.conversation or "").strip()),
        mode=settings.mode,
        yes=args.yes,
        model=settings.model,
        skin=settings.skin,
        profile=settings.profile,
        context=settings.context,
        max_steps=args.max_steps or 0,
        private=args.private,
        api_key=settings.api_key,
    )


def _absolute(path: str, world: World) -> Path:
    if path.startswith("~/"):
        return world.home / path[2:]
    return world.cwd / path
