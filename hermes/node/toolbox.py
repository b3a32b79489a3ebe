"""What this machine offers, and the tools that need nothing but it: the first that is furnished."""

import os
import shutil
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from hermes.config import Settings
from hermes.core.tool import Tool
from hermes.load import load
from hermes.sandbox.changes import record_in
from hermes.sandbox.environment import clean_environment
from hermes.sandbox.shell import Shell
from hermes.sandbox.view import View
from hermes.scheduler.zones import local_zone
from hermes.skin.places import read_soul, shipped, soul_path
from hermes.tools.builtin import Programs, builtin_tools
from hermes.tools.registry import Registry


@dataclass(frozen=True)
class Found:
    """What the machine offers: looked up once, in a thread."""

    soul: str
    skins: tuple[Path, ...]
    programs: Programs
    env: Mapping[str, str]
    zone: ZoneInfo
    own: tuple[Path, ...]


def find(settings: Settings, environ: Mapping[str, str]) -> Found:
    """Look up what lies on this machine; blocking."""
    env = clean_environment(environ)
    path = f"{os.defpath}:{env.get('PATH', '')}"  # the machine's first: PATH may name a project's
    return Found(
        soul=read_soul(soul_path(settings.config_dir)),
        skins=(settings.config_dir / "skins", shipped("skins")),
        programs=Programs(
            bash=shutil.which("bash", path=path) or "/bin/sh", rg=shutil.which("rg", path=path)
        ),
        env=env,
        zone=local_zone(environ.get("TZ", "")),
        own=(settings.data_dir.resolve(), settings.config_dir.resolve()),
    )


async def open_tools(
    settings: Settings, found: Found, stack: AsyncExitStack
) -> tuple[Shell, Registry]:
    """The guard's shell, and a registry with the tools that are always there."""
    shell = await stack.enter_async_context(Shell())
    held = await _held(settings, shell, found, stack)
    return shell, Registry(builtin_tools(shell, found.env, found.programs, held))


async def _held(
    settings: Settings, shell: Shell, found: Found, stack: AsyncExitStack
) -> Tool | None:
    """Bash in the sandbox, where that is wanted."""
    asked = settings.sandbox
    if asked.bash != "overlay":
        return None
    view = View(found.env, asked.read, found.own)
    module = load("held_bash")
    terms = module.Terms(record_in(settings.data_dir), asked.network, asked.outside)
    opened = module.open_bash(shell, view, found.programs.bash, terms)
    held: Tool = await stack.enter_async_context(opened)
    return held
