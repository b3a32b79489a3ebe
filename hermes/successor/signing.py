"""Statements of the gate: signed where there is an identity, plain where there is none.

Without an identity nothing is signed anywhere in this runtime, and one node's own word is enough
for it; with one, what adopts a version is signed or is not done.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from hermes.core.attestation import Attestation
from hermes.core.canonical import Value
from hermes.core.clock import Clock
from hermes.errors import IdentityError, IdentityMissing, Refused


class Attester(Protocol):
    """The unlocked signer (`hermes.identity.agent.Agent`)."""

    async def attest(self, kind: str, fields: Mapping[str, Value]) -> Attestation:
        """Have a statement signed; `at` is filled in."""
        ...


Signer = Callable[[], Awaitable[Attester]]
"""The unlocked signer; raises IdentityMissing, IdentityLocked or SignerGone."""


class Signing:
    """Makes the gate's statements."""

    def __init__(self, signer: Signer, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock

    async def must(self, kind: str, fields: Mapping[str, Value]) -> Attestation:
        """A statement, unsigned only where there is no identity; raises IdentityError, Refused."""
        try:
            return await (await self._signer()).attest(kind, fields)
        except IdentityMissing:
            return self._plain(kind, fields)

    async def may(self, kind: str, fields: Mapping[str, Value]) -> Attestation:
        """A statement, unsigned where nobody can sign it now: what was found out is not lost."""
        try:
            return await self.must(kind, fields)
        except (IdentityError, Refused):
            return self._plain(kind, fields)

    def _plain(self, kind: str, fields: Mapping[str, Value]) -> Attestation:
        return Attestation(kind, "", {"at": self._clock.now_ms(), **fields})
