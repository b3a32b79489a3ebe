"""Control tokens stay text: nobody can forge a role by typing `<|im_start|>system`.

A server tokenises the rendered prompt with special tokens on, so each control token in
foreign text is broken with a zero-width space after its first character. Does not guard
against words that merely ask a model to obey, nor against characters that only look like
a token's (servers don't normalise).
"""

import re
from collections.abc import Iterator

BREAK = "\u200b"

_GENERIC = (
    r"<\|[^\s<>|]{1,64}\|>",  # ChatML, Llama 3, Phi, gpt-oss, GLM, Command R
    r"<\uff5c[^\s<>\uff5c]{1,64}\uff5c>",  # DeepSeek's full-width bars
    r"<\|[A-Za-z_]{1,32}>",  # Gemma 4 opens so
    r"<[A-Za-z_]{1,32}\|>",  # and closes so
    r"<unused[0-9]{1,5}>",
)
_KNOWN = frozenset(
    {
        "<start_of_turn>",
        "<end_of_turn>",
        "<bos>",
        "<eos>",
        "<pad>",
        "<s>",
        "</s>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "[AVAILABLE_TOOLS]",
        "[/AVAILABLE_TOOLS]",
        "[TOOL_CALLS]",
        "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]",
        "[TOOL_CONTENT]",
        "[ARGS]",
        "[CALL_ID]",
        "<|system|>",
        "<|user|>",
        "<|assistant|>",
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "</tool_response>",
        "<think>",
        "</think>",
        "<start_function_call>",
        "<end_function_call>",
        "<start_function_response>",
        "<end_function_response>",
        "<escape>",
        "<|turn>",
        "<turn|>",
        "[gMASK]",
        "<sop>",
        "<eop>",
    }
)
_SHORTEST, _LONGEST = 3, 64  # characters of a token
# What a model writes itself inside its own turn: calls, thoughts and their quotes.
_OWN = re.compile(
    r"(?!.*(?:response|result|output|available))"
    r'.*(?:tool|think|function|escape|channel|message|python_tag|ARGS|CALL_ID|")',
    re.IGNORECASE | re.DOTALL,
)


class Hygiene:
    """Breaks control tokens in foreign text and mends them on the way out.

    `tokens`: the model's own control tokens (GGUF token types 3 and 4); the markers of the
    usual chat templates are always covered. Deterministic and idempotent, so that the
    prefix of a conversation keeps its bytes.
    """

    def __init__(self, tokens: frozenset[str] = frozenset()) -> None:
        generic = re.compile("|".join(_GENERIC))
        given = {token for token in tokens | _KNOWN if _is_marker(token)}
        exact = sorted(token for token in given if not generic.fullmatch(token))
        self._firsts = "".join(sorted({"<"} | {token[0] for token in exact}))
        first = f"[{re.escape(self._firsts)}]"
        whole = "|".join((*_GENERIC, *map(re.escape, exact)))
        # Looking ahead finds tokens that overlap, too: only the first character is consumed.
        self._whole = re.compile(rf"(?={first})(?=(?P<token>{whole}))(?P<first>.)", re.DOTALL)
        loose = "|".join(_loosely(exact))
        self._broken = re.compile(
            rf"(?={first}{BREAK})(?:(?={loose}))(?P<first>.){BREAK}", re.DOTALL
        )
        self._open = re.compile(rf"{first}{BREAK}\S*\Z")
        self._longest = 2 * max((len(token) for token in exact), default=0) + 140

    def neutralise(self, text: str) -> str:
        """Break every control token: for text by the user, tools, memory and skins."""
        if not any(first in text for first in self._firsts):
            return text
        return self._whole.sub(rf"\g<first>{BREAK}", text)

    def neutralise_own(self, text: str) -> str:
        """Break only what would end the turn or forge a role: for generated text.

        A model that was told to repeat a hostile file must not close its own turn with it.
        Its calls and thoughts are its own words and stay as they were generated.
        """
        if not any(first in text for first in self._firsts):
            return text
        return self._whole.sub(_break_foreign, text)

    def restore(self, text: str) -> str:
        """Undo `neutralise`."""
        return self._broken.sub(r"\g<first>", text) if BREAK in text else text

    def settled(self, text: str) -> int:
        """Up to where text can be restored before the rest of it is known."""
        found = self._open.search(text) if BREAK in text else None
        while found and len(text) - found.start() <= self._longest:
            if not self._broken.match(text, found.start()):
                return found.start() + 1
            found = self._open.search(text, found.start() + 1)
        return len(text)


class Mender:
    """Restores a stream piece by piece; a token that is split over pieces waits for its end."""

    def __init__(self, hygiene: Hygiene) -> None:
        self._hygiene = hygiene
        self._last = ""  # released, but the first half of a broken token may be in it
        self._held = ""

    def feed(self, text: str) -> str:
        """Take more text, return what is ready."""
        joined = self._last + self._held + text
        cut = max(self._hygiene.settled(joined), len(self._last))
        ready, self._held = joined[:cut], joined[cut:]
        mended = self._hygiene.restore(ready)[len(self._last) :]
        self._last = ready[-1:]
        return mended

    def flush(self) -> str:
        """Return what was held."""
        rest = self._hygiene.restore(self._last + self._held)[len(self._last) :]
        self._held = ""
        return rest


def _is_marker(token: str) -> bool:
    """Whether a token is worth breaking: user-defined ones may be plain words or blanks."""
    plain = token[:1].isalnum() or any(c.isspace() for c in token)
    return _SHORTEST <= len(token) <= _LONGEST and not plain and BREAK not in token


def _break_foreign(found: re.Match[str]) -> str:
    own = _OWN.match(found["token"])
    return found["first"] if own else found["first"] + BREAK


def _loosely(exact: list[str]) -> Iterator[str]:
    """Each pattern as `neutralise` leaves it: broken, perhaps with other breaks inside."""
    yield rf"<{BREAK}\|[^\s<>|]{{1,128}}\|{BREAK}?>"
    yield rf"<{BREAK}\uff5c[^\s<>\uff5c]{{1,128}}\uff5c{BREAK}?>"
    yield rf"<{BREAK}\|{BREAK}?[A-Za-z_]{{1,32}}>"
    yield rf"<{BREAK}[A-Za-z_]{{1,32}}\|{BREAK}?>"
    yield rf"<{BREAK}unused[0-9]{{1,5}}>"
    for token in exact:
        yield re.escape(token[0]) + BREAK + f"{BREAK}?".join(map(re.escape, token[1:]))
