"""A long conversation becomes a request for each of its steps, in a window too small for it."""

import random
from collections.abc import Iterator

from hermes.core.ids import CallId, ConversationId, NodeId, SessionId, TurnId
from hermes.core.message import Message, Part, Role, Text, ToolCall, ToolResult
from hermes.prompt.budget import Cut, Scale
from hermes.prompt.builder import Frame, build
from hermes.prompt.sections import Section

TURNS, STEPS = 110, 4
LINE = "a line of some file that was read, with words and then more words\n"


def turn(chance: random.Random, number: int) -> list[Message]:
    """A question, some calls with bulky results, an answer."""
    named = TurnId(f"t{number}")

    def message(role: Role, *parts: Part) -> Message:
        place = ConversationId("c"), SessionId("s"), named
        return Message(*place, role, parts, number, NodeId("n"), "")

    found = [message("user", Text(f"{number}: {chance.random()} " + "why is it so? " * 10))]
    for step in range(STEPS):
        call = CallId(f"{number}.{step}")
        found += [
            message("assistant", Text("Let me look."), ToolCall(call, "Read", '{"path": "a"}')),
            message("tool", ToolResult(call, "Read", LINE * chance.randrange(5, 60))),
        ]
    return [*found, message("assistant", Text("It is so, because: " + "é" * number))]


def work(chance: random.Random) -> Iterator[str]:
    """What of each request is shown and cut."""
    frame = Frame((Section("one", "You are Hermes. " * 200),), ())
    history: list[Message] = []
    cut, scale = Cut(), Scale(3.5)
    for number in range(TURNS):
        for one in turn(chance, number):
            history.append(one)
            if one.role in {"user", "tool"}:
                made = build(frame, history, window=24_000, scale=scale, cut=cut)
                cut = made.cut
                yield f"{cut} {made.size} {made.full_size} {made.shown} {made.dropped_turns}"
        yield "\0".join(f"{one.role} {one.content}" for one in made.request.messages[-40:])
