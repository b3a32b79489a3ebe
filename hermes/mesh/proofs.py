"""Who said what others pass on: a node's signature on its card, and on what it says to all.

An envelope proves only its last sender. Does not say whether that node may be believed.
"""

import hashlib

import msgspec

from hermes.core.canonical import Value, encode
from hermes.identity.hot import HotKey, holds
from hermes.mesh.gossip_wire import Topic
from hermes.mesh.members import Card

_CARD, _TOPIC = b"hermes/card/1", b"hermes/topic/1"


def signed_card(key: HotKey, card: Card) -> Card:
    """The card with its author's proof."""
    return msgspec.structs.replace(card, proof=key.sign(_of_card(key.public, card)))


def card_holds(node: str, card: Card) -> bool:
    """Whether a card is that node's own."""
    return holds(node, card.proof, _of_card(node, card))


def signed_topic(key: HotKey, item: Topic) -> Topic:
    """The item with its author's proof."""
    return msgspec.structs.replace(item, proof=key.sign(_of_topic(item)))


def topic_holds(item: Topic) -> bool:
    """Whether an item is its origin's own."""
    return holds(item.origin, item.proof, _of_topic(item))


def _of_card(node: str, card: Card) -> bytes:
    fields: dict[str, Value] = {"node": node, **_plain(card)}
    return hashlib.sha256(_CARD + encode(fields).data).digest()


def _of_topic(item: Topic) -> bytes:
    return hashlib.sha256(_TOPIC + encode(_plain(item)).data).digest()


def _plain(value: msgspec.Struct) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name in value.__struct_fields__:
        if name != "proof":
            held = getattr(value, name)
            found[name] = [*held] if isinstance(held, tuple) else held
    return found
