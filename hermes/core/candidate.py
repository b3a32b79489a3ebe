"""A candidate: one change of this runtime that wants to be tried, by whoever proposed it."""

from typing import Literal

import msgspec

CANDIDATE_KIND = "hermes/candidate/1"

Source = Literal["person", "agent", "forge", "mesh"]
Goal = Literal["better", "same"]
Effort = Literal["micro", "fast", "full"]
"""How much a trial may use."""


class Candidate(msgspec.Struct, frozen=True):
    """What is tried: a patch on a commit, and the task by which it is to be judged.

    `parent`: the commit, 40 hex digits. `patch`: SHA-256 of the patch as unified diff, kept as a
    blob. `tree`: SHA-256 over the patched tree, path by path. `shape`: the same over the changed
    modules' syntax trees without comments, docstrings and positions: two candidates of one shape
    are one. `goal`: `better` must beat the parent in a benchmark, `same` must not be slower.
    """

    parent: str
    patch: str
    tree: str
    shape: str
    task: str
    by: Source
    goal: Goal = "same"
