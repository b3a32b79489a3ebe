"""Fifty real nodes in four processes, at the live node's own pace; one process is killed."""

import pytest

from benchmarks.mesh_real import COUNT, MOST_KB, PROCESSES, SEEN_S, measured

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(240)]


async def test_fifty_nodes_find_each_other_and_miss_those_that_are_killed(tmp_path):
    assert (COUNT, PROCESSES) == (50, 4)
    found = await measured(tmp_path, 10.0)
    assert found.seen_s <= SEEN_S
    assert found.mean_kb <= MOST_KB
    assert found.letters == 450  # each of them arrived, or there would be no figures
    assert found.twice == 0
