"""Requests deep in a conversation: the same ones after nothing and after thousands of tokens.

Apart from the other sets because how deep a request lies only the model's tokenizer knows.
"""

from collections.abc import Sequence

import anyio.to_thread
import msgspec

from hermes.core.model import ChatMessage
from hermes.models.model import Model
from training.chat import Message
from training.curriculum import conversation
from training.evaluate.cases import Case
from training.evaluate.messages import chat_of
from training.evaluate.runner import request_of
from training.evaluate.sets import values_cases

DEPTHS = (0, 500, 1_500, 3_500)
COUNT = 100
_ANSWER = 512
_SHARING = 10  # requests with one history, so that an engine evaluates it only once
_NEAR = 0.8  # a history may be this much shorter than was asked: its turns stay whole
_LONGER = 2  # the curriculum's own estimate of a token is rough
_FIRST_SEED = 1 << 41


async def depth_cases(model: Model, tokens: int, count: int) -> list[Case]:
    """Requests after about `tokens` tokens of earlier turns; none where the window is too small."""
    drawn = await anyio.to_thread.run_sync(values_cases, 3 * count)
    requests = [case for case in drawn if len(case.messages) == 1][:count]
    longest = max((len(case.asked.encode()) for case in requests), default=0)
    if tokens and tokens + longest // 2 + _ANSWER > model.window:
        return []
    found: list[Case] = []
    for number in range(0, len(requests), _SHARING):
        system, earlier = await _history(model, tokens, _FIRST_SEED * (1 + number))
        found += [
            msgspec.structs.replace(case, messages=(*earlier, *case.messages), system=system)
            for case in requests[number : number + _SHARING]
        ]
    return found


async def _history(model: Model, tokens: int, seed: int) -> tuple[str, tuple[ChatMessage, ...]]:
    """Memory markers, the same for any number of tokens, and earlier turns: whole ones."""
    system, _ = chat_of(conversation(seed, held_values=True))
    while tokens:
        chat = await anyio.to_thread.run_sync(_long, seed, tokens * _LONGER)
        size = await _count(model, system, chat)
        while size > tokens and chat:
            chat = _later(chat, tokens / size)
            size = await _count(model, system, chat)
        if size >= tokens * _NEAR:
            return system, chat
        seed += 1
    return system, ()


async def _count(model: Model, system: str, chat: tuple[ChatMessage, ...]) -> int:
    return await model.count(request_of(model, Case(chat, system=system), grammar=False))


def _long(seed: int, tokens: int) -> tuple[ChatMessage, ...]:
    _, chat = chat_of(_ended(conversation(seed, held_values=True, tokens=tokens)))
    return chat


def _later(chat: Sequence[ChatMessage], share: float) -> tuple[ChatMessage, ...]:
    """The last turns of a conversation: about this share of it, one turn less at the least."""
    room = share * sum(map(_size, chat))
    for place in [place for place, said in enumerate(chat) if said.role == "user" and place]:
        if sum(map(_size, chat[place:])) <= room:
            return tuple(chat[place:])
    return ()


def _size(message: ChatMessage) -> int:
    return 20 + len(message.content) + sum(len(call.arguments) + 40 for call in message.calls)


def _ended(messages: Sequence[Message]) -> Sequence[Message]:
    """A conversation up to the last thing that the assistant said."""
    ends = [
        place
        for place, message in enumerate(messages)
        if message["role"] == "assistant" and not message.get("tool_calls")
    ]
    return messages[: ends[-1] + 1] if ends else ()
