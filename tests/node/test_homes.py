"""One conversation, any machine: a turn runs at its home, wherever it is asked for."""

import anyio
from homes_stage import Town
from house import call, conversation_of, kinds

from hermes.core.event import ApprovalAsked, TextDelta


async def test_what_is_asked_here_is_answered_by_its_home(tmp_path):
    town = Town(tmp_path)
    b = town.nodes["b"]
    model = b.house.script(
        {"text": "begun"},
        call("FileWrite", path="made.txt", content="by b"),
        {"text": "one two three four", "chunk_delay_s": 0.02},
    )
    b.house.settings = b.house.settings.__class__(
        **{name: getattr(b.house.settings, name) for name in b.house.settings.__struct_fields__}
        | {"model": model}
    )
    async with town.all() as nodes:
        began = await nodes.b.play("first")
        conversation = conversation_of(began)
        assert began[-1].text == "begun"
        seen = []
        request = nodes.a.request("again", conversation_id=conversation, interactive=True)
        with anyio.fail_after(20):
            async with nodes.a.client.turn(request) as events:
                async for event in events:
                    seen.append(event)
                    if isinstance(event, ApprovalAsked):
                        assert await nodes.a.client.approve(event.call_id, "yes")
        assert seen[-1].text == "one two three four"
        assert kinds(seen)[:3] == ["TurnStarted", "ToolCalled", "ApprovalAsked"]
        assert "".join(e.text for e in seen if isinstance(e, TextDelta)) == "one two three four"
        assert (nodes.b.house.project / "made.txt").read_text() == "by b"
        status = await nodes.a.status(conversation)
        assert status["home"] == nodes.b.me
        assert status["peers"] == 2
