"""What the signer does when asked, apart from how it is asked.

Holds the keys once unlocked. Memory is on the disk before a signature is given out; whatever
fails before that gives nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.core.canonical import Value
from hermes.core.checkpoint import Checkpoint, Note, NoteSignature, checkpoint_of
from hermes.core.clock import Clock
from hermes.core.merkle import EMPTY_ROOT, verify_consistency
from hermes.errors import HermesError, IdentityError, IdentityLocked, Refused
from hermes.identity.attest import Genesis
from hermes.identity.claim import SpendClaim
from hermes.identity.coin import coin_script, witness_script
from hermes.identity.genesis import check_keys, load_genesis
from hermes.identity.keys import Keys
from hermes.identity.patience import Patience
from hermes.identity.signer_memory import NOTE, Memory, last_noted, load_memory, save_memory
from hermes.identity.signer_statements import Standing, state
from hermes.identity.signer_wire import SignerOptions, SignerStatus
from hermes.identity.soul import soul_bytes, soul_digest
from hermes.identity.spend import code_of, digest_of, read_spend
from hermes.identity.spending import approve
from hermes.identity.statements import SOUL
from hermes.identity.vault_file import VaultFile, load_key_file
from hermes.identity.whole import write_whole


class _Open:
    """An unlocked identity."""

    def __init__(self, keys: Keys, genesis: Genesis, memory: Memory) -> None:
        self.keys = keys
        self.genesis = genesis
        self.memory = memory


class Signer:
    """The keys of one identity, and the rules under which they sign."""

    def __init__(
        self, options: SignerOptions, clock: Clock, hardened: tuple[str, ...] = ()
    ) -> None:
        self._folder = Path(options.folder)
        self._soul = Path(options.soul)
        self._caps = options.caps
        self._clock = clock
        self._hardened = hardened
        self._patience = Patience(clock)
        self._turn = anyio.Lock()
        self._open: _Open | None = None
        self._problem = ""

    async def unlock_itself(self) -> None:
        """Open the vault of a node that nobody attends; why it did not work stands in `status`."""
        try:
            if await anyio.to_thread.run_sync((self._folder / "unlocked.key").exists):
                passphrase = await anyio.to_thread.run_sync(load_key_file, self._folder)
                await self.unlock(passphrase)
        except HermesError as error:
            self._problem = error.message

    async def unlock(self, passphrase: str) -> None:
        """Open the vault; raises PassphraseWrong, Refused (too soon), IdentityInvalid."""
        async with self._turn:
            self._patience.check()
            with self._patience:
                secret, network = await VaultFile(self._folder).open(passphrase)
            self._open = await anyio.to_thread.run_sync(self._take, secret, network)
            self._problem = ""

    def _take(self, secret: bytes, network: str) -> _Open:
        genesis = load_genesis(self._folder)
        keys = Keys.from_secret(secret, network)
        check_keys(keys, genesis)
        memory = load_memory(self._folder, keys, genesis)
        kept = last_noted(self._folder, genesis)
        if kept and checkpoint_of(kept).size > _last(genesis, memory).size:
            # An older memory was put back: what the note remembers is not to be forked.
            memory = memory.with_checkpoint(kept, digest_of(kept))
            save_memory(self._folder, keys, memory)
        if memory.checkpoint and memory.checkpoint != kept:  # a crash came between the two
            self._write_note(keys, memory.checkpoint)
        return _Open(keys, genesis, memory)

    async def status(self) -> SignerStatus:
        """How the signer stands."""
        soul = await self._soul_now()
        if self._open is None:
            return SignerStatus(
                locked=True, soul=soul, hardened=self._hardened, problem=self._problem
            )
        keys, genesis, memory = self._open.keys, self._open.genesis, self._open.memory
        return SignerStatus(
            locked=False,
            roles=genesis.roles,
            network=genesis.network,
            soul_ok=soul == memory.soul,
            soul=soul,
            attested=memory.soul,
            owner_here=keys.roles.owner == genesis.owner,
            month_sat=memory.month(self._clock.now_ms()),
            hardened=self._hardened,
        )

    async def genesis(self) -> bytes:
        """The genesis record's block; needs no key."""
        found = await anyio.to_thread.run_sync(load_genesis, self._folder)
        return found.record.block().data

    async def hot_key(self) -> str:
        """The Nostr secret, in hex."""
        return (await self._ready()).keys.nostr_secret().hex()

    async def sign_checkpoint(self, text: str, proof: tuple[bytes, ...]) -> NoteSignature:
        """Sign a checkpoint that grew out of the one signed last; raises Refused."""
        async with self._turn:
            found = await self._ready()
            try:
                new = checkpoint_of(text)
                old = _last(found.genesis, found.memory)
                verify_consistency(old.size, old.root, new.size, new.root, proof)
            except ValueError as error:
                await anyio.to_thread.run_sync(self._put_back, found)
                raise Refused(
                    f"the checkpoint does not follow the one signed last: {error}",
                    "hermes log verify says what became of the log",
                ) from error
            if new.origin != found.genesis.name:
                raise Refused(f"the checkpoint is of the log {new.origin}, not of this identity's")
            memory = found.memory.with_checkpoint(text, digest_of(text))
            await self._remember(found, memory)
            return await anyio.to_thread.run_sync(self._write_note, found.keys, text)

    async def cosign(self, text: str) -> NoteSignature:
        """Cosign another log's checkpoint, now; that it only grew is the node's to have checked.

        Raises Refused on this identity's own log, and on what is no checkpoint.
        """
        async with self._turn:
            found = await self._ready()
            try:
                other = checkpoint_of(text)
            except ValueError as error:
                raise Refused(f"only a checkpoint is cosigned: {error}") from error
            if other.origin == found.genesis.name:
                raise Refused("nobody is a witness of their own log")
            return found.keys.cosign_note(text, self._clock.now_ms() // 1000)

    async def attest(self, kind: str, fields: Mapping[str, Value]) -> bytes:
        """Make a statement; gives its block. Raises Refused, ProofInvalid."""
        async with self._turn:
            found = await self._ready(but_soul=kind == SOUL)
            standing = Standing(found.genesis, found.memory, await self._soul_now())
            made = state(found.keys, kind, fields, standing, self._clock.now_ms())
            block = made.block()
            if kind == SOUL:
                await self._remember(found, found.memory.with_soul(standing.soul, block.cid))
            return block.data

    async def sign_psbt(self, psbt: str, claim: SpendClaim) -> str:
        """Sign the own inputs of a transaction that the policy allows; raises Refused."""
        async with self._turn:
            found = await self._ready()
            return await anyio.to_thread.run_sync(self._sign_spend, found, psbt, claim)

    def _sign_spend(self, found: _Open, psbt: str, claim: SpendClaim) -> str:
        now = self._clock.now_ms()
        spend = read_spend(psbt)
        approved = approve(spend, claim, found.genesis, found.memory, self._caps, now)
        memory = found.memory.with_spend(claim.coin, approved.sat, now)
        save_memory(self._folder, found.keys, memory)
        found.memory = memory
        public = bytes.fromhex(found.genesis.coin)
        for index in approved.inputs:
            script = spend.inputs[index].script
            witness = witness_script(found.genesis) if script == coin_script(found.genesis) else b""
            digest = spend.digest(index, witness or code_of(script))
            spend.put(index, public, found.keys.sign_ecdsa(digest), witness)
        return spend.to_base64()

    async def _ready(self, *, but_soul: bool = False) -> _Open:
        if self._open is None:
            raise IdentityLocked("the signer is locked", "run: hermes identity unlock")
        if not but_soul and await self._soul_now() != self._open.memory.soul:
            raise Refused(
                "SOUL.md is not the one that was attested: nothing is signed",
                "look at it and attest it: hermes identity attest",
            )
        return self._open

    async def _soul_now(self) -> str:
        try:
            return soul_digest(await anyio.to_thread.run_sync(soul_bytes, self._soul))
        except OSError:
            return ""

    async def _remember(self, found: _Open, memory: Memory) -> None:
        await anyio.to_thread.run_sync(save_memory, self._folder, found.keys, memory)
        found.memory = memory

    def _put_back(self, found: _Open) -> None:
        """Show again what was signed last: whoever asked did not know it, or it was lost."""
        with suppress(IdentityError):  # the refusal says more
            if found.memory.checkpoint:
                self._write_note(found.keys, found.memory.checkpoint)

    def _write_note(self, keys: Keys, text: str) -> NoteSignature:
        signature = keys.sign_note(text)
        write_whole(self._folder / NOTE, Note(text, (signature,)).format().encode())
        return signature


def _last(genesis: Genesis, memory: Memory) -> Checkpoint:
    if not memory.checkpoint:
        return Checkpoint(genesis.name, 0, EMPTY_ROOT)
    return checkpoint_of(memory.checkpoint)
