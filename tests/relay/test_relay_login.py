"""A client that asks before it has logged in hears that it was declined before it hears "OK".

nostr-sdk asks again, when it is known, for what was closed until then; for nothing closed later.
"""

from nostr_sdk import Keys

from hermes.testing.nostr_client import raw_client, signed
from relay.rules import Rules
from relay.server import Place, open_relay


async def test_a_question_before_the_login_is_answered_before_it(tmp_path):
    async with open_relay(Place(tmp_path), Rules()) as relay:
        for number in range(15):
            keys = Keys.generate()
            key = keys.public_key().to_hex()
            async with raw_client(relay.url) as client:
                while not client.challenge:
                    await client._listen()
                tags = [["relay", relay.url], ["challenge", client.challenge]]
                await client.say(["REQ", f"q{number}", {"kinds": [1059], "#p": [key]}])
                await client.say(["AUTH", signed(keys, 22242, "", tags)])
                heard = [await client.hear(), await client.hear()]
                assert heard[1][0] == "OK"  # after the question: refused, or in time for the login
                assert heard[0][0] == "EOSE" or heard[0][2].startswith("auth-required: ")
                assert await client.ask({"kinds": [1059], "#p": [key]}) == []
