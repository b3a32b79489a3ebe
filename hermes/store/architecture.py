"""Architecture state: what this instance is made of, as bytes by their names, and one block.

Soul, skin, tools, policy, model, version: who compares two of these blocks sees what changed
between two starts. What the state does not hold is the code itself: a version names it.
"""

from collections.abc import Mapping

import msgspec

from hermes.core.canonical import Value, cid_of, decode, encode, link, link_blob, unlink_blob
from hermes.core.clock import Clock
from hermes.core.ids import Cid
from hermes.store.acts import Act, Acts
from hermes.store.blobs import blob_statement, digest_of

ARCHITECTURE_KIND = "hermes/architecture/1"


class Architecture(msgspec.Struct, frozen=True):
    """One state: `parts` are bytes by name (soul, skin, tools, policy).

    `model` names the default model, `model_digest` is the SHA-256 of its file in hex; empty
    where it is a server's.
    """

    version: str
    model: str
    model_digest: str
    parts: Mapping[str, bytes]

    @property
    def digests(self) -> dict[str, str]:
        """The parts' names and SHA-256 in hex."""
        return {name: digest_of(data) for name, data in self.parts.items()}


class Recorded(msgspec.Struct, frozen=True):
    """A state as it was recorded; `parts` are digests of blobs, `at` ms UTC."""

    cid: Cid
    version: str
    model: str
    model_digest: str
    parts: Mapping[str, str]
    at: int


class Architectures:
    """The states of this store's owners, each a block that links its parts and the one before."""

    def __init__(self, acts: Acts, clock: Clock) -> None:
        self._acts = acts
        self._clock = clock

    async def record(self, state: Architecture) -> Cid | None:
        """Keep a state if it differs from the newest one; returns its block's name then."""
        parts: dict[str, Value] = {
            name: link_blob(digest) for name, digest in state.digests.items()
        }
        told: dict[str, Value] = {
            "version": state.version,
            "model": {"name": state.model, "sha256": state.model_digest},
            "parts": parts,
        }
        subject = cid_of(encode(told).data)
        before = await self._acts.latest(ARCHITECTURE_KIND)
        if before is not None and before.subject == subject:
            return None
        parents: list[Value] = [link(before.cid)] if before is not None else []
        own: dict[str, Value] = {
            "t": ARCHITECTURE_KIND, "parents": parents, "at": self._clock.now_ms()
        }  # fmt: skip
        block = encode(told | own)
        blobs = [blob_statement(data) for data in state.parts.values()]
        await self._acts.add(ARCHITECTURE_KIND, subject, block, *blobs)
        return block.cid

    async def latest(self) -> Recorded | None:
        """The newest state."""
        act = await self._acts.latest(ARCHITECTURE_KIND)
        return None if act is None else _recorded(act)

    async def list(self) -> tuple[Recorded, ...]:
        """Every state, oldest first."""
        return tuple(map(_recorded, await self._acts.list(ARCHITECTURE_KIND)))


def _recorded(act: Act) -> Recorded:
    match decode(act.data):
        case {
            "version": str(version),
            "model": {"name": str(model), "sha256": str(digest)},
            "parts": dict(parts),
            "at": int(at),
        }:
            named = {
                name: unlink_blob(raw) for name, raw in parts.items() if isinstance(raw, bytes)
            }
            return Recorded(act.cid, version, model, digest, named, at)
        case _:
            raise ValueError(f"block {act.cid} is no architecture state")
