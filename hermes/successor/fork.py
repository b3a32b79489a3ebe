"""`fork_successor`: tries a change of this runtime on a clone of it, and says what became of it.

    successor = fork_successor(
        current_state=session.export(),
        architecture_patch=Path("docs/proposed-patch.md").read_bytes(),
        evaluation_task="Verify this patch improves throughput without breaking tests",
    )
    verdict = successor.run_until_complete()

The clone has a store, tools and a budget of its own; nothing of the parent changes.
"""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import anyio
import msgspec
from anyio.from_thread import start_blocking_portal

from hermes.core.ids import Cid
from hermes.core.verdict import Verdict
from hermes.errors import Usage
from hermes.load import load
from hermes.successor.books import Trial
from hermes.successor.trial import Order, Terms, Workshop, run_trial

OpenWorkshop = Callable[[], AbstractAsyncContextManager[Workshop]]
"""Opens what trials are made with, in the event loop that then runs one."""


_PLAIN = Terms()


class Successor:
    """A change that is to be tried, once."""

    def __init__(self, order: Order, workshop: OpenWorkshop) -> None:
        self.order = order
        self._workshop = workshop
        self.trial: Trial | None = None

    async def complete(self) -> Verdict:
        """Try it, or look up the verdict on the very same change.

        Raises PatchInvalid, BuildFailed, Halted and NotAvailable.
        """
        async with self._workshop() as workshop:
            judged = await run_trial(workshop, self.order)
            self.trial = judged.trial
            if judged.verdict is not None:
                return judged.verdict
            return await workshop.book.read(Cid(self.trial.candidate), self.trial.verdict)

    def run_until_complete(self) -> Verdict:
        """The same for a program without an event loop; raises Usage where one runs."""
        if _in_a_loop():
            raise Usage(
                "run_until_complete would stop the event loop that runs here",
                "await successor.complete()",
            )
        # A loop in a thread of its own, which outlives every box: boxes die with their thread.
        with start_blocking_portal() as portal:
            return portal.call(self.complete)


def fork_successor(
    *,
    current_state: bytes,
    architecture_patch: str | bytes,
    evaluation_task: str,
    workshop: OpenWorkshop | None = None,
    terms: Terms = _PLAIN,
) -> Successor:
    """A successor of this runtime with a patch on it; nothing runs yet.

    Args:
        current_state: `session.export()`.
        architecture_patch: a diff, or Markdown with diffs in it.
        evaluation_task: what is to be shown, in words.
        workshop: opens what trials are made with; None: the store of this process's settings.
        terms: who proposes it, to which end, and what it may use.
    """
    patch = architecture_patch
    if isinstance(patch, str):
        patch = patch.encode(errors="surrogateescape")
    fields = msgspec.structs.asdict(terms)
    order = Order(patch=patch, task=evaluation_task, state=current_state, **fields)
    return Successor(order, workshop or _here)


def _here() -> AbstractAsyncContextManager[Workshop]:
    """What the environment names: this function is the front door of a program, as `cli` is."""
    opened: AbstractAsyncContextManager[Workshop] = load("library").workshop_of(os.environ)
    return opened


def _in_a_loop() -> bool:
    try:
        anyio.get_current_task()
    except RuntimeError:
        return False
    return True
