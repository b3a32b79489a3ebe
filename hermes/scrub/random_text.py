"""Text that nobody wrote: keys without a name, told from words by how their letters follow.

Catches what no other rule knows. It errs towards calling a strange identifier a key: that
costs little, because the placeholder is the same everywhere in a conversation.
"""

import re
from collections.abc import Iterator
from itertools import groupby, pairwise

from hermes.scrub.finding import Finding

_RUN = re.compile(r"[A-Za-z0-9+/_.~-]{16,}={0,2}")
_PLAIN = re.compile(r"[A-Za-z0-9]{16,}")
_HEX = re.compile(
    r"(?<![A-Za-z0-9])(?:0x)?(?:[0-9a-f]{32,}|[0-9A-F]{32,}"
    r"|(?=[A-F]*[a-f]*\d)(?=\d*[A-Fa-f])(?:[0-9a-f]{20,}|[0-9A-F]{20,}))(?![A-Za-z0-9])"
)
_UUID = re.compile(r"(?i)(?<![\w-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-])")
_SIGNS = "!@#$%^&*?~"
_PASSWORD = re.compile(rf"(?<![\w])[\w{re.escape(_SIGNS)}+-]{{10,64}}(?![\w])")
_PAIRS = (
    "in er re te es on en at ti le st ed or de se co ar nt al ng et li me an ra ro ri it ta ne io "
    "ec di tr nd ma ge is pe un ea si la ve na ic ct ns lo ca ac as to ce pr pa il el fi th rs ch "
    "am ex ll he nc ss ts ou od om em ad mp ur po ol im rt op ni no oc mo ck su mi ut bl ab ha pl "
    "rr ly sh ul ap pt ho id os ke da us ot ep fo ai ie ig ir cl ia ee ef do sc sp cr ag ty ow rm "
    "va ff so tt tu pi ba ip iv um if oo hi up wa rd sa ls qu iz rc ze ib ry lt pp ci ds ev ue nf "
    "gr bi be ub yp vi gi tc fe ru bu cu rn fr du eg xt bo ld lu ay nu wi fa tl rg au ui we ob ov "
    "nn fl mb tp sl sy gs ew nv br ki dr pu dd "
)
_COMMON = frozenset(_PAIRS.split())
_SHORT_PAIRS = 4
_TANGLED, _ODD, _MIXED = 0.5, 0.35, 0.75
_JOINED = 20


def random_text(text: str) -> Iterator[Finding]:
    """Every run of letters and digits in a text that looks drawn, not written."""
    for pattern in (_UUID, _HEX):
        for match in pattern.finditer(text):
            yield Finding("token", match[0])
    for match in _RUN.finditer(text):
        yield from _in_run(match[0])
    for match in _PASSWORD.finditer(text):
        if _like_password(match[0]):
            yield Finding("token", match[0])


def looks_random(word: str) -> bool:
    """Whether a run of ASCII letters and digits is more likely drawn than written."""
    kinds = [_kind(character) for character in word]
    if kinds.count("d") in (0, len(kinds)) and len(set(kinds)) == 1:
        return kinds[0] != "d" and _common(word) < _TANGLED
    common = _common(word)
    changes = sum(a != b for a, b in pairwise(kinds)) / len(word)
    numbers = sum(kind == "d" for kind, _ in groupby(kinds))
    if common < _TANGLED or changes >= _TANGLED:
        return True
    return common < _MIXED and (changes >= _ODD or numbers > 1)


def _in_run(run: str) -> Iterator[Finding]:
    parts = [part for part in _PLAIN.findall(run) if looks_random(part)]
    for part in parts:
        yield Finding("token", part)
    whole = run.strip("._-=/~")
    joined = re.sub(r"[^A-Za-z0-9]", "", whole)
    drawn = len(joined) >= _JOINED and len({_kind(c) for c in joined}) > 2  # noqa: PLR2004
    padded = run.endswith("=") and len(run) % 4 == 0
    drawn = drawn and _common(joined) < _MIXED and (padded or _changes(joined) >= _ODD)
    if drawn or (parts and "/" not in whole and "." not in whole):
        yield Finding("token", whole)


def _like_password(word: str) -> bool:
    kinds = {_kind(character) for character in word}
    return {"l", "u", "d", "s"} <= kinds and _changes(word) >= _TANGLED


def _changes(word: str) -> float:
    return sum(_kind(a) != _kind(b) for a, b in pairwise(word)) / len(word)


def _common(word: str) -> float:
    pairs = [a + b for a, b in pairwise(word.lower()) if a.isalpha() and b.isalpha()]
    if len(pairs) < _SHORT_PAIRS:
        return 0.0 if any(character.isalpha() for character in word) else 1.0
    return sum(pair in _COMMON for pair in pairs) / len(pairs)


def _kind(character: str) -> str:
    if character.isdigit():
        return "d"
    if character.isalpha():
        return "u" if character.isupper() else "l"
    return "s"
