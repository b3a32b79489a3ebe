"""Changes of this runtime as the owner serves them, and to whom it does not."""

import os
import sys
from pathlib import Path

import anyio
import pytest

from hermes.core.candidate import Candidate
from hermes.core.clock import SystemClock
from hermes.errors import HermesError
from hermes.store.blobs import digest_of
from hermes.store.store import Store
from hermes.store.trials import NewTrial

PATCH = b"--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+x\n"


CHILD = """
import sys
from pathlib import Path
import anyio
from house import House
from hermes.errors import HermesError
async def main(base, query):
    async with House(Path(base)).client() as client:
        try:
            await client.query(query)
            print("done")
        except HermesError as error:
            print(error)
anyio.run(main, *sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("successor.resume", "no word on versions"),
        ("successor.rollback", "no word on versions"),
        ("successor.status", "done"),
        ("successor.stop", "done"),
    ],
)
async def test_a_child_of_the_owner_has_no_word(house, query, said):
    here = Path(__file__).parent
    async with house.client() as client:
        env = dict(os.environ) | {"PYTHONPATH": f"{here}:{here.parents[1]}"}
        command = [sys.executable, "-c", CHILD, str(house.base), query]
        done = await anyio.run_process(command, env=env)
        assert said in done.stdout.decode()
        await client.query("successor.resume")  # the person in this process has


async def test_what_is_kept_is_shown(house):
    candidate = Candidate("1" * 40, digest_of(PATCH), "2" * 64, "3" * 64, "faster", "agent")
    async with Store.open(house.settings.data_dir / "hermes.db", SystemClock()) as store:
        trial = await store.trials.begin(
            candidate, PATCH, b"the difference", NewTrial("fast", "ab", "1" * 40)
        )
    async with house.client() as client:
        (row,) = await client.query("successor.list")
        assert (row["candidate"], row["state"], row["task"]) == (
            trial.candidate,
            "failed",  # its process died
            "faster",
        )
        assert row["name"] == trial.candidate[-8:]
        shown = await client.query("successor.show", name=row["name"])
        assert shown["diff"] == "the difference"
        assert shown["verdict"] is None
        word = {"answer": "approve", "diff": shown["diff_sha256"], "who": "me"}
        with pytest.raises(HermesError, match="no verdict"):
            await client.query("successor.answer", name=trial.id, word=word)
        with pytest.raises(HermesError, match="installed code"):
            await client.query("successor.rollback")


async def test_the_stop_is_a_file_that_anybody_can_lay(house):
    async with house.client() as client:
        flag = house.settings.data_dir / "emergency_stop.flag"
        await anyio.to_thread.run_sync(flag.write_text, "by hand\n")
        status = await client.query("successor.status")
        assert status["stops"]["reason"] == "the emergency stop is on: by hand"
        with pytest.raises(HermesError, match="by hand"):
            await client.query("successor.run", wish={"task": "x", "patch": "eA=="})
        await client.query("successor.resume")
        assert not await anyio.to_thread.run_sync(flag.exists)
