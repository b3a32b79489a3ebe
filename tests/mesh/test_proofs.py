import msgspec
import pytest

from hermes.identity.hot import HotKey
from hermes.mesh.gossip_wire import Topic
from hermes.mesh.members import Card
from hermes.mesh.proofs import card_holds, signed_card, signed_topic, topic_holds

ALICE, BOB = HotKey(b"\1" * 32), HotKey(b"\2" * 32)
CARD = Card(1, 2, ("chat",), ("ember",), 3, "0.1", "7 ab", ("ws://a",))
ITEM = Topic("1", "news", ALICE.public, 1, 2, "hello")


def test_a_card_is_its_authors_alone():
    card = signed_card(ALICE, CARD)
    assert card_holds(ALICE.public, card)
    assert not card_holds(BOB.public, card)
    assert not card_holds(ALICE.public, CARD)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 9},
        {"expires_at": 9},
        {"capabilities": ()},
        {"models": ("other",)},
        {"load": 4},
        {"release": "9"},
        {"checkpoint": ""},
        {"relays": ("ws://evil",)},
    ],
)
def test_nothing_of_a_card_can_be_changed(change):
    card = msgspec.structs.replace(signed_card(ALICE, CARD), **change)
    assert not card_holds(ALICE.public, card)


def test_a_card_is_no_item_and_an_item_is_its_origins():
    item = signed_topic(ALICE, ITEM)
    assert topic_holds(item)
    for change in ({"origin": BOB.public}, {"body": "other"}, {"id": "2"}, {"expires_at": 9}):
        assert not topic_holds(msgspec.structs.replace(item, **change))
