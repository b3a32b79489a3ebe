"""What the relay says of itself over plain HTTP: its NIP-11 document, its metrics."""

import msgspec

from hermes import __version__
from relay.head import Head, answer
from relay.rules import Rules

MOST_FOUND = 500
MOST_SUBSCRIPTIONS = 200
_MOST_FILTERS = 20
MOST_NAME = 64
_DOCUMENT = "application/nostr+json"
_NIPS = (1, 9, 11, 13, 17, 40, 42, 45, 59, 70, 77)


def document(rules: Rules, key: str) -> bytes:
    """The NIP-11 document as JSON; `key` is whom to ask, in hex."""
    return msgspec.json.encode(
        {
            "name": "hermes",
            "description": "The relay of one Hermes node: post for its owner and its peers.",
            **({"pubkey": key, "self": key} if key else {}),
            "supported_nips": _NIPS,
            "software": "hermes-v2",
            "version": __version__,
            "limitation": {
                "max_message_length": rules.event_bytes + 5_536,
                "max_subscriptions": MOST_SUBSCRIPTIONS,
                "max_filters": _MOST_FILTERS,
                "max_limit": MOST_FOUND,
                "default_limit": MOST_FOUND,
                "max_subid_length": MOST_NAME,
                "max_event_tags": rules.tags,
                "min_pow_difficulty": 0,
                "auth_required": False,
                "payment_required": False,
                "restricted_writes": True,
                "created_at_upper_limit": rules.future_s,
            },
        }
    )


def wants_document(head: Head) -> bool:
    """Whether this request asks for the NIP-11 document."""
    return _DOCUMENT in head.headers.get("accept", "").lower()


def document_answer(rules: Rules, key: str) -> bytes:
    """The document as a whole HTTP answer."""
    return answer("200 OK", document(rules, key).decode(), _DOCUMENT)
