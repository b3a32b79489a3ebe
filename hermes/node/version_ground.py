"""What adoption needs of this house (`hermes.successor.adoption.Ground`)."""

from collections.abc import Mapping
from pathlib import Path

import anyio.to_thread

import hermes
from hermes.errors import NotAvailable, Refused
from hermes.node.changing import Changing
from hermes.sandbox.ground import find_ground
from hermes.sandbox.standing import examine
from hermes.store.trials import CandidateRow
from hermes.successor.adoption import Found
from hermes.successor.build import Builder
from hermes.successor.forest import Forest
from hermes.successor.patch import read_patch
from hermes.successor.pointer import command_of, own_tag
from hermes.successor.rehearsal import rehearse
from hermes.successor.source import Source, find_source
from hermes.successor.trees import digest
from hermes.successor.versions import Versions


class VersionGround:
    """Trees, checkouts, and how a version is made the one that runs."""

    def __init__(self, door: Changing, versions: Versions, env: Mapping[str, str]) -> None:
        self._door = door
        self._versions = versions
        self._env = env

    async def checkout(self) -> Source:
        """The person's own checkout; raises NotAvailable."""
        return await find_source(self._door.house.settings.successor.source)

    async def running(self) -> Found:
        """What runs; raises NotAvailable where no git knows."""
        tag = own_tag()
        leaf = await self._versions.running(tag) if tag else None
        if leaf is not None:
            return Found(tag, tag, leaf.commit, self._versions.pointer.place(tag))
        source = await self.checkout()
        number = f"v{hermes.__version__}"
        return Found("", number, await source.commit("HEAD"), source.root)

    async def tree(self, candidate: CandidateRow) -> Path:
        """The candidate's files, built again in a box where they are gone."""
        kept = await anyio.to_thread.run_sync(self._kept, candidate.tree)
        if kept is not None:
            return kept
        patch = await self._door.house.store.blobs.get(candidate.given)
        if patch is None:
            raise Refused("the patch is not in the store any more")
        standing = await examine()
        account = standing.require("A", "A-").account
        data_dir = self._door.house.settings.data_dir
        forest = await anyio.to_thread.run_sync(Forest, data_dir, account)
        found = await self.running()
        builder = Builder(Source("git", found.source), forest, standing)
        parent = await builder.commit(candidate.parent)
        diff = await anyio.to_thread.run_sync(read_patch, patch)
        built = await builder.patched(parent, diff)
        if built.digest != candidate.tree:
            raise Refused("the patch does not make the tree that was judged")
        return built.path

    async def test(self, tree: Path) -> None:
        """Start a version with a store of its own; raises SuccessorError when it fails."""
        await rehearse(command_of(tree), self._env)

    async def switch(self, tag: str) -> None:
        """Point at a version; a node hands itself over first."""
        if self._door.keeper is not None:
            self._door.keeper.hand_over(tag)
            return
        pointer = self._versions.pointer
        await anyio.to_thread.run_sync(pointer.point, tag)
        await anyio.to_thread.run_sync(pointer.mend)

    async def left(self) -> None:
        """Where the version that runs here was left, a node lets the one before come back."""
        current = await anyio.to_thread.run_sync(self._versions.pointer.current)
        if self._door.keeper is not None and current != own_tag():
            self._door.keeper.fall_back()

    def _kept(self, name: str) -> Path | None:
        try:
            account = find_ground().account
        except NotAvailable:
            account = None
        tree = Forest(self._door.house.settings.data_dir, account).root / name
        return tree if tree.is_dir() and digest(tree) == name else None
