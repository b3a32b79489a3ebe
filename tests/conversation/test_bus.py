"""Every watcher of a conversation gets its events, in order."""

from hermes.conversation.bus import Bus
from hermes.core.event import Notice


def _notice(conversation: str, text: str) -> Notice:
    return Notice(conversation_id=conversation, turn_id="t", at=0, text=text)


async def test_events_reach_the_watchers_of_their_conversation_only():
    bus = Bus()
    with bus.watch("a", interactive=False) as one, bus.watch("b", interactive=True) as two:
        bus.publish(_notice("a", "first"))
        bus.publish(_notice("a", "second"))
        assert [one.receive_nowait().text for _ in range(2)] == ["first", "second"]
        assert two.statistics().current_buffer_used == 0


async def test_only_interactive_watchers_can_answer():
    bus = Bus()
    with bus.watch("a", interactive=False):
        assert not bus.someone_answers("a")
        with bus.watch("a", interactive=True):
            assert bus.someone_answers("a")
        assert not bus.someone_answers("a")


async def test_nobody_watching_is_nobody_waiting():
    Bus().publish(_notice("a", "unheard"))
