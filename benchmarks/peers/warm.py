"""A turn in a running owner: what Hermes adds to the model's own time.

No process start is in the number, and the model's time is the endpoint's own record.
"""

import time
from pathlib import Path

from benchmarks import Row, at_most, told
from benchmarks.measure import fsync_ms, home, median
from benchmarks.owner import Door, owner
from benchmarks.peers.service import Service

FSYNCS = 8
SLACK_MS = 3.0
CASES = {
    "read": "SCN_TOOLS=1 SCN_READ=a.txt go",
    "Bash": "SCN_TOOLS=1 go",
    "no tool": "ping",
}


def added_ms(
    door: Door, model: str, prompt: str, service: Service, conversation: str
) -> tuple[float, str]:
    """Milliseconds from asking to the final event, less what the model took; the conversation."""
    since = time.time()
    start = time.perf_counter()
    events = door.turn(prompt, model, conversation)
    whole = time.perf_counter() - start
    if events[-1]["type"] != "turn_finished" or events[-1].get("denied"):
        raise RuntimeError(events[-1])
    model_s = sum(one.done - one.at for one in service.asked(since))
    return (whole - model_s) * 1000, events[0]["conversation_id"]


def rows(service: Service, times: int) -> list[Row]:
    """One turn with one tool call: a file read, and for comparison a command and none."""
    model = f"{service.url}#fake"
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    with home() as env, owner(env, "--model", model) as door:
        (Path(env["PWD"]) / "a.txt").write_text("alpha\n")
        data = Path(env["HERMES_V2_HOME"]) / "data"
        disk = fsync_ms(data)
        for name, prompt in CASES.items():
            _, conversation = added_ms(door, model, prompt, service, "")
            for _ in range(times):
                added, _ = added_ms(door, model, prompt, service, conversation)
                taken[name].append(added)
        disk = (disk + fsync_ms(data)) / 2
    limit = round(FSYNCS * disk + SLACK_MS, 1)
    what = "running owner: beyond the model, a turn with one"
    return [
        told("this disk: one fsync", disk, "ms"),
        at_most(f"{what} read", median(taken["read"]), "ms", limit),
        told(f"{what} Bash", median(taken["Bash"]), "ms"),
        told(f"{what[:-4]} no tool", median(taken["no tool"]), "ms"),
    ]
