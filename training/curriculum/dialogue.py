"""Whole conversations: requests, calls, results, answers, what follows from them.

Each is a list of messages in OpenAI's shape (`training.chat`), a pure function of a seed.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping

from hermes.prompt.sections import IDENTITY
from training.chat import Message
from training.curriculum.frames import Answer, Frame, by_intent
from training.curriculum.questions import FOLLOWING, about_file, from_marker
from training.curriculum.results import Arguments, Result, result
from training.curriculum.values import SLOT, Values, lines
from training.curriculum.voice import speak

_SHARES: Mapping[str, float] = {
    "FileRead": 15,
    "ListDir": 8,
    "Grep": 13,
    "Glob": 9,
    "FileWrite": 10,
    "FileEdit": 11,
    "Bash": 10,
    "Git": 4,
    "Remember": 5,
    "Recall": 4,
    "SessionSearch": 2.5,
    "Schedule": 7,
    "Jobs": 1.2,
    "Status": 1.2,
    "parallel": 6,
    "say": 24,
}
_NUMBERS = {"offset", "limit", "timeout"}


def request(values: Values, intent: str | None = None) -> tuple[str, Answer, dict[str, str]]:
    """Draw a request: its text, what answers it, and the values of its slots."""
    frames = by_intent(held=values.held_frames)
    if intent is None:
        intents = [name for name in _SHARES if name in frames]
        intent = values.rng.choices(intents, [_SHARES[name] for name in intents])[0]
    return spoken(values, values.rng.choice(frames[intent]))


def spoken(values: Values, frame: Frame) -> tuple[str, Answer, dict[str, str]]:
    """Fill a phrasing and give it a voice."""
    bound: dict[str, str] = {}
    text = values.fill(
        re.sub(" {2,}", " ", values.choose(frame.text)).strip(" "), bound, spoken=True
    )
    used = {
        m[1] + m[2]
        for call in frame.answer.calls
        for _, value in call.arguments
        for m in SLOT.finditer(value)
    }
    fixed = [
        value
        for call in frame.answer.calls
        for _, value in call.arguments
        if not SLOT.search(value) and value in text
    ]
    kept = [
        bound[name].split()[0] if name.startswith("lang") else bound[name] for name in sorted(used)
    ]
    return speak(values, text, kept + fixed, asks=bool(frame.answer.calls)), frame.answer, bound


def calls(
    values: Values, answer: Answer, bound: dict[str, str]
) -> list[tuple[str, dict[str, str | int]]]:
    """The calls of an answer with their values."""
    made = []
    for call in answer.calls:
        filled = {name: values.fill(value, bound) for name, value in call.arguments}
        made.append(
            (
                call.tool,
                {k: int(v) if k in _NUMBERS and v.isdigit() else v for k, v in filled.items()},
            )
        )
    return made


def called(made: list[tuple[str, dict[str, str | int]]]) -> Message:
    """The assistant's message that makes calls."""
    return {
        "role": "assistant",
        "tool_calls": [{"name": name, "arguments": dict(given)} for name, given in made],
    }


def exchange(
    values: Values, *, whole: bool | None = None, intent: str | None = None
) -> list[Message]:
    """One request and what follows: call, results, answer, perhaps a second request."""
    rng = values.rng
    text, answer, bound = request(values, intent)
    messages: list[Message] = [{"role": "user", "content": text}]
    if not answer.calls:
        said = values.fill(answer.say, bound)
        return [*messages, {"role": "assistant", "content": said}]
    made = calls(values, answer, bound)
    messages.append(called(made))
    if whole is None and rng.random() < 0.42:
        return messages
    results = [result(values, name, given) for name, given in made]
    messages += answered(results)
    if len(made) == 1 and rng.random() < 0.45:
        messages += _following(values, made[0][0], made[0][1], results[0])
    return messages


def answered(results: list[Result]) -> list[Message]:
    """Results of calls, and what is said of them."""
    said = "\n".join(item.said for item in results)
    return [
        *({"role": "tool", "content": item.text} for item in results),
        {"role": "assistant", "content": said},
    ]


def _following(values: Values, tool: str, given: Arguments, found: Result) -> list[Message]:
    """A second request that leans on the first, with its call and its result."""
    drawn = FOLLOWING[tool](values, given, found)
    if drawn is None:
        return []
    text, name, arguments = drawn
    messages: list[Message] = [
        {"role": "user", "content": speak(values, text, [str(v) for v in arguments.values()])}
    ]
    messages.append(called([(name, arguments)]))
    if values.rng.random() < 0.5:
        messages += answered([result(values, name, arguments)])
    return messages


def _asked_back(values: Values) -> list[Message]:
    """An unclear request, the question back, and what the person then says."""
    rng = values.rng
    form = rng.choice(lines("turns/asked_back.txt"))
    unclear, question, reply, tool, *pairs = (part.strip() for part in form.split(" || "))
    bound: dict[str, str] = {}
    first = values.expand(unclear, bound)
    then = values.expand(reply, bound)
    given = {
        key: values.fill(value, bound) for key, _, value in (pair.partition("=") for pair in pairs)
    }
    return [
        {"role": "user", "content": speak(values, first, list(bound.values()))},
        {"role": "assistant", "content": question},
        {"role": "user", "content": speak(values, then, list(given.values()))},
        called([(tool, dict(given))]),
    ]


def _idle(values: Values) -> list[Message]:
    """Talk that asks for nothing."""
    text = values.expand(values.rng.choice(lines("turns/before.txt")))
    if values.rng.random() < 0.5:
        text = f"{text} {values.expand(values.rng.choice(lines('turns/after.txt')))}"
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": "All right."},
    ]


def _system(values: Values) -> list[Message]:
    rng = values.rng
    markers = [
        f"[MEMORY MARKER] {_marker(values)}"
        for _ in range(rng.choice((0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 4)))
    ]
    if rng.random() < 0.15 and not markers:
        return []
    return [{"role": "system", "content": "\n".join([IDENTITY, *markers])}]


def _marker(values: Values) -> str:
    kind = values.rng.choice(("Decision", "Decision", "Pattern", "Correction", "Architecture"))
    return f"{kind}: {values.draw('fact')}. Source: session-{values.rng.getrandbits(48):012x}."


_KINDS: Mapping[Callable[[Values], list[Message]], float] = {
    exchange: 82,
    about_file: 5,
    _asked_back: 5,
    _idle: 2.5,
    from_marker: 2.5,
}


def conversation(
    seed: int,
    *,
    held_values: bool = False,
    held_frames: bool = False,
    tokens: int = 0,
    brief: bool = False,
) -> list[Message]:
    """Make one conversation.

    Args:
        seed: decides everything.
        held_values: draw words that training never sees.
        held_frames: draw phrasings that training never sees.
        tokens: go on with further exchanges until it has about so many tokens.
        brief: only a request and its calls: the most phrasings for the fewest tokens.
    """
    values = Values(random.Random(seed), held=held_values, held_frames=held_frames)
    if brief:
        return [{"role": "system", "content": IDENTITY}, *exchange(values)[:2]]
    kind = values.rng.choices(list(_KINDS), list(_KINDS.values()))[0]
    first = kind(values)
    messages = first if first[0]["role"] == "system" else [*_system(values), *first]
    size = sum(map(_size, messages))
    while size < tokens:
        more = values.rng.choices(list(_KINDS)[:-1], list(_KINDS.values())[:-1])[0](values)
        messages += more
        size += sum(map(_size, more))
    return messages


def _size(message: Message) -> int:
    """About how many tokens a message takes."""
    return 8 + len(str(message.get("content") or message.get("tool_calls"))) // 3


def conversations(
    seed: int,
    count: int,
    *,
    long_share: float = 0.1,
    longest: int = 1500,
    brief_share: float = 0.0,
) -> Iterator[list[Message]]:
    """The curriculum: `count` conversations, some of many turns, some of one request only."""
    rng = random.Random(seed)
    for _ in range(count):
        kind = rng.random()
        tokens = rng.randint(200, longest) if kind < long_share else 0
        brief = kind > 1 - brief_share
        yield conversation(rng.getrandbits(63), tokens=tokens, brief=brief)
