import pytest

from hermes.errors import Usage
from hermes.sandbox.box import Box
from hermes.sandbox.standing import run

BURN = """
import os, sys, time
if sys.argv[1] == "child" and os.fork():
    os.wait()
else:
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
"""


def python(standing, code, *words):
    return [standing.ground.python, "-I", "-S", "-c", code, *words]


@pytest.mark.parametrize("who", ["itself", "child"])
async def test_processor_time_is_the_kernels_own_account(standing, who):
    idle = await run(standing, Box(metered=True), python(standing, "pass"))
    busy = await run(standing, Box(metered=True), python(standing, BURN, who))
    assert busy.used.cpu_us - idle.used.cpu_us > 150_000


async def test_the_peak_is_that_of_the_inside_and_not_of_whoever_asks(standing):
    held = bytearray(100 << 20)
    small = await run(standing, Box(metered=True), python(standing, "pass"))
    large = await run(standing, Box(metered=True), python(standing, "bytearray(50 << 20)[::99]"))
    assert held
    assert small.used.peak < 40_000
    assert 50_000 < large.used.peak - small.used.peak + 4_000 < 70_000


async def test_it_tells_how_the_command_ended(standing):
    failed = await run(standing, Box(metered=True), ["/bin/sh", "-c", "echo no >&2; exit 7"])
    assert (failed.why, failed.status, failed.stderr) == ("exit", 7, b"no\n")
    ended = await run(standing, Box(metered=True), ["/bin/sh", "-c", "kill -TERM $$"])
    assert (ended.why, ended.status) == ("signal", -15)


async def test_the_inside_cannot_write_on_the_meters_pipe(standing):
    code = "import os\nprint(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
    metered = await run(standing, Box(metered=True), python(standing, code))
    plain = await run(standing, Box(), python(standing, code))
    assert metered.stdout == plain.stdout


async def test_only_where_it_was_asked_for_and_never_with_a_workspace(standing, open_folder):
    assert (await run(standing, Box(), ["/bin/true"])).used is None
    with pytest.raises(Usage):
        await run(standing, Box(metered=True, workspace=open_folder), ["/bin/true"])
