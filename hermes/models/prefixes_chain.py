"""What a request begins with, as a chain of digests: tools and system first, then each message.

A digest covers everything before it, so two requests share exactly as many messages as their
chains share links. Taken from the request, not from the rendered prompt: that costs no call to
the engine, and one model's template always renders the same beginning alike. It is a label: what
of a restored state fits a prompt is judged by the engine, token by token.
"""

import hashlib
from typing import NamedTuple

import msgspec

from hermes.core.model import ModelRequest

_DIGEST = 8  # bytes: a collision costs an evaluation, never a wrong answer


class Link(NamedTuple):
    """`digest` in hex over all up to here; `end`: the bytes of all up to here."""

    digest: str
    end: int


Chain = tuple[Link, ...]


def chain_of(request: ModelRequest) -> Chain:
    """The request's chain; never empty."""
    running = hashlib.sha256()
    links: list[Link] = []
    end = 0
    head = (request.tools, request.system)
    for part in map(msgspec.json.encode, (head, *request.messages)):
        running.update(len(part).to_bytes(8, "big") + part)
        end += len(part)
        links.append(Link(running.copy().digest()[:_DIGEST].hex(), end))
    return tuple(links)


def length_of(chain: Chain) -> int:
    """Its bytes."""
    return chain[-1].end if chain else 0


def shared_bytes(one: Chain, other: Chain) -> int:
    """How many bytes of messages two chains have in common from the start."""
    most = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine.digest != theirs.digest:
            break
        most = mine.end
    return most


def shared_tokens(asked: Chain, held: Chain, tokens: int) -> int:
    """How many of the `tokens` that `held` was evaluated to serve `asked`, about."""
    whole = length_of(held)
    return tokens * shared_bytes(asked, held) // whole if whole else 0


def begins(longer: Chain, shorter: Chain) -> bool:
    """Whether `longer` begins with all of `shorter`."""
    return len(longer) >= len(shorter) > 0 and longer[len(shorter) - 1] == shorter[-1]
