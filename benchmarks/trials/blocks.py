"""Messages and manifests become canonical blocks with names, and values again."""

import random
from collections.abc import Iterator

from hermes.core.canonical import Value, decode, encode, link
from hermes.core.ids import CallId, Cid, ConversationId, NodeId, SessionId, TurnId
from hermes.core.message import Message, Text, ToolCall, ToolResult, block_of, message_of

MESSAGES = 2_000
MANIFESTS, EACH = 500, 150
TEXT = "the build fails on arm because its cache key names no compiler, so pin that one; " * 3


def message(chance: random.Random, number: int, parents: tuple[Cid, ...]) -> Message:
    """One of a conversation, with calls and results between the words."""
    call = CallId(f"c{number}")
    parts = (
        (Text(TEXT),),
        (Text(TEXT), *(ToolCall(call, "Read", f'{{"path": "{n}.py"}}') for n in range(6))),
        tuple(ToolResult(call, "Read", TEXT) for _ in range(6)),
    )[number % 3]
    role = ("user", "assistant", "tool")[number % 3]
    place = ConversationId("c"), SessionId("s"), TurnId("t")
    return Message(
        *place, role, parts, number, NodeId("n"), f"{chance.getrandbits(128):x}", parents
    )


def manifest(chance: random.Random, links: list[bytes]) -> Value:
    """What a replica offers: many links, and a few words about each."""
    start = chance.randrange(len(links) - EACH)
    chosen = links[start : start + EACH]
    return {
        "t": "manifest",
        "all": [*chosen],
        "each": [{"at": at, "size": at * 7, "kept": True, "of": "n"} for at in range(EACH)],
        "links": {f"{at}": [one, "why", at] for at, one in enumerate(chosen)},
    }


def work(chance: random.Random) -> Iterator[bytes | str]:
    """Each block's bytes and name, and the whole read back."""
    names: list[Cid] = []
    for number in range(MESSAGES):
        made = message(chance, number, tuple(names[-2:]))
        block = block_of(made)
        names.append(block.cid)
        yield block.data
        yield f"{block.cid} {message_of(block.data) == made}"
    links = [link(one) for one in names]
    for _ in range(MANIFESTS):
        value = manifest(chance, links)
        block = encode(value)
        yield block.data
        yield f"{block.cid} {decode(block.data) == value}"
