"""Candidates, verdicts and versions in words: plain ones first, figures, then the difference."""

from collections.abc import Iterator

from hermes.core.clock import rfc3339
from hermes.core.event import Json

_WORDS = {
    "approve": "The judge approves it.",
    "reject": "The judge rejects it.",
    "inconclusive": "The judge cannot tell: that is neither a yes nor a no.",
}
_MARKS = {"pass": "+", "fail": "-", "inconclusive": "?", "advisory": ".", "skipped": "."}
_IDS = 5


def short(cid: str) -> str:
    """How a candidate is called between people: the end of its CID, where they differ."""
    return cid[-8:]


def list_lines(told: Json) -> list[str]:
    """The newest trials, a line each."""
    lines = [
        f"{short(one['candidate'])}  {one['tag'] or one['word'] or _stands(one)}: {one['task']}"
        for one in told
    ]
    return lines or ["nothing was tried yet"]


def shown_lines(told: Json) -> list[str]:
    """One candidate, as `successor.show` tells it."""
    candidate, verdict = told["candidate"], told["verdict"]
    lines = [_WORDS[verdict["word"]] if verdict else _without(told.get("trials"))]
    lines += [f"  {reason}" for reason in (verdict or {}).get("reasons", ())]
    lines += [
        "",
        f"candidate  {candidate['cid']}",
        f"on commit  {candidate['parent']}",
        f"by         {candidate['source']}",
        f"task       {candidate['task']}",
    ]
    if verdict:
        lines += ["", *_evidence(verdict), "", *_ground(verdict)]
    if "+++ b/pyproject.toml" in told["diff"]:
        lines.append("It changes pyproject.toml: where libraries differ, run `make setup` first.")
    lines += [_word(one) for one in told["words"]]
    lines += [_adoption(one) for one in told["adoptions"]]
    lines += [line for one in told.get("versions", ()) for line in _hands(one)]
    return [*lines, "", *told["diff"].split("\n"), f"difference {told['diff_sha256']}"]


def _stands(trial: Json) -> str:
    """How a trial without a verdict stands."""
    if trial["state"] == "failed":
        return f"failed, {trial['why']}"
    return f"under way ({trial['stage']})" if trial.get("stage") else "under way"


def _without(trials: Json) -> str:
    if trials and trials[0]["state"] == "failed":
        return f"There is no verdict: the trial failed, {trials[0]['why']}"
    return "There is no verdict yet."


def version_lines(told: Json) -> list[str]:
    """The versions that ran here, oldest first, and which words on each of them hold."""
    lines: list[str] = []
    for one in told:
        became = one["outcome"] or "in force"
        name = f"{one['tag']}  commit {one['version'][:12]}, tree {one['tree'][:12]}, {became}"
        lines += [name, *_hands(one)]
    return lines or ["the installed code: no version was adopted here"]


def answer_lines(told: Json) -> list[str]:
    """What came of a word on a candidate."""
    if told["answer"] == "reject":
        return [f"{told['candidate']} is rejected."]
    if told.get("runs"):
        return [f"The node runs {told['tag']}, on probation."]
    when = "the node hands itself over to it" if told["live"] else "it runs from the next start"
    lines = [f"It is {told['tag']} (commit {told['version'][:12]}): {when}, on probation."]
    if where := told.get("published"):
        lines.append(
            f"{where} has the tag, and the branch hermes/adopted; its files are as before."
        )
    return [*lines, "Back: hermes successor rollback"]


def status_lines(told: Json) -> list[str]:
    """Which version runs, and what holds things up."""
    lines = [f"version: {told['current'] or 'the installed code'}"]
    if told["runs"] != told["current"]:
        lines.append(f"this process runs {told['runs'] or 'the installed code'} until it ends")
    if told["stage"]:
        says = f" ({told['says']})" if told["says"] else ""
        lines.append(f"{told['tag']}: {_STAGES[told['stage']]}{says}")
    stops = told["stops"]
    lines.append(f"trials in 24 hours: {stops['begun_today']} of {stops['most_a_day']}")
    lines.append(
        f"in a row without an approving verdict: {stops['failures']} of {stops['halt_after']}"
    )
    if stops["reason"]:
        lines += [f"stopped: {stops['reason']}", f"  {stops['remedy']}"]
    return lines


_STAGES = {
    "trying": "is being taken up",
    "probation": "is on probation",
    "kept": "passed its probation",
    "leaving": "is being left",
    "left": "was left",
}


def _evidence(verdict: Json) -> Iterator[str]:
    for one in verdict["evidence"]:
        yield f"{_MARKS[one['outcome']]} {one['stage']}: {one['outcome']}: {one['says']}"
        for ratio in one["ratios"]:
            yield f"    {_ratio(ratio)}"
        if one["ids"]:
            more = len(one["ids"]) - _IDS
            rest = f" and {more} more" if more > 0 else ""
            yield f"    {', '.join(one['ids'][:_IDS])}{rest}"


def _ratio(ratio: Json) -> str:
    low, middle, high = (_change(ratio[name]) for name in ("low", "middle", "high"))
    return f"{ratio['name']}: {ratio['word']}, {middle} ({low} to {high}), {ratio['pairs']} pairs"


def _change(thousandths: int) -> str:
    return f"{(thousandths - 1000) / 10:+.1f} %"


def _ground(verdict: Json) -> Iterator[str]:
    spent, ward = verdict["spent"], verdict["ward"]
    yield (
        f"took {spent['wall_ms'] / 1000:.1f} s, {spent['cpu_ms'] / 1000:.1f} s of CPU, "
        f"{spent['peak_kib'] // 1024} MiB, {spent['tokens']} tokens; sandbox tier {ward['tier']}"
    )
    for one in verdict["limits"]:
        yield f"ran into a limit: {one}"
    for one in verdict["person_only"]:
        yield f"only a person may adopt it: {one}"


def _word(one: Json) -> str:
    why = f": {one['reason']}" if one["reason"] else ""
    signed = "signed" if one["by"] else "not signed"
    said = "approved" if one["answer"] == "approve" else "rejected"
    return f"{said} by {one['who']} ({one['door']}, {signed}){why}"


def _hands(one: Json) -> Iterator[str]:
    before = one["previous"] or "the installed code"
    for who, what in (
        (f"named by {before}", one["named"]),
        (f"taken by {one['tag']}", one["taken"]),
    ):
        when = f" {rfc3339(what['at'])}, {what['cid']}" if what["cid"] else ""
        yield f"  {who}: {_STANDS[what['stands']]}{when}"


_STANDS = {
    "signed": "signed",
    "not signed": "not signed, there was no identity",
    "missing": "nothing yet",
    "wrong": "it does NOT hold",
}


def _adoption(one: Json) -> str:
    why = f": {one['why']}" if one["why"] else ""
    return f"adopted as {one['tag']}, {one['outcome'] or 'under way'}{why}"
