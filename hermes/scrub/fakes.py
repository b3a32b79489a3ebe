"""Placeholders: the same value always becomes the same one, within one conversation.

They are numbered by first appearance and never derived from what they stand for, keep the
form a reader expects, and are values that no scanner and no network takes for real.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

from hermes.scrub.finding import Finding, Kind
from hermes.scrub.personal import luhn

_PREFIX = re.compile(
    r"(?:sk|pk|rk)[-_](?:live_|test_|ant-|proj-)?|gh[a-z]_|github_pat_|gl[a-z]+-|xox[a-z]-|AKIA|"
    r"ASIA|AIza|npm_|pypi-|hf_|SG\.|eyJ|(?:nsec|npub|ncryptsec|nprofile|age|bc|tb)1|[xyz](?:prv|pub)"
)
_NETS = ("192.0.2", "198.51.100", "203.0.113")
_HOSTS, _LINES = 254, 100


class Fakes:
    """One conversation's placeholders."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}
        self._words: dict[str, bool] = {}
        self._count: Counter[Kind] = Counter()
        self.made: set[str] = set()

    def __len__(self) -> int:
        return len(self._of)

    @property
    def counts(self) -> dict[Kind, int]:
        """How many different values of each kind there were."""
        return dict(self._count)

    def add(self, finding: Finding) -> None:
        """Give a value its placeholder; one that has its own keeps it."""
        low = finding.value.lower()
        if low in self._of:
            self._words[low] = self._words[low] and finding.word
            return
        fake = self._made(finding)
        self._of[low], self._words[low] = fake, finding.word
        self.made.add(fake)

    def knows(self, value: str) -> bool:
        """Whether what was found is a placeholder, or nothing beside placeholders."""
        rest = value
        for fake in sorted(self.made, key=len, reverse=True):
            if value in fake:
                return True
            rest = rest.replace(fake, "")
        return rest != value and len(re.sub(r"[\W_]", "", rest)) < 4  # noqa: PLR2004

    def hide_all(self, texts: Sequence[str]) -> bool:
        """Whether no text holds a value any more, words of their own excepted."""
        lows = [text.lower() for text in texts]
        values = [value for value, word in self._words.items() if not word and value[0] != "\0"]
        return not any(value in low for value in values for low in lows)

    def values(self) -> Iterator[tuple[str, str, bool]]:
        """Every value in every form it may stand in, its placeholder, whether it is a word."""
        for value, fake in self._of.items():
            word = self._words[value]
            yield value, fake, word
            for form in _forms(value):
                yield form, fake, word

    def _made(self, finding: Finding) -> str:
        value, kind = finding.value, finding.kind
        if kind == "home":
            before, slash, name = re.split(r"([\\/]+)(?=[^\\/]*$)", value)
            return f"{before}{slash}{self._name(name)}"
        if kind == "name":
            return self._name(value)
        self._count[kind] += 1
        return _MAKERS.get(kind, _password)(value, self._count[kind])

    def _name(self, name: str) -> str:
        low = name.strip().lower()
        key = f"\0{low}"
        if key not in self._of:
            self._count["name"] += 1
            number = self._count["name"]
            self._of[key] = "user" if number == 1 else f"user{number}"
            self._words[key] = True
            self.made.add(self._of[key])
        return self._of[key]


def _forms(value: str) -> Iterator[str]:
    """How a value is written inside other text: escaped, percent-coded, in base64."""
    for text in (
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        value.replace("'", "\\'"),
    ):
        inner = text.removeprefix('"').removesuffix('"')
        if inner != value:
            yield inner
            yield json.dumps(inner)[1:-1]
    if (coded := quote(value, safe="")) != value:
        yield coded.lower()


def _key(value: str, number: int) -> str:
    found = _PREFIX.match(value)
    return f"{found[0] if found else 'key-'}example{number:04d}"


def _password(_: str, number: int) -> str:
    return f"example-password-{number}"


def _token(value: str, number: int) -> str:
    """As long and with the same signs, of so few letters that no scanner takes it for a key."""
    draw = random.Random(f"hermes/curate/1 {number}")  # noqa: S311 - it has to be repeatable
    letters = "01"
    letters += "abcde" if re.search("[a-z]", value) else ""
    letters += "ABCDE" if re.search("[A-Z]", value) else ""
    return "".join(draw.choice(letters) if c.isalnum() else c for c in value)


def _card(_: str, number: int) -> str:
    digits = f"4{number:015d}"
    return digits if not luhn(digits) else f"5{number:015d}"


def _phone(_: str, number: int) -> str:
    return f"+1-202-555-{_LINES + number % _LINES:04d}"


def _ipv4(_: str, number: int) -> str:
    net, host = divmod(number - 1, _HOSTS)
    return f"{_NETS[net % len(_NETS)]}.{host + 1}"


_MAKERS: dict[Kind, Callable[[str, int], str]] = {
    "card": _card,
    "email": lambda _, number: f"person{number}@example.com",
    "iban": lambda _, number: f"DE00{number:018d}",
    "ipv4": _ipv4,
    "ipv6": lambda _, number: f"2001:db8::{number:x}",
    "key": _key,
    "mac": lambda _, number: f"00:00:5e:00:53:{number % 256:02x}",
    "password": _password,
    "pem": lambda _, number: f"-----EXAMPLE KEY {number}-----",
    "person": lambda _, number: f"Person {number}",
    "phone": _phone,
    "seed": lambda _, number: f"(example seed phrase {number})",
    "token": _token,
}
