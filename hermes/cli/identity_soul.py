"""`hermes identity show|attest|unlock|lock`: what a person asks of a node and of its signer.

A passphrase goes from here to the signer's socket, past the node.
"""

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio.to_thread

from hermes.cli.asking import ask
from hermes.cli.output import print_json, print_text
from hermes.cli.secrets import passphrase, typed
from hermes.cli.world import World
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import NotAvailable, Refused
from hermes.gateway.terminal_door import Door
from hermes.identity.agent import Agent
from hermes.node.rendezvous import signer_socket

_START = "start one: hermes"


async def show(args: argparse.Namespace, world: World) -> int:
    """Print who this is and how its signer stands."""
    found = await ask(args, world, "identity.show")
    if args.json:
        print_json(found, world.stdout)
        return 0
    for name, value in _rows(found):
        print(f"{name:12} {value}", file=world.stdout)
    if found["diff"]:
        print("\nSOUL.md is not the one that was attested:", file=world.stdout)
        print_text(found["diff"], world.stdout)
        print("\nhermes identity attest", file=world.stdout)
    return 0


async def attest(args: argparse.Namespace, world: World) -> int:
    """Show how SOUL.md differs from the one attested, ask, and have it attested."""
    async with opened(args, world) as door:
        found = await door.query("identity.show")
        soul = found["soul_now"]
        if found["soul"] == soul:
            if args.json:
                print_json({"cid": None, "soul": soul}, world.stdout)
            else:
                print(f"SOUL.md is attested already: {soul}", file=world.stdout)
            return 0
        if not args.json:
            print_text(found["diff"], world.stdout)
        if not args.yes and not await _agreed(world):
            raise Refused("not attested: nothing is signed until it is")
        await open_signer(args, world, door)
        made = await door.query("identity.attest", soul=soul)
    if args.json:
        print_json(made, world.stdout)
    else:
        print(f"attested: {made['soul']} in {made['cid']}", file=world.stdout)
    return 0


async def unlock(args: argparse.Namespace, world: World) -> int:
    """Give the signer of the running node its passphrase."""
    async with _running(args, world) as door:
        if await open_signer(args, world, door):
            print("unlocked", file=world.stdout)
        else:
            print("the signer is unlocked already", file=world.stdout)
    return 0


async def lock(args: argparse.Namespace, world: World) -> int:
    """Make the signer of the running node forget its keys."""
    async with _running(args, world) as door:
        await door.query("identity.show")
        agent = await _agent(args)
        await agent.lock()
        print("locked", file=world.stdout)
    return 0


@asynccontextmanager
async def opened(args: argparse.Namespace, world: World) -> AsyncGenerator[Door]:
    """The owner's door, becoming the owner where there is none."""
    async with world.open_client(args.settings, interactive=False, environ=world.environ) as door:
        yield door


async def open_signer(args: argparse.Namespace, world: World, door: Door) -> bool:
    """Unlock the signer behind an open door, asking for the passphrase; False when it was."""
    found = await door.query("identity.show")  # starts it
    if not found["signer"]["locked"]:
        return False
    if problem := found["signer"]["problem"]:
        world.complain(f"the node could not unlock itself: {problem}")
    agent = await _agent(args)
    await agent.unlock(await passphrase(args, world))
    return True


async def _agent(args: argparse.Namespace) -> Agent:
    return Agent(await anyio.to_thread.run_sync(signer_socket, args.settings))


@asynccontextmanager
async def _running(args: argparse.Namespace, world: World) -> AsyncGenerator[Door]:
    async with world.find_owner(args.settings) as door:
        if door is None:
            raise NotAvailable("no node is running here, so there is no signer", _START)
        yield door


async def _agreed(world: World) -> bool:
    if not world.stdin.isatty():
        raise Refused("nobody is there to look at the change", "look at it, then: --yes")
    answer = await typed(world, "attest this text? [y/N] ")
    return answer.strip().lower() in {"y", "yes"}


def _rows(found: Json) -> list[tuple[str, str]]:
    signer = found["signer"]
    recovery = found["recovery"] or "none: a lost coin key ends the lineage"
    if found["recovery"]:
        recovery += f" after {found['recovery_after']} blocks"
    state = "locked: hermes identity unlock" if signer["locked"] else "unlocked"
    if signer["problem"]:
        state += f" ({signer['problem']})"
    return [
        ("identity", found["identity"]),
        ("fingerprint", found["fingerprint"]),
        ("since", rfc3339(found["at"])),
        ("network", found["network"]),
        ("nostr", found["npub"]),
        ("owner", found["owner_npub"]),
        ("attest", found["roles"]["attest"]),
        ("coin", found["roles"]["coin"]),
        ("log", found["roles"]["log"]),
        ("recovery", recovery),
        ("soul", found["soul"]),
        ("signer", state),
        ("hardened", ", ".join(signer["hardened"])),
    ]
