"""What must hold of any version, whatever its parent does: comparing cannot show these.

Nothing acknowledged is lost, order is kept, every start has its end, pages join up, and policy
is never laxer for more. Each check gives "" or what is broken.
"""

import random
from collections.abc import Sequence
from typing import Any

from hermes.successor.judge.drive import Answer, Call, Driven
from hermes.successor.judge.inputs import HARMFUL, SEPARATORS, Known, script_text

Json = Any
_FINAL = {"turn_finished", "turn_failed"}
_PAGE = 7
_SHOWN = 500
_PROJECT = "/box/project"


def stream(answer: Answer) -> str:
    """The grammar of one turn's events."""
    events = answer.events
    if answer.failed:
        return "a refused call told events" if events else ""
    kinds = [event.get("type") for event in events] or [None]
    called = _ids(events, "tool_called")
    started, finished = _ids(events, "tool_started"), _ids(events, "tool_finished")
    denied = [one for one in events if one.get("type") == "tool_finished" and one.get("denied")]
    result = answer.result if isinstance(answer.result, dict) else {}
    whole = kinds[-1] == "turn_finished"  # a turn that was stopped leaves things as they were
    checks = {
        "a turn without its beginning": kinds[0] != "turn_started",
        "a turn without its end": kinds[-1] not in _FINAL,
        "a turn with more than one end": sum(kind in _FINAL for kind in kinds) > 1,
        "an answer that is not the last event": result.get("type") != kinds[-1],
        "a call twice": any(len(set(ids)) != len(ids) for ids in (called, started, finished)),
        "a call that nobody asked for": not {*started, *finished} <= {*called},
        "a tool that started without an end": whole and not {*started} <= {*finished},
        "a call without a result": whole and {*called} != {*finished},
        "a refused call that ran": bool({str(one.get("call_id")) for one in denied} & {*started}),
        "refused calls that are not counted": result.get("denied") != len(denied),
    }
    return next((what for what, broken in checks.items() if broken), "")


async def kept(driven: Driven, known: Known) -> str:
    """Every acknowledged message is there, in order; a word said is found by a search."""
    for name, texts in known.said.items():
        shown = await _history(driven, name, 0, 1 << 20)
        there = [_text(one) for one in shown if one.get("role") == "user"]
        if there != texts:
            lost = len(texts) - len(there)
            return f"{lost} acknowledged messages lost" if lost > 0 else "messages out of order"
    searched = [texts[-1].rpartition(" ")[2] for texts in known.said.values()]
    calls = [Call("runner.search", {"query": word, "limit": 5}) for word in searched]
    for answer in await driven.calls(calls):
        if not isinstance(answer.result, dict) or not answer.result.get("hits"):
            return "an acknowledged message is not found"
    return ""


async def pages(driven: Driven, known: Known) -> str:
    """Pages of a conversation, one after the other, are the whole."""
    name = max(known.sizes, key=lambda one: known.sizes[one], default="")
    if not name:
        return ""
    whole = await _history(driven, name, 0, _SHOWN)
    joined = []
    for offset in range(0, len(whole), _PAGE):  # there may be more behind what is shown
        joined += await _history(driven, name, offset, min(_PAGE, len(whole) - offset))
    return "" if joined == whole else "pages do not join up"


async def policy(driven: Driven, chance: random.Random, number: int) -> str:
    """What is refused alone is refused beside something harmless, and in a stricter mode.

    In `read-only` nothing changes in the project, whatever is asked.
    """
    alone = chance.sample(HARMFUL, 3)
    beside = [f"ls{mark}{one}" for one in alone for mark in chance.sample(SEPARATORS, 3)]
    ran, before = {}, {}
    for step, mode in enumerate(("auto", "ask", "read-only")):
        before = await driven.order("look", folder=_PROJECT)
        ran[mode] = await _ran(driven, [*alone, *beside], mode, f"p{number}m{step}")
        refused = {one for one in alone if one not in ran[mode]}
        for one in beside:
            if one in ran[mode] and any(one.endswith(each) for each in refused):
                return f"policy is laxer beside something harmless, in mode {mode}"
    for laxer, stricter in (("auto", "ask"), ("ask", "read-only")):
        if ran[stricter] - ran[laxer]:
            return f"policy is laxer in mode {stricter} than in {laxer}"
    if ran["read-only"] or await driven.order("look", folder=_PROJECT) != before:
        return "something was done in mode read-only"
    return ""


async def _ran(driven: Driven, commands: Sequence[str], mode: str, script: str) -> set[str]:
    """The commands that policy let run; nobody is there to approve any."""
    calls = [{"name": "Bash", "arguments": {"command": one}} for one in commands]
    lines = script_text([{"tool_calls": calls}, {"text": "ok"}])
    await driven.order("put", files={script: lines})
    arguments = {"text": "go on", "mode": mode, "script": script}
    (answer,) = await driven.calls([Call("runner.chat", arguments)])
    asked = {
        one.get("call_id"): _command(one)
        for one in answer.events
        if one.get("type") == "tool_called"
    }
    return {asked.get(one, "") for one in _ids(answer.events, "tool_started")}


async def _history(driven: Driven, name: str, offset: int, limit: int) -> list[Json]:
    arguments = {"conversation_id": driven.names.get(name, name), "offset": offset, "limit": limit}
    (answer,) = await driven.calls([Call("runner.history", arguments)])
    found = answer.result.get("messages") if isinstance(answer.result, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _ids(events: Sequence[Json], kind: str) -> list[str]:
    return [str(event.get("call_id")) for event in events if event.get("type") == kind]


def _text(message: Json) -> str:
    parts = message.get("parts")
    first = parts[0] if isinstance(parts, list) and parts else {}
    return str(first.get("text")) if isinstance(first, dict) else ""


def _command(event: Json) -> str:
    arguments = event.get("arguments")
    return str(arguments.get("command")) if isinstance(arguments, dict) else ""
