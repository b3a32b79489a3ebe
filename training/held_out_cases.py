"""What was held out as cases of an evaluation: each request that was answered with calls."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.conversations import Conversation
from training.whole import write_whole


def write_cases(path: Path, talks: Iterable[Conversation]) -> int:
    """Write a file that `hermes train eval --cases` reads; returns how many, none without one."""
    lines = [json.dumps(case, ensure_ascii=False) for talk in talks for case in _cases(talk)]
    if lines:
        write_whole(path, lambda beside: beside.write_text("\n".join(lines) + "\n", "utf-8"))
    return len(lines)


def _cases(talk: Conversation) -> Iterator[dict[str, object]]:
    for place, message in enumerate(talk.messages):
        calls = message.get("tool_calls")
        if calls and place and talk.messages[place - 1]["role"] == "user":
            yield {
                "messages": list(talk.messages[:place]),
                "tool": [call["name"] for call in calls],
                "args": [call["arguments"] for call in calls],
            }
