"""The one-time code by which a Nostr key is let in: fifty random bits, of which a digest is kept.

Guards against guessing within the minutes that a code is open, not against whoever sees it.
"""

import hashlib
import re
import secrets

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_LENGTH = 10
_LONGEST = 100
_ALIKE = str.maketrans("OIL", "011")
_SHAPE = re.compile(
    rf"(?:/?pair\s+)?([{_LETTERS}OIL]{{5}}[\s-]?[{_LETTERS}OIL]{{5}})", re.IGNORECASE
)
_DOMAIN = b"hermes/dm-code/1"


def new_code() -> str:
    """Make a code, as `7KQ2M-X4D9P`."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    return f"{letters[:5]}-{letters[5:]}"


def code_in(text: str) -> str:
    """The code that a message consists of, as `new_code` would write it; "" when it is none."""
    found = _SHAPE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        return ""
    letters = re.sub(r"[\s-]", "", found.group(1)).upper().translate(_ALIKE)
    return f"{letters[:5]}-{letters[5:]}"


def code_digest(code: str) -> str:
    """What is kept of a code."""
    return hashlib.sha256(_DOMAIN + code.encode()).hexdigest()
