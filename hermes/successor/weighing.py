"""From what the stages found to one word; a machine's part of the decision, and no more."""

from collections.abc import Sequence

from hermes.core.verdict import Evidence, Word


def word_of(evidence: Sequence[Evidence], deciding: Sequence[str]) -> Word:
    """`approve` only where every stage that decides was reached and passed."""
    found = {one.stage: one.outcome for one in evidence}
    wanted = [found.get(name, "skipped") for name in ("build", *deciding)]
    if "fail" in wanted:
        return "reject"
    if not deciding or any(one != "pass" for one in wanted):
        return "inconclusive"
    return "approve"


def reasons(word: Word, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """The lines that led to the word, for a person."""
    wanted = {"approve": {"pass"}, "reject": {"fail"}}.get(word, {"inconclusive", "skipped"})
    found = tuple(f"{one.stage}: {one.says}" for one in evidence if one.outcome in wanted)
    return found or ("no stage decided",)
