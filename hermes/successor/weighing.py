"""From what the stages found to one word; a machine's part of the decision, and no more."""

from collections.abc import Sequence

from hermes.core.verdict import Evidence, Word


def word_of(evidence: Sequence[Evidence], deciding: Sequence[str]) -> Word:
    """`approve` only where every stage that decides was reached, and at least one passed.

    One that says itself that it has nothing to say stands in nobody's way.
    """
    found = {one.stage: one.outcome for one in evidence}
    if any(found.get(name) == "fail" for name in ("build", *deciding)):
        return "reject"
    heard = [found.get(name, "inconclusive") for name in deciding]
    if "inconclusive" in heard or "pass" not in heard or found.get("build") != "pass":
        return "inconclusive"
    return "approve"


def reasons(word: Word, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """The lines that led to the word, for a person."""
    wanted = {"approve": {"pass"}, "reject": {"fail"}}.get(word, {"inconclusive", "skipped"})
    found = tuple(f"{one.stage}: {one.says}" for one in evidence if one.outcome in wanted)
    return found or ("no stage decided",)
