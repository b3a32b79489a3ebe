"""Whether a sentence holds a secret, so that it must not be remembered.

Stricter than scrubbing: whoever names a password and then says what it is means a secret, even
where the words are plain. Addresses and people's names are none: they stay on this machine.
"""

import re

from hermes.scrub.finding import Kind
from hermes.scrub.random_text import looks_random
from hermes.scrub.scrub import findings

_SECRET: frozenset[Kind] = frozenset({"card", "iban", "key", "password", "pem", "seed", "token"})
_NAME = (
    r"pass(?:word|wort|wd|phrase|code)s?|pwd|kennwort|mot de passe|contrase(?:ñ|n)a|senha|parola|"
    r"pin(?: code| number)?|(?:api|access|secret|private|signing|encryption|auth|deploy|bearer|"
    r"session|"
    r"refresh|service|license)[ _-]?(?:key|token|secret)s?|secret(?: key)?|recovery (?:code|"
    r"phrase)s?|"
    r"seed phrase|mnemonic|otp|2fa code|cvv|cvc|credentials?|(?:door|gate|alarm|safe|"
    r"lock)[ _-]?code|"
    r"combination"
)
_SAID = re.compile(
    rf"(?i)\b(?:{_NAME})\b[^.;\n]{{0,60}}?(?:\b(?:is|are|was|be|ist|sind|lautet|est|es|equals)\b|"
    rf"[:=])\s*"
    r"(?:now |still |just |set to |called |changed to |jetzt |"
    r"[\"'`])*(?P<value>[^\s]+)(?P<more>(?: [^\s]+)*)"
)
_PLAIN = re.compile(
    r"(?i)(?:not|never|always|stored|kept|saved|held|rotated|read|loaded|injected|managed|"
    r"encrypted|"
    r"hashed|done|handled|required|optional|needed|used|passed|sent|taken|generated|expected|validated|checked|"
    r"in|on|at|from|by|under|inside|with|without|via|shared|per|only|expired|invalid|wrong|missing|"
    r"empty|unset|valid|reset|changed|a|an|the|our|my|your|too|safe|secure|long|short|at least|"
    r"nicht|im|in|dans|en|dans|guardad\w|gespeichert|stock[ée]e?)"
)


_NAMED = re.compile(rf"(?i)\b(?:{_NAME}|token|key|secret|log(?:ged)? in|login|credentials)\b")
_RUN = re.compile(r"(?<![\w./:-])[A-Za-z0-9]{8,64}(?![\w/:-]|\.\w)")
_SIGNS = re.compile(r"^(?=.*[A-Za-z])(?!.*[/.()<>{}\[\]])[^\s@]+[#*!$%^&~+=][^\s]+$")
_LONG, _SIGNED = 12, 8


def secret_in(text: str) -> str:
    """The kind of secret that a text holds, or nothing."""
    for finding in findings(text, prose=True):
        if finding.kind in _SECRET:
            return finding.kind
    for match in _SAID.finditer(text):
        if not _PLAIN.fullmatch(match["value"].strip(",.!\"'`")):
            return "password"
    named = _NAMED.search(text) is not None
    drawn = any(_is_drawn(match[0], named=named) for match in _RUN.finditer(text))
    signed = named and any(map(_is_signed, text.split()))
    return "token" if drawn or signed else ""


def _is_signed(word: str) -> bool:
    """Whether signs stand between the letters of a word as nobody writes it."""
    inside = word.strip(",.;:!?\"'`()")
    return len(inside) >= _SIGNED and _SIGNS.search(inside) is not None and inside.isascii()


def _is_drawn(word: str, *, named: bool) -> bool:
    """Whether a run of letters and digits is no word: a mixture, where a secret is spoken of."""
    kinds = (any(map(str.isdigit, word)), any(map(str.islower, word)), any(map(str.isupper, word)))
    if sum(kinds) < 2 or (word[1:].islower() and word.isalpha()):  # noqa: PLR2004 - of one kind
        return False
    return (named or (all(kinds) and len(word) >= _LONG)) and looks_random(word)
