"""`hermes trust show|verify --npub`: another instance, as relays show it to anybody.

What was seen is kept, so that a relay that goes back to an older log is noticed the next time.
"""

import argparse
from functools import partial

import anyio.to_thread
import msgspec

from hermes.cli.output import print_json, print_text
from hermes.cli.world import World
from hermes.core.checkpoint import checkpoint_in
from hermes.core.clock import rfc3339
from hermes.core.event import Json
from hermes.errors import ProofInvalid, Usage
from hermes.identity.whole import read_note, write_whole
from hermes.load import load

_ANEW = "remove it to begin anew"


async def look(args: argparse.Namespace) -> tuple[dict[str, Json], bytes]:
    """Ask the relays: what to show, and the walk's file; raises ProofInvalid."""
    heavy = await anyio.to_thread.run_sync(load, "public_look")
    key: str = (await anyio.to_thread.run_sync(load, "npub")).read_npub(args.npub)
    urls = tuple(args.relay or args.settings.mesh.relays)
    if not urls:
        raise Usage("no relay to ask", "give --relay URL, or set mesh.relays")
    path = args.settings.data_dir / "others" / f"{key}.note"
    before = await anyio.to_thread.run_sync(read_note, path, _ANEW)
    found = await heavy.look_at(key, urls, before)
    if found.note:
        await anyio.to_thread.run_sync(partial(write_whole, path, found.note.encode()))
    return _plain(args.npub, found, before), found.lineage


async def show(args: argparse.Namespace, world: World) -> int:
    """Print what it shows of itself."""
    told, _ = await look(args)
    if args.json:
        print_json(told, world.stdout)
        return 0
    for line in _lines(told):
        print_text(line, world.stdout)
    return 0


async def walk_of(args: argparse.Namespace) -> tuple[bytes, str]:
    """Its walk of trust, and the genesis record that has to be in it; raises ProofInvalid."""
    told, lineage = await look(args)
    if not lineage:
        raise ProofInvalid("it shows no walk of trust: nothing of it is in a block yet")
    return lineage, told["genesis"]


def _plain(npub: str, found: Json, before: str) -> dict[str, Json]:
    genesis, note = found.genesis, found.note
    checkpoint = checkpoint_in(note) if note else None
    return {
        "npub": npub,
        "genesis": genesis.cid,
        "log": genesis.name,
        "network": genesis.network,
        "at": rfc3339(genesis.at),
        "keys": msgspec.to_builtins(genesis.roles),
        "souls": [{"soul": one.soul, "at": rfc3339(one.at)} for one in found.souls],
        "soul": genesis.soul,
        "handoffs": found.handoffs,
        "size": checkpoint.size if checkpoint else None,
        "root": checkpoint.root.hex() if checkpoint else "",
        "note": note,
        "cosigners": [
            {"node": one.key, "name": one.name, "at": rfc3339(one.at_s * 1000)}
            for one in found.cosigners
        ],
        "cosigners_unknown": list(found.unknown),
        "seen_before": checkpoint_in(before).size if before else None,
        "anchors": list(found.anchors),
        "walk": len(found.lineage),
        "card": dict(found.card),
        "here_until": rfc3339(found.here_until) if found.here_until else "",
        "reads_at": list(found.reads_at),
        "relays": dict(found.relays),
        "spoilt": found.spoilt,
    }


def _lines(told: dict[str, Json]) -> list[str]:
    lines = [
        f"{told['log']}  {told['genesis']}",
        f"since    {told['at']}, {told['network']}",
        *(f"{role:<8} {key}" for role, key in told["keys"].items()),
        f"soul     {told['soul']}, of the genesis",
        *(f"soul     {one['soul']}, attested {one['at']}" for one in told["souls"]),
    ]
    if told["size"] is not None:
        lines.append(f"entries  {told['size']}, root {told['root']}")
        npub = load("npub").npub_of
        lines += [f"cosigned {one['at']} by {npub(one['node'])}" for one in told["cosigners"]]
        lines += [f"cosigned by {name}, not checked" for name in told["cosigners_unknown"]]
    lines.append(f"anchors  {len(told['anchors'])}; walk of trust: {told['walk']} bytes")
    if told["handoffs"]:
        lines.append("handoff  it named a successor")
    here = f"until {told['here_until']}" if told["here_until"] else "not just now"
    card = told["card"]
    lines.append(f"here     {here}; release {card.get('release') or 'unknown'}")
    lines += [f"reads at {url}" for url in told["reads_at"]]
    lines += [f"{url}: {how or 'good'}" for url, how in told["relays"].items()]
    if told["spoilt"]:
        lines.append(f"{told['spoilt']} events under its name did not hold, and were left out")
    return lines
