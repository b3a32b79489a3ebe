"""The Nostr key as `ncryptsec`, to take it to another Nostr program, and back.

Apart because it loads nostr-sdk. Source: NIP-49.
"""

from anyio import to_thread
from embit.bech32 import CHARSET
from nostr_sdk import EncryptedSecretKey, KeySecurity, NostrSdkError, SecretKey

from hermes.errors import IdentityInvalid, PassphraseWrong

_LOG_N = 16
# scrypt takes 1 KiB times two to this; a hostile text may not ask for more than 1 GiB.
_LOG_N_MOST = 20


async def export_key(secret: bytes, passphrase: str) -> str:
    """The key under a passphrase (some 0.4 s, in a thread)."""
    if not passphrase:
        raise IdentityInvalid("the passphrase is empty")
    return await to_thread.run_sync(_export, secret, passphrase)


async def import_key(text: str, passphrase: str) -> bytes:
    """The key behind an `ncryptsec`; raises IdentityInvalid, PassphraseWrong."""
    return await to_thread.run_sync(_import, text, passphrase)


def _export(secret: bytes, passphrase: str) -> str:
    try:
        key = SecretKey.from_bytes(secret)
        text: str = EncryptedSecretKey(key, passphrase, _LOG_N, KeySecurity.MEDIUM).to_bech32()
    except (NostrSdkError, UnicodeEncodeError):
        # Neither the key nor the passphrase may stand in what is raised.
        raise IdentityInvalid("not a key of 32 bytes, or a passphrase that is not text") from None
    return text


def _import(text: str, passphrase: str) -> bytes:
    try:
        sealed = EncryptedSecretKey.from_bech32(text)
    except (NostrSdkError, UnicodeEncodeError):
        raise IdentityInvalid("not an ncryptsec, or miswritten") from None
    if _log_n(sealed.to_bech32()) > _LOG_N_MOST:
        raise IdentityInvalid("this ncryptsec asks for too much memory")
    try:
        return bytes.fromhex(sealed.decrypt(passphrase).to_hex())
    except UnicodeEncodeError:
        raise IdentityInvalid("the passphrase is not text") from None
    except NostrSdkError:
        # The checksum held, so the text is as it was made.
        raise PassphraseWrong("the passphrase does not open this ncryptsec") from None


def _log_n(text: str) -> int:
    # nostr-sdk does not tell it: the second of the payload's bytes, in the first four characters.
    head = 0
    for letter in text.rpartition("1")[2][:4]:
        head = head << 5 | CHARSET.index(letter)
    return head >> 4 & 0xFF
