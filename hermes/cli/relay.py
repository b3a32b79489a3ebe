"""`hermes relay`: the embedded relay alone, its rules, and what strfry needs to keep the same."""

import argparse
import shutil
import sys
from pathlib import Path
from types import ModuleType

import anyio
import anyio.to_thread
import msgspec

from hermes.cli.command import Commands, add_command
from hermes.cli.output import print_text
from hermes.cli.world import World
from hermes.core.clock import SystemClock
from hermes.errors import Usage
from hermes.load import load
from relay.rules import Rules
from relay.rules_file import read_rules, rules_text
from relay.unit import unit

_FOLDER = "relay"
_LISTEN = "127.0.0.1:7447"
_MOST_PORT = 65_535


def add(commands: Commands) -> None:
    """Add the noun; alone it runs, its verbs help to run it elsewhere."""
    relay = add_command(
        commands, "relay", "run the embedded Nostr relay", "hermes relay --owner npub1...", _run
    )
    verbs = relay.add_subparsers(metavar="VERB", title="verbs")
    rules = add_command(
        verbs,
        "rules",
        "print the rules",
        "hermes relay rules --owner npub1... > rules.json",
        _rules,
    )
    plugin = add_command(
        verbs,
        "plugin",
        "keep the rules for strfry: JSON lines in and out",
        "hermes relay plugin --rules rules.json",
        _plugin,
    )
    files = add_command(
        verbs, "unit", "print a systemd unit or strfry.conf", "hermes relay unit hermes", _unit
    )
    files.add_argument("which", choices=("hermes", "strfry", "strfry.conf"))
    files.add_argument("--url", default="", help="strfry's address as clients dial it, wss://...")
    for command in (relay, rules, plugin, files):
        _add_rules(command)
    for command in (relay, files):
        command.add_argument(
            "--listen", metavar="ADDRESS", help=f"IPv4 address and port (default: {_LISTEN})"
        )
    relay.add_argument(
        "--lmdb", action="store_true", help="nostr-sdk's own database: one commit an event"
    )


def _add_rules(command: argparse.ArgumentParser) -> None:
    # SUPPRESS: a verb's defaults would overwrite what stood before it.
    none = argparse.SUPPRESS
    command.add_argument("--rules", metavar="FILE", default=none, help="rules, as JSON")
    for name, says in (("owner", "a key of the owner"), ("admit", "a key that may write")):
        command.add_argument(
            f"--{name}", metavar="NPUB", action="append", default=none, help=f"{says}; may repeat"
        )


async def _run(args: argparse.Namespace, world: World) -> int:
    host, port = _address(args.listen or args.settings.mesh.listen or _LISTEN)
    server = load("relay")
    place = server.Place(
        args.settings.data_dir / _FOLDER, host, port, args.settings.mesh.advertise, lmdb=args.lmdb
    )
    async with server.open_relay(place, await _rules_of(args, world)) as relay:
        print_text(f"relay at {relay.url}", world.stdout)
        world.stdout.flush()
        await anyio.sleep_forever()
    return 0


async def _rules(args: argparse.Namespace, world: World) -> int:
    print_text(rules_text(await _rules_of(args, world)), world.stdout)
    return 0


async def _plugin(args: argparse.Namespace, world: World) -> int:
    rules = await _rules_of(args, world)
    await anyio.to_thread.run_sync(_answer_all, load("relay_plugin"), rules, world)
    return 0


def _answer_all(plugin: ModuleType, rules: Rules, world: World) -> None:
    for line in plugin.answers(rules, world.stdin, SystemClock()):
        print(line, file=world.stdout, flush=True)


async def _unit(args: argparse.Namespace, world: World) -> int:
    text = await anyio.to_thread.run_sync(_filled, args, world, await _rules_of(args, world))
    print_text(text, world.stdout)
    return 0


def _filled(args: argparse.Namespace, world: World, rules: Rules) -> str:
    command = shutil.which("hermes", path=world.environ.get("PATH")) or sys.argv[0]
    return unit(
        args.which,
        command=str(world.cwd / command),
        listen="{}:{}".format(*_address(args.listen or args.settings.mesh.listen or _LISTEN)),
        home=world.environ.get("HERMES_V2_HOME", ""),
        rules=str(_file(args, world) or args.settings.config_dir / "relay.json"),
        owner=min(rules.owners, default=""),
        url=args.url,
        **{
            name: str(getattr(rules, name))
            for name in ("event_bytes", "future_s", "live_s", "tags", "tag_bytes")
        },
    )


async def _rules_of(args: argparse.Namespace, world: World) -> Rules:
    file = _file(args, world)
    rules = await anyio.to_thread.run_sync(read_rules, file) if file else Rules()
    keys = load("npub").read_npub
    return msgspec.structs.replace(
        rules,
        owners=rules.owners | set(map(keys, getattr(args, "owner", ()))),
        admitted=rules.admitted | set(map(keys, getattr(args, "admit", ()))),
    )


def _file(args: argparse.Namespace, world: World) -> Path | None:
    return world.cwd / args.rules if getattr(args, "rules", "") else None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _MOST_PORT:
        raise Usage(f"{text} is no address to listen at", f"say it as {_LISTEN}")
    return host, int(port)
