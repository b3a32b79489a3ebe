"""Personal data: addresses, numbers and names that a text gives away by their form.

It does not know people's names as such; those of the owner are handed in.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence

from hermes.scrub.finding import Finding
from hermes.scrub.keys import seed_words

_EMAIL = re.compile(
    r"(?i)(?<![\w.+-])(?P<who>[\w.+%'-]{1,64})(?:@|%40|\s?[\[(]at[\])]\s?)"
    r"(?P<where>(?:[\w-]{1,63}(?:\.|\s?[\[(]dot[\])]\s?)){1,8}[a-z]{2,24})(?![\w-])"
)
_SAFE_HOSTS = ("example.com", "example.org", "example.net")
_NAMED = re.compile(
    r"(?m)(?:^|[\s:\"'])"
    r"(?P<name>[^\W\d_][\w.'\u2019-]*(?:[ ][^\W\d_][\w.'\u2019-]*){0,4})[ ]?<[\w.+%-]{1,64}@"
)
_INTRODUCED = re.compile(
    r"(?:\b(?:[Mm]y name is|[Ii]ch hei(?:ß|ss)e|[Jj]e m'appelle|[Mm]e llamo)|user\.name[ =]+[\"']?)"
    r"\s{0,2}(?P<name>[^\W\d_][\w'\u2019-]+(?: [A-ZÀ-Ý][\w'\u2019-]+){0,3})"
)
_PHONES = (
    re.compile(r"(?<![\w+])(?:\+|00)[1-9]\d{0,2}[ ./-]{0,2}(?:\(0?\d{0,4}\)[ ./-]?)?"
               r"\d(?:[ ./-]?\d){5,13}(?![\w])"),
    re.compile(r"(?<![\w./-])\(?0\d{1,5}\)?[ /-]{1,3}\d{2,8}(?:[ -]\d{1,8}){0,4}(?![\w.])"),
    re.compile(r"(?<![\w.-])(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}[2-9]\d{2}[ .-]\d{4}(?![\w-])"),
    re.compile(r"(?i)(?:phone|tel|telefon|mobile|mobil|handy|cell|fax|call|ring|text|sms|whatsapp|number)"
               r"[^\d\n+]{0,20}(?P<value>\+?\(?\d(?:[ ()./-]{0,2}\d){6,14})(?!\w)"),
)  # fmt: skip
_DATE = re.compile(r"\d{2,4}[-/.]\d{1,2}[-/.]\d{1,4}(?: \d+)*")
_CARD = re.compile(r"(?<![\w])[2-6]\d(?:[ -]?\d){11,17}(?![\w])")
_IBAN = re.compile(r"(?i)(?<![a-z0-9])[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,30}(?![a-z0-9])")
_IBAN_LEAST = 15
_PHONE_LEAST = 7
_IBAN_KNOWN = (
    "AD24 AE23 AT20 BE16 BG22 BR29 CH21 CY28 CZ24 DE22 DK18 EE20 ES24 FI18 FR27 GB22 GE22 GI23 "
    "GR27 HR21 HU28 IE22 IL23 IS26 IT27 KW30 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MT31 NL18 "
    "NO15 PL28 PT25 QA29 RO24 RS22 SA24 SE24 SI19 SK24 SM27 TN24 TR26 UA29"
)
_IBAN_LENGTHS = {known[:2]: int(known[2:]) for known in _IBAN_KNOWN.split()}
_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?i)(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}(?![\w:])")
_MAC = re.compile(r"(?i)(?<![\w:-])[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}(?![\w:-])")
_HOME = re.compile(
    r"(?:(?<![\w.])|(?<=\\n)|(?<=file:/)|(?<=:))"
    r"(?P<before>(?:/(?:var|usr|export|mnt|media|run/media)(?:/[a-z])?)?/(?:home|[Uu]sers)"
    r"|[A-Za-z]:(?:\\{1,4}|/)[Uu]sers)"
    r"(?P<slash>\\{1,4}|/+)(?P<name>[^\W_][\w.@ +-]*?)(?=[/\\\s\"'`:;,)\]}<>|*]|$)"
)
_NOBODIES = (
    "user users you your yourname name username me someone somebody admin administrator root "
    "ubuntu debian ec2-user runner runneradmin vagrant git node app dev shared public default "
    "guest linuxbrew hermes test demo docker jovyan"
)
_NOBODY = frozenset(_NOBODIES.split())
_CODE = (
    "code data file files list main test tests home self type types name names open print path "
    "input format filter object range slice super tuple class async await with while break "
    "continue return import from global yield lambda else elif except finally assert string "
    "bytes float index value values items keys true false none null void const make python "
    "java rust node"
)
_WORDS = frozenset(_CODE.split())
_LONG_NAME, _SHORT_NAME = 4, 3
_SEGMENTS = 3


def personal(text: str, owner: Sequence[str] = ()) -> Iterator[Finding]:
    """Every personal value in a text; `owner`: names that are looked for as they are."""
    yield from _people(text)
    yield from _numbers(text)
    yield from _machines(text)
    for name in owner:
        if len(name) >= _SHORT_NAME and name.lower() in text.lower():
            yield Finding("name", name, word=True)


def _people(text: str) -> Iterator[Finding]:
    for match in _EMAIL.finditer(text):
        safe = match["where"].lower().endswith(_SAFE_HOSTS) or match["who"].lower() == "git"
        if not safe:
            yield Finding("email", match[0])
    for pattern in (_NAMED, _INTRODUCED):
        for match in pattern.finditer(text):
            if match["name"].lower() not in _NOBODY:
                yield Finding("person", match["name"], word=True)
    for match in _HOME.finditer(text):
        name = match["name"].strip()
        if name.lower() in _NOBODY or not name:
            continue
        yield Finding("home", match[0])
        if _is_telling(name):
            yield Finding("name", name, word=True)


def _is_telling(name: str) -> bool:
    low = name.lower()
    return len(name) >= _LONG_NAME and low not in _WORDS and low not in seed_words()


def _numbers(text: str) -> Iterator[Finding]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if luhn(digits):
            yield Finding("card", match[0])
    for match in _IBAN.finditer(text):
        if (iban := _iban_in(match[0])) is not None:
            yield Finding("iban", iban)
    for match in _SSN.finditer(text):
        yield Finding("phone", match[0])
    for pattern in _PHONES:
        for match in pattern.finditer(text):
            value = match.groupdict().get("value") or match[0]
            if not _DATE.fullmatch(value) and sum(map(str.isdigit, value)) >= _PHONE_LEAST:
                yield Finding("phone", value)


def _machines(text: str) -> Iterator[Finding]:
    for match in _IPV4.finditer(text):
        if _is_somewhere(match[0]):
            yield Finding("ipv4", match[0])
    for match in _IPV6.finditer(text):
        parts = [part for part in match[0].split(":") if part]
        if len(parts) >= _SEGMENTS and _is_somewhere(match[0]):
            yield Finding("ipv6", match[0])
    for match in _MAC.finditer(text):
        if not match[0].lower().replace("-", ":").startswith("00:00:5e:00:53"):
            yield Finding("mac", match[0])


def _is_somewhere(text: str) -> bool:
    """Whether this is the address of a machine, and not one of those kept for examples."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        kept = address in _EXAMPLES_6
    else:
        kept = any(address in network for network in _EXAMPLES_4)
    return not (kept or address.is_loopback or address.is_unspecified or address.is_multicast)


_EXAMPLES_4 = tuple(
    map(
        ipaddress.IPv4Network,
        ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "255.0.0.0/8"),
    )
)
_EXAMPLES_6 = ipaddress.IPv6Network("2001:db8::/32")


def luhn(digits: str) -> bool:
    """Whether a card number's check digit is right (ISO/IEC 7812)."""
    doubled = (int(d) * 2 if i % 2 else int(d) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0  # noqa: PLR2004


def _iban_in(text: str) -> str | None:
    """The account number that a text begins with (ISO 13616); words may follow it."""
    length = _IBAN_LENGTHS.get(text[:2].upper())
    ends = [match.end() for match in re.finditer("[A-Za-z0-9]", text)]
    for end in ends[_IBAN_LEAST - 1 :] if length is None else ends[length - 1 : length]:
        piece = re.sub(r"[ -]", "", text[:end]).upper()
        moved = "".join(str(int(c, 36)) for c in piece[4:] + piece[:4])
        if int(moved) % 97 == 1:
            return text[:end]
    return None
