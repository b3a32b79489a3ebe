"""The secret as 24 words, and back; an error names positions, never words.

The words alone are the identity: whoever reads them has it. Source: BIP-39, English list.
"""

import unicodedata
from collections.abc import Collection

from embit.bip39 import mnemonic_from_bytes, mnemonic_to_bytes
from embit.wordlists.bip39 import WORDLIST

from hermes.errors import IdentityInvalid
from hermes.identity.keys import SECRET

_COUNT = 24
_LONGEST = 4096
_NAMED = 5


def words_of(secret: bytes) -> tuple[str, ...]:
    """The 24 words of a 32-byte secret."""
    if len(secret) != SECRET:
        raise IdentityInvalid("24 words hold a secret of 32 bytes")
    return tuple(mnemonic_from_bytes(secret).split())


def secret_of(text: str) -> bytes:
    """The secret behind 24 words; raises IdentityInvalid."""
    words = split_words(text)
    refuse_unknown(words, frozenset(WORDLIST))
    if len(words) != _COUNT:
        raise IdentityInvalid(f"there are {len(words)} words, it takes {_COUNT}")
    try:
        return bytes(mnemonic_to_bytes(" ".join(words)))
    except ValueError:
        raise IdentityInvalid(
            "the words do not fit together: one is wrong, or two changed places"
        ) from None


def split_words(text: str) -> list[str]:
    """Words as people type them: any case, any white space."""
    if len(text) > _LONGEST:
        raise IdentityInvalid("that is too long to be a list of words")
    return unicodedata.normalize("NFKD", text).lower().split()


def refuse_unknown(words: list[str], known: Collection[str], what: str = "word") -> None:
    """Name the positions of words that are in no list; raises IdentityInvalid."""
    unknown = [index for index, word in enumerate(words, 1) if word not in known]
    if unknown:
        shown = ", ".join(map(str, unknown[:_NAMED]))
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise IdentityInvalid(f"not in the word list: {what} {shown}{more}")
