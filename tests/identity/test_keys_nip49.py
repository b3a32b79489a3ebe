"""The Nostr key taken out as ncryptsec, and hostile ones turned away."""

import pytest
from embit.bech32 import CHARSET, bech32_create_checksum, convertbits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.errors import IdentityInvalid, PassphraseWrong
from hermes.identity.keys import Keys
from hermes.identity.nip49 import export_key, import_key

KEYS = Keys.from_secret(b"\x51" * 32, "regtest")


def _asking_for(log_n):
    raw = bytes([2, log_n]) + bytes(89)
    words = convertbits(raw, 8, 5)
    words += bech32_create_checksum(1, "ncryptsec", words)
    return "ncryptsec1" + "".join(CHARSET[word] for word in words)


async def test_the_key_comes_back_under_its_passphrase_alone():
    text = await export_key(KEYS.nostr_secret(), "a passphrase: Ωmega")
    assert text.startswith("ncryptsec1")
    assert await import_key(text, "a passphrase: Ωmega") == KEYS.nostr_secret()
    with pytest.raises(PassphraseWrong) as caught:
        await import_key(text, "another passphrase")
    assert "another" not in str(caught.value)


@pytest.mark.parametrize("log_n", [21, 31, 63, 255])
async def test_a_text_that_asks_for_gigabytes_is_refused(log_n):
    with pytest.raises(IdentityInvalid, match="too much memory"):
        await import_key(_asking_for(log_n), "x")


async def test_what_cannot_be_exported_is_refused_without_being_shown():
    for secret, passphrase in ((bytes(32), "x"), (b"\xff" * 32, "x"), (b"\5" * 32, "\ud800")):
        with pytest.raises(IdentityInvalid) as caught:
            await export_key(secret, passphrase)
        assert caught.value.__cause__ is None
    with pytest.raises(IdentityInvalid, match="empty"):
        await export_key(b"\5" * 32, "")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40) | st.text("ncryptse1qpz", max_size=200))
async def test_any_other_text_is_refused(text):
    with pytest.raises(IdentityInvalid, match="not an ncryptsec"):
        await import_key(text, "x")
