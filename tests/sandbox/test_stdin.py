"""What a child is given to read; that boxes read it is shown where boxes run."""

import anyio
import anyio.to_thread
import pytest

from hermes.sandbox.stdin import stdin_of

MANY = b"x" * (1 << 20)  # more than a pipe holds


async def test_who_reads_nothing_breaks_nothing():
    with await anyio.to_thread.run_sync(stdin_of, MANY) as stdin:
        done = await anyio.run_process(["true"], stdin=stdin)
    assert done.returncode == 0


@pytest.mark.parametrize("given", [MANY, b""])
async def test_who_reads_has_it_all_and_then_the_end(given):
    with await anyio.to_thread.run_sync(stdin_of, given) as stdin:
        assert (await anyio.run_process(["cat"], stdin=stdin)).stdout == given


async def test_nobody_can_write_to_it():
    with await anyio.to_thread.run_sync(stdin_of, b"mine") as stdin:
        script = "echo x >&0 || cat"
        done = await anyio.run_process(["sh", "-c", script], stdin=stdin)
    assert done.stdout == b"mine"
