"""What the scripted model answers, and how either protocol writes it.

What to answer stands in the newest user message: `SCN_TOOLS=n` asks for n shell calls, one
after another; `SCN_PAR=n` for n in one message; `SCN_SLEEP=s` makes each sleep; `SCN_READ=p`
makes them read a file; `SCN_DONE` ends with the command that mini-swe-agent takes for an
answer. Without a word, and in the end, it says "pong".
"""

import json
import re
import time
from typing import Any

Json = dict[str, Any]
SHELLS = ("Bash", "bash", "terminal", "exec_command", "shell", "shell_command", "local_shell")
READERS = ("FileRead", "read_file", "read", "Read")
SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
DEFAULTS: Json = {"string": "x", "integer": 1, "number": 1, "array": [], "object": {}}


def text_of(message: Json) -> str:
    """The words of a message, in either protocol."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def tools_of(body: Json) -> dict[str, Json]:
    """The offered tools: name to JSON schema."""
    found: dict[str, Json] = {}
    for tool in body.get("tools") or []:
        for one in tool.get("tools") or [tool]:  # Responses groups tools in namespaces
            inner = one.get("function") or one
            found[inner.get("name") or one.get("type", "")] = inner.get("parameters") or {}
    return found


def call(tools: dict[str, Json], command: str, path: str) -> tuple[str, Json]:
    """Choose the tool and fill its arguments by its own schema."""
    wanted = READERS if path else SHELLS
    name = next((name for name in wanted if name in tools), None)
    if name is None:  # prefixed by an extension's name
        name = next((n for n in tools if n.endswith(("shell", "bash"))), next(iter(tools)))
    schema = tools[name]
    arguments: Json = {}
    for key, value in (schema.get("properties") or {}).items():
        if key in {"command", "cmd", "script"}:
            arguments[key] = ["bash", "-lc", command] if value.get("type") == "array" else command
        elif key in {"path", "filePath", "file_path"} and path:
            arguments[key] = path
        elif key in (schema.get("required") or ()):
            arguments[key] = DEFAULTS.get(value.get("type", ""), False)
    return name, arguments


def plan(messages: list[Json], tools: dict[str, Json]) -> list[tuple[str, Json]]:
    """The calls that are due now; none: the answer is due."""
    asked = [i for i, m in enumerate(messages) if m.get("role") == "user"]
    scripted = [i for i in asked if "SCN_" in text_of(messages[i])]
    # Some agents end what is not a call with a user message of their own.
    since = max(scripted or asked or [0])
    words = text_of(messages[since]) if messages else ""
    if not tools:
        return []
    after = messages[since + 1 :]
    outputs = {m.get("call_id") for m in after if str(m.get("type")).endswith("_call_output")}
    done = len(outputs) + sum(1 for m in after if m.get("tool_calls"))

    def word(name: str) -> str:
        found = re.search(rf"SCN_{name}=([^\s<>\"']+)", words)
        return found[1] if found else ""

    sleep, path = word("SLEEP"), word("READ")
    before = f"sleep {sleep}; " if sleep else ""
    if done < int(word("TOOLS") or 0):
        return [call(tools, f"{before}echo hi {done}", path)]
    if done == 0 and word("PAR"):
        return [call(tools, f"{before}echo hi {i}", path) for i in range(int(word("PAR")))]
    if "SCN_DONE" in words:
        return [call(tools, SUBMIT, "")]
    return []


def usage_of(size: int) -> Json:
    """Tokens, estimated."""
    return {"prompt_tokens": size // 4, "completion_tokens": 5, "total_tokens": size // 4 + 5}


def completion(mark: str, calls: list[tuple[str, Json]], size: int) -> Json:
    """The whole answer as a chat completion."""
    message: Json = {"role": "assistant", "content": None if calls else "pong"}
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{mark}_{i}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for i, (name, arguments) in enumerate(calls)
        ]
    reason = "tool_calls" if calls else "stop"
    return {
        "id": f"chatcmpl-{mark}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": "fake",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": usage_of(size),
    }


def chunks(whole: Json) -> list[Json]:
    """The same answer as stream chunks."""
    message = whole["choices"][0]["message"]
    head = whole | {"object": "chat.completion.chunk"}
    del head["usage"]
    calls = [one | {"index": i} for i, one in enumerate(message.get("tool_calls", ()))]
    first: Json = {"role": "assistant", "content": message["content"]}
    deltas = [first, *({"tool_calls": [one]} for one in calls), {}]
    out = []
    for i, delta in enumerate(deltas):
        reason = whole["choices"][0]["finish_reason"] if i == len(deltas) - 1 else None
        out.append(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    return [*out, head | {"choices": [], "usage": whole["usage"]}]


def response(whole: Json) -> Json:
    """The same answer in the Responses protocol."""
    message, mark = whole["choices"][0]["message"], whole["id"]
    output: list[Json] = [
        {
            "type": "function_call",
            "id": f"fc_{one['id']}",
            "call_id": one["id"],
            "status": "completed",
            **one["function"],
        }
        for one in message.get("tool_calls", ())
    ]
    if not output:
        text = {"type": "output_text", "text": message["content"], "annotations": []}
        item = {"type": "message", "id": f"msg_{mark}", "role": "assistant", "content": [text]}
        output = [item | {"status": "completed"}]
    return {
        "id": f"resp_{mark}",
        "object": "response",
        "created_at": whole["created"],
        "status": "completed",
        "model": "fake",
        "output": output,
        "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
    }


def response_events(whole: Json) -> list[Json]:
    """The Responses answer as stream events."""
    events: list[Json] = [
        {"type": "response.created", "response": whole | {"status": "in_progress", "output": []}}
    ]
    for i, item in enumerate(whole["output"]):
        place = {"output_index": i, "item_id": item["id"]}
        events.append({"type": "response.output_item.added", "output_index": i, "item": item})
        if item["type"] == "message":
            delta = {"content_index": 0, "delta": item["content"][0]["text"]}
            events.append({"type": "response.output_text.delta", **place, **delta})
        events.append({"type": "response.output_item.done", "output_index": i, "item": item})
    return [*events, {"type": "response.completed", "response": whole}]
