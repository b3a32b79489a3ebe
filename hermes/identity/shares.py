"""The secret in shares for guardians: any `need` of them restore it, fewer tell nothing.

Source: SLIP-39, without its passphrase and without the later extendable kind.
"""

from collections.abc import Sequence

from embit.bip39 import mnemonic_from_bytes, mnemonic_to_bytes
from embit.slip39 import Share, ShareSet
from embit.wordlists.slip39 import SLIP39_WORDS

from hermes.errors import IdentityInvalid
from hermes.identity.keys import SECRET
from hermes.identity.words import refuse_unknown, split_words

_COUNT = 33
_LEAST = 2
_MOST = 16
# A share says how often its cipher is iterated, 10,000 times two to this: a bound against a stall.
_EXPONENT = 4


def split(secret: bytes, need: int, total: int) -> tuple[str, ...]:
    """Make `total` shares of 33 words, of which `need` restore; raises IdentityInvalid."""
    if len(secret) != SECRET:
        raise IdentityInvalid("shares are made of a secret of 32 bytes")
    if not _LEAST <= need <= total <= _MOST:
        raise IdentityInvalid(f"shares: from {_LEAST} to {_MOST}, and no more needed than made")
    return tuple(ShareSet.generate_shares(mnemonic_from_bytes(secret), need, total))


def join(texts: Sequence[str]) -> bytes:
    """Restore the secret; raises IdentityInvalid that names shares and words by position."""
    if not 0 < len(texts) <= _MOST:
        raise IdentityInvalid(f"between 1 and {_MOST} shares are joined")
    shares = [_share(position, text) for position, text in enumerate(texts, 1)]
    if len({(one.id, one.exponent, one.group_threshold, one.group_count) for one in shares}) > 1:
        raise IdentityInvalid("the shares are not all of one set")
    if len({one.group_index for one in shares}) != len(shares):
        raise IdentityInvalid("a share is there twice")
    need = shares[0].group_threshold
    if len(shares) < need:
        raise IdentityInvalid(f"it takes {need} shares of this set, there are {len(shares)}")
    try:
        restored = ShareSet(shares).recover()
    except (ValueError, TypeError):
        raise IdentityInvalid("the shares do not fit together: they are of two sets") from None
    return bytes(mnemonic_to_bytes(mnemonic_from_bytes(restored)))


def _share(position: int, text: str) -> Share:
    words = split_words(text)
    refuse_unknown(words, frozenset(SLIP39_WORDS), f"share {position}, word")
    if len(words) != _COUNT:
        raise IdentityInvalid(f"share {position} has {len(words)} words, it takes {_COUNT}")
    try:
        share = Share.parse(" ".join(words))
    except (ValueError, SyntaxError):
        raise IdentityInvalid(f"share {position} is miswritten (its checksum fails)") from None
    single = share.member_index == 0 and share.member_threshold == 1
    if not single or share.exponent > _EXPONENT or share.group_index >= share.group_count:
        raise IdentityInvalid(f"share {position} is of a kind that Hermes does not make")
    return share
