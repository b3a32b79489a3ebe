"""Under which sandbox a verdict was reached, in the words that are signed with it."""

import anyio

from hermes.core.verdict import Ward
from hermes.sandbox.standing import Standing
from hermes.store.blobs import digest_of

_WAIT_S = 10.0


async def ward_of(standing: Standing) -> Ward:
    """Tier, kernel, versions, and the digest of what the self-test found."""
    ground = standing.require("A", "A-")
    with anyio.fail_after(_WAIT_S):
        said = await anyio.run_process([ground.bwrap, "--version"], env={}, cwd="/", check=False)
    axes = "\n".join(f"{one.name} {one.held} {one.control}" for one in standing.axes)
    return Ward(
        tier="A" if standing.tier == "A" else "A-",
        kernel=ground.kernel,
        landlock=ground.landlock,
        bubblewrap=said.stdout.decode(errors="replace").strip()[:40],
        self_test=digest_of(axes.encode()),
    )
