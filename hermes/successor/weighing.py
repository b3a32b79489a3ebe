"""From what the stages found to one word; a machine's part of the decision, and no more."""

from collections.abc import Sequence

from hermes.core.verdict import Evidence, Word

_TASK = "task"


def word_of(evidence: Sequence[Evidence], deciding: Sequence[str]) -> Word:
    """`approve` only where every stage that decides passed.

    The task alone may have nothing to say: not every task can be looked at by a machine.
    """
    found = {one.stage: one.outcome for one in evidence}
    if any(found.get(name) == "fail" for name in ("build", *deciding)):
        return "reject"
    heard = {name: found.get(name) for name in ("build", *deciding)}
    silent = heard.get(_TASK) in {"skipped", "advisory"}
    if not deciding or any(
        outcome != "pass" and not (name == _TASK and silent) for name, outcome in heard.items()
    ):
        return "inconclusive"
    return "approve"


def reasons(word: Word, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """The lines that led to the word, for a person."""
    wanted = {"approve": {"pass"}, "reject": {"fail"}}.get(word, {"inconclusive", "skipped"})
    found = tuple(f"{one.stage}: {one.says}" for one in evidence if one.outcome in wanted)
    return found or ("no stage decided",)
