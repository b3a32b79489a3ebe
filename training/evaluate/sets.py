"""Generated sets of cases, out of the curriculum's held-out words and phrasings, and the free set.

Each is the same at every run. Phrasings held out of one's own generator flatter: the free set,
written by hand and kept out of it, is the honest number.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files

import msgspec

from hermes.errors import NotAvailable
from training.chat import Message
from training.curriculum import conversation
from training.curriculum.dialogue import exchange
from training.curriculum.values import Values
from training.evaluate.cases import Calls, Case, parse_cases, spread
from training.evaluate.messages import arguments_of, calls_of, chat_of

WRITTEN: Mapping[str, str] = {"free": "free.jsonl", "results": "results.jsonl"}
"""Files written freely by hand: requests, and questions that a tool's result answers."""

_FIRST_SEED = 1 << 40


def written_cases(name: str = "free", limit: int = 0) -> list[Case]:
    """A set of `WRITTEN`; raises NotAvailable where it is missing."""
    file = WRITTEN[name]
    entry = files("training.evaluate").joinpath(file)
    try:
        text = entry.read_text(encoding="utf-8")
    except OSError as error:
        raise NotAvailable(f"{entry} is missing", "reinstall hermes-v2, or name --set") from error
    return spread(parse_cases(text, file), limit, lambda case: case.intent)


def case_at(messages: Sequence[Message], place: int, where: str) -> Case:
    """The case that ends with the message at `place`: what follows it is the right answer."""
    system, chat = chat_of(messages[: place + 1])
    right = messages[place + 1]
    if calls := right.get("tool_calls"):
        return Case(chat, (_expected(calls),), system=system, where=where)
    if messages[place]["role"] == "tool":
        return Case(chat, said=str(right["content"]), system=system, where=where)
    return Case(chat, system=system, where=where)


def requests(messages: Sequence[Message], *, calling: bool) -> list[int]:
    """Where a person's message is answered with calls, or else without one."""
    return [
        place
        for place, right in _answers(messages)
        if messages[place]["role"] == "user" and bool(right.get("tool_calls")) == calling
    ]


def values_cases(count: int) -> list[Case]:
    """Requests for calls in phrasings of the training, about things it never saw."""

    def draw(seed: int) -> Case | None:
        made = conversation(seed, held_values=True)
        return _chosen(made, requests(made, calling=True), seed)

    return _collect(draw, count)


def phrasing_cases(count: int) -> list[Case]:
    """Requests for calls in phrasings and about things that training never saw."""

    def draw(seed: int) -> Case | None:
        made = _unseen(seed)
        return _chosen(made, requests(made, calling=True)[:1], seed)

    return _collect(draw, count)


def idle_cases(count: int) -> list[Case]:
    """Requests where no call is due: talk, thanks, questions about itself, what it cannot do.

    Half in phrasings of the training (with things it never saw), half in unseen ones.
    """

    def draw(seed: int) -> Case | None:
        made = _unseen(seed, "say") if seed % 2 else conversation(seed, held_values=True)
        return _chosen(made, requests(made, calling=False), seed)

    return _collect(draw, count)


def answer_cases(count: int) -> list[Case]:
    """What is said of a tool's result, to the character, about things that training never saw."""

    def draw(seed: int) -> Case | None:
        made = conversation(seed, held_values=True)
        places = [
            place
            for place, right in _answers(made)
            if made[place]["role"] == "tool" and not right.get("tool_calls")
        ]
        return _chosen(made, places, seed)

    return _collect(draw, count)


GENERATED: Mapping[str, tuple[Callable[[int], list[Case]], int]] = {
    "values": (values_cases, 400),
    "phrasings": (phrasing_cases, 400),
    "no-call": (idle_cases, 200),
    "answers": (answer_cases, 200),
}
"""What makes each set, and how many cases of it there are where nobody says."""


def _unseen(seed: int, intent: str | None = None) -> list[Message]:
    values = Values(random.Random(seed), held=True, held_frames=True)  # noqa: S311 - test data
    return exchange(values, whole=False, intent=intent)


def _answers(messages: Sequence[Message]) -> Iterator[tuple[int, Message]]:
    """Each place that the assistant answers, and its answer."""
    for place, right in enumerate(messages[1:]):
        if right["role"] == "assistant":
            yield place, right


def _chosen(messages: Sequence[Message], places: Sequence[int], seed: int) -> Case | None:
    if not places:
        return None
    return case_at(messages, places[seed % len(places)], f"seed {seed}")


def _collect(draw: Callable[[int], Case | None], count: int) -> list[Case]:
    """The first `count` different cases; fewer where the curriculum has no more to say."""
    found: dict[tuple[object, ...], Case] = {}
    for seed in range(_FIRST_SEED, _FIRST_SEED + 50 * count):
        if len(found) == count:
            break
        if case := draw(seed):
            found.setdefault(case.messages, case)
    return list(found.values())


def _expected(calls: object) -> Calls:
    made = calls_of(calls)
    text = [{"tool": call.name, "args": arguments_of(call) or {}} for call in made]
    return msgspec.convert(text, Calls)
