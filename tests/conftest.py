"""What holds for every test: asyncio, no socket beyond loopback, no blocking call, no deadline.

And for CI: a test skipped for a reason that allowed_skips.txt does not know fails the run.
"""

import ipaddress
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings

from hermes.sandbox.standing import Standing, examine

# argparse looks on the disk for a translation of each of its words, for every parser that is made.
os.environ["LANGUAGE"] = "C"

# Nothing is timed: on a loaded machine any example may take long. What CI has of its own stays.
settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def _is_near(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a unix socket's path
    host = os.fsdecode(address[0]) if isinstance(address[0], bytes | str) else ""
    if host in {"localhost", ""}:
        return True
    try:
        return ipaddress.ip_address(host.split("%", maxsplit=1)[0]).is_loopback
    except ValueError:
        return False


def _guard(event: str, args: tuple[object, ...]) -> None:
    if event in {"socket.connect", "socket.sendto", "socket.bind"} and not _is_near(args[1]):
        raise AssertionError(f"{event} beyond loopback: {args[1]!r}")
    if event == "socket.getaddrinfo" and not _is_near((args[0] or "localhost",)):
        raise AssertionError(f"a look-up beyond loopback: {args[0]!r}")


sys.addaudithook(_guard)


@pytest.fixture(scope="session")
def standing() -> Standing:
    """What this machine's sandbox is worth; what needs all of it is skipped elsewhere."""
    found = anyio.run(examine)
    if found.tier not in {"A", "A-"}:
        pytest.skip(f"this machine gives no user namespace: {found.reason}")
    return found


@pytest.fixture(autouse=True)
def _no_blocking_calls() -> Iterator[None]:
    buster = BlockBuster(scanned_modules="hermes")
    # anyio looks for an old socket's file before it listens: once, microseconds.
    buster.functions["os.stat"].can_block_in("anyio/_core/_sockets.py", "setup_unix_local_socket")
    buster.activate()
    yield
    buster.deactivate()


# Short each and long together: what starts processes, relays or boxes goes with the slow ones.
LONG = {
    *("test_doctor.py", "test_identity.py", "test_train_verbs.py", "test_sandbox.py"),
    *("test_homes.py", "test_homes_rights.py", "test_replication.py", "test_replication_rough.py"),
    *("test_proposals.py", "test_stops.py", "test_node_process.py", "test_node_process_mesh.py"),
    *("test_dms_rough.py", "test_large_letters.py", "test_nostr_link.py", "test_nostr_ear.py"),
    *("test_made_up_past.py", "test_dreamer.py", "test_kill9.py", "test_engine_supervisor.py"),
    *("test_handoff.py", "test_watch_regtest.py", "test_gate_killed.py", "test_gate_probation.py"),
    *("test_adopting.py", "test_prefixes_served.py", "test_doctor_vectors.py", "test_signer.py"),
    *("test_serve_runner.py", "test_warrants.py", "test_relay_crash.py", "test_store_crash.py"),
    *("test_merkle_log_crash.py", "test_library.py"),
}


# Their deadlines are those of the product.
BARE = {"bare", "inside_b"}
ALONE = {"test_homes_lost.py", "test_homes_killed.py", "test_node_shutdown.py", "test_regtest.py"}


# What runs this very checkout in boxes: as root that is another user, who must be able to read it.
RUNS_IT = {
    "test_tiers.py",
    "test_proposals.py",
    "test_held_turns.py",
    "test_held_commands.py",
    "test_held.py",
}
PURE = {"test_paired.py", "test_trees.py", "test_weighing.py", "test_patch.py", "test_frames.py"}


def _others_can_read() -> bool:
    places = [Path(sys.executable).absolute(), Path(__file__).resolve()]
    return all(one.stat().st_mode & 0o001 for place in places for one in place.parents)


def _runs_it(item: pytest.Item) -> bool:
    trial = item.path.parent.name == "successor" and item.path.name not in PURE
    return trial or item.path.name in RUNS_IT or "docs/successor.md-0" in item.nodeid


def pytest_configure() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background: inherited
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    private = os.geteuid() == 0 and not _others_can_read()
    for item in items:
        if private and _runs_it(item):
            item.add_marker(pytest.mark.skip(reason="another user cannot run this checkout"))
        if item.path.name in ALONE and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.alone)
        if BARE & {*item.fixturenames}:  # others' boxes count as the same user's processes
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.alone)
        boxed = "standing" in item.fixturenames and item.path.name != "test_escapes.py"
        if boxed or item.path.name in LONG:
            item.add_marker(pytest.mark.slow)


def _unwanted_skips(config: pytest.Config) -> list[str]:
    lines = Path(__file__).with_name("allowed_skips.txt").read_text().splitlines()
    allowed = [line for line in lines if line and not line.startswith("#")]
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    said = [f"{one.nodeid}: {one.longrepr[2]}" for one in skipped]
    return [one for one in said if not any(re.search(reason, one) for reason in allowed)]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("CI") and _unwanted_skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") and (unwanted := _unwanted_skips(terminalreporter.config)):
        terminalreporter.section("skipped for a reason that CI does not allow")
        for one in unwanted:
            terminalreporter.line(one)
