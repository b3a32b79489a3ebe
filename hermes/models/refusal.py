"""What a server's refusal means: a status and a body become one of our errors."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from hermes.errors import (
    ModelError,
    ModelFailed,
    ModelOverflow,
    ModelOverloaded,
    ModelRefused,
)

_WORDS = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_OVERFLOWS = ("exceed_context_size_error", "context_length_exceeded")
_COUNTS = re.compile(
    r"(?:maximum context length is|available context size \()\s*(?P<window>\d{1,9})", re.IGNORECASE
)
_ASKED = re.compile(
    r"(?:request \(|resulted in|requested)\s*(?P<prompt>\d{1,9})\s*tokens", re.IGNORECASE
)
_REMEDIES = {
    401: "set HERMES_V2_API_KEY to the server's key",
    403: "set HERMES_V2_API_KEY to a key that may use this model",
    404: "check the address and the model's name (--model URL#NAME)",
}


def refusal(status: int, body: bytes, retry_after: str = "") -> ModelError:
    """Return the error that an answer with this status means.

    Args:
        status: HTTP status, 400 or more.
        body: what the server said, JSON or not.
        retry_after: the header, seconds; a date is not understood and passed over.
    """
    return _error(status, _document(body), body.decode("utf-8", "replace"), retry_after)


def refusal_in_stream(error: object) -> ModelError:
    """Return the error that an `error` in a 200 answer means."""
    code = error.get("code") if isinstance(error, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500  # noqa: PLR2004 - HTTP
    return _error(status, {"error": error}, str(error), "")


def plain(text: str) -> str:
    """Return a stranger's words for a person's screen: no control characters, not long."""
    words = " ".join(_CONTROL.sub(" ", text).split())
    return words if len(words) <= _WORDS else words[: _WORDS - 1] + "…"


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _error(status: int, document: Mapping[str, Any], text: str, retry_after: str) -> ModelError:
    error = document.get("error", document)
    fields = error if isinstance(error, Mapping) else {"message": error or text}
    words = plain(str(fields.get("message") or fields.get("detail") or text))
    if {fields.get("type"), fields.get("code")} & set(_OVERFLOWS):
        return _overflow(fields, words)
    said = f"the model's server said {status}" + (f": {words}" if words else "")
    if status in (429, 503):
        return ModelOverloaded(said, "try again in a while", _seconds(retry_after))
    if status >= 500:  # noqa: PLR2004 - HTTP
        return ModelFailed(said, "look at the server's log")
    return ModelRefused(said, _REMEDIES.get(status, ""))


def _overflow(fields: Mapping[str, Any], words: str) -> ModelOverflow:
    window, prompt = _COUNTS.search(words), _ASKED.search(words)
    return ModelOverflow(
        f"the prompt does not fit the model's window: {words}",
        whole(fields.get("n_prompt_tokens")) or (int(prompt["prompt"]) if prompt else 0),
        whole(fields.get("n_ctx")) or (int(window["window"]) if window else 0),
    )


def whole(value: object) -> int:
    """Return a count as sent by a stranger, 0 where it is none."""
    counts = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53
    return value if isinstance(value, int) and counts else 0


def _seconds(header: str) -> float | None:
    try:
        seconds = float(header)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
