"""Two real nodes with blob endpoints: each tells the other where it serves chunks."""

import json
import signal
from pathlib import Path

import pytest
from test_node_process import hermes, node
from test_node_process_mesh import free_port, machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def serving(one):
    """Give a machine a blob endpoint; its address."""
    address = f"127.0.0.1:{free_port()}"
    config = Path(one.env["HERMES_V2_HOME"], "config", "config.toml")
    config.write_text(config.read_text() + f'blobs = "{address}"\n')
    return f"http://{address}"


def test_members_learn_where_chunks_are_served():
    with machine() as desk, machine(listens=False, relays=[desk.url]) as laptop:
        told = {serving(desk), serving(laptop)}
        for one in (desk, laptop):
            one.found()
        with node(desk.env) as first, node(laptop.env) as second:
            for one in (first, second):
                one.until("blobs: http://127.0.0.1:")
                one.until("mesh: ")
            laptop.ask("peers", "join", desk.ask("peers", "invite")["code"])
            for one in (desk, laptop):
                one.until(lambda rows: {row["blobs"] for row in rows} == told)
            checks = json.loads(hermes(desk.env, "doctor", "--quick", "--json").stdout)
            assert {one["check"]: one["ok"] for one in checks}["blobs"]
            for one in (first, second):
                assert one.end(signal.SIGTERM)[0] == 0, one.said
