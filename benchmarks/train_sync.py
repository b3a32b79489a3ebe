"""Four workers that talk seldom beside plain data parallel; needs the extra `train`."""

import importlib
import importlib.util

from benchmarks import Row, note


def main(quick: bool) -> list[Row]:  # noqa: FBT001 - the scripts' one signature
    """Measure, where torch is there."""
    if importlib.util.find_spec("torch") is None:
        return [note("sync", "torch is not installed: the extra 'train' has it")]
    rows: list[Row] = importlib.import_module("benchmarks.sync_simulated").measure(quick=quick)
    return rows
