"""Bitcoin Core's own consensus engine in this process (py-bitcoinkernel), on a regtest chain.

The one place that knows `pbk`'s chain state. It decides which blocks are valid and which branch
is best; it has no mempool, no wallet and no network. All methods block: call them in a thread.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pbk

from hermes.testing.regtest.parsed import hash_of


class BlockInvalid(Exception):
    """The kernel's rules forbid a block."""


class Kernel:
    """A chain that begins at regtest's genesis block; its files are thrown away."""

    def __init__(self, home: Path, blocks: Iterable[bytes] = ()) -> None:
        self._verdict = ""
        self._callbacks = pbk.ValidationInterfaceCallbacks(block_checked=self._checked)
        context = pbk.make_context(pbk.ChainType.REGTEST, self._callbacks)
        options = pbk.ChainstateManagerOptions(context, str(home), str(home / "blocks"))
        options.update_block_tree_db_in_memory(block_tree_db_in_memory=True)
        options.update_chainstate_db_in_memory(chainstate_db_in_memory=True)
        self._state = pbk.ChainstateManager(options)
        self._entries = self._state.get_active_chain().block_tree_entries
        self.genesis = bytes(self._state.blocks[self._entries[0]])
        for block in blocks:
            with suppress(BlockInvalid):  # a side branch's, found out only when it was to win
                self.submit(block)

    def submit(self, block: bytes) -> None:
        """Take a block, on whatever branch; raises BlockInvalid with the kernel's reason."""
        self._verdict = ""
        try:
            self._state.process_block(pbk.Block(block))
        except (pbk.ProcessBlockException, RuntimeError) as error:
            raise BlockInvalid(self._verdict or "rejected") from error
        if self._verdict:
            raise BlockInvalid(self._verdict)

    def active(self, known: Sequence[bytes]) -> tuple[int, list[bytes]]:
        """How much of a known chain still holds (in blocks), and the hashes that follow it."""
        fork = min(len(known), len(self._entries))
        while self._hash(fork - 1) != known[fork - 1]:
            fork -= 1
        return fork, [self._hash(height) for height in range(fork, len(self._entries))]

    def holds(self, block: bytes) -> bool:
        """Whether a block is known, on whatever branch."""
        return pbk.BlockHash(hash_of(block)) in self._state.block_tree_entries

    def _hash(self, height: int) -> bytes:
        return bytes(self._entries[height].block_hash)

    def _checked(self, _data: object, _block: object, state: pbk.BlockValidationState) -> None:
        if state.validation_mode is not pbk.ValidationMode.VALID:
            self._verdict = str(state.block_validation_result.name).lower()
