import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import Usage
from hermes.identity.invitation import Invitation, digest_of, invite, read_invitation

NODE = "ab" * 32
_KEYS = st.binary(min_size=32, max_size=32).map(bytes.hex)
_SECRETS = st.binary(min_size=16, max_size=16).map(bytes.hex)
_RELAYS = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789.:/-", min_size=1, max_size=60), max_size=4
)


@given(_KEYS, _SECRETS, _RELAYS)
def test_what_a_code_says_is_what_was_put_in(node, secret, relays):
    made = Invitation(node, secret, tuple(relays))
    assert read_invitation(made.code) == made
    assert read_invitation(f"  {made.code.upper()}\n") == made


@given(st.data())
def test_a_slip_of_the_hand_is_found(data):
    code = invite(NODE, ("ws://127.0.0.1:7447",)).code
    place = data.draw(st.integers(len("hermes1"), len(code) - 1))
    other = data.draw(st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
    if other != code[place]:
        with pytest.raises(Usage):
            read_invitation(code[:place] + other + code[place + 1 :])


@given(st.text(max_size=300))
def test_any_other_text_is_refused(text):
    with pytest.raises(Usage):
        read_invitation(text)


def test_every_invitation_has_a_secret_of_its_own_and_few_relays():
    first, second = (invite(NODE, tuple(f"ws://{n}" for n in range(9))) for _ in range(2))
    assert first.secret != second.secret
    assert len(first.relays) == 4
    assert first.digest == digest_of(first.secret) != second.digest
    assert first.secret not in first.digest
