"""No planted key comes out: whatever it is, wherever it stands."""

import base64
import json
import re
import string
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hermes.scrub.fakes import Fakes
from hermes.scrub.finding import Finding
from hermes.scrub.keys import seed_words
from hermes.scrub.personal import luhn
from hermes.scrub.scrub import Piece, findings, scrub
from training.curate.quality import is_correction

ALNUM = string.ascii_letters + string.digits
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "023456789acdefghjklmnpqrstuvwxyz"


def of(alphabet: str, least: int, most: int = 0):
    return st.text(alphabet, min_size=least, max_size=most or least)


def card(digits: str) -> str:
    return next(digits + str(last) for last in range(10) if luhn(digits + str(last)))


def iban(country: str, account: str) -> str:
    moved = "".join(str(int(c, 36)) for c in f"{account}{country}00")
    return f"{country}{98 - int(moved) % 97:02d}{account}"


def grouped(text: str) -> str:
    return " ".join(re.findall(".{1,4}", text))


WORDS = sorted(seed_words())
SHAPED = st.one_of(
    of(string.ascii_uppercase + string.digits, 16).map("AKIA{}".format),
    of(ALNUM, 36).map("ghp_{}".format),
    of(ALNUM, 48).map("sk-{}".format),
    of(ALNUM + "-_", 40).map("sk-ant-api03-a1{}zz".format),
    of(ALNUM, 24).map("sk_live_{}".format),
    of(ALNUM + "-", 20).map("xoxb-1{}".format),
    of(ALNUM + "_-", 35).map("AIza{}".format),
    of(ALNUM, 36).map("npm_{}".format),
    of(ALNUM, 34).map("hf_{}".format),
    of(ALNUM + "-_", 20).map("glpat-{}".format),
    of(BECH32, 58).map("nsec1{}".format),
    of(BASE58, 107).map("xprv{}".format),
    of(BASE58, 51).map("K{}".format),
    of(string.hexdigits.lower(), 64),
    st.binary(min_size=32, max_size=32).map(lambda raw: raw.hex()),
    st.uuids().map(str),
    st.lists(st.sampled_from(WORDS), min_size=12, max_size=24).map(" ".join),
    st.lists(st.sampled_from(WORDS), min_size=12, max_size=12).map(
        lambda words: "\n".join(f"{n}. {word}" for n, word in enumerate(words, 1))
    ),
    st.binary(min_size=300, max_size=600).map(
        lambda raw: (
            "-----BEGIN RSA PRIVATE KEY-----\n"
            + base64.encodebytes(raw).decode()
            + "-----END RSA PRIVATE KEY-----"
        )
    ),
    st.tuples(of(string.ascii_lowercase, 3, 9), of(string.ascii_lowercase, 3, 9)).map(
        lambda pair: f"{pair[0]}@{pair[1]}.net"
    ),
    of(string.digits, 14).map(lambda rest: card("4" + rest)),
    of(string.digits, 14).map(lambda rest: grouped(card("5" + rest))),
    of(string.digits, 18).map(lambda account: iban("DE", account)),
    of(string.digits, 18).map(lambda account: grouped(iban("DE", account))),
    of(string.digits, 9).map(lambda rest: f"+49 17{rest}"),
    of(string.digits, 7).map(lambda rest: f"+1 (415) 2{rest[:2]}-{rest[2:6]}"),
    st.tuples(*[st.integers(1, 254)] * 3).map(lambda p: "10.{}.{}.{}".format(*p)),
    of("0123456789abcdef", 12).map(lambda h: "fe80::1:" + ":".join((h[:4], h[4:8], h[8:]))),
)
NAMED = of(ALNUM, 8, 20).filter(lambda v: any(c.isdigit() for c in v) and not v.isdigit())
"""Secrets without a form of their own: they need a name beside them."""

PLACES = (
    "please use {} for it",
    "{}",
    "[12 lines]\nalpha\nkey here: {}\nomega",
    'x = "{}"\n',
    "config.py:12: value={}",
    "<b>{}</b>",
    "({})",
    "a, {}, b",
    "https://host.test/x?sig={}&n=1",
)
NAMES = (
    "password={}",
    "my password is {}, keep it",
    'password: "{}"',
    "DB_PASSWORD={}",
    '{{"api_key": "{}"}}',
    "postgres://bob:{}@db/x",
    "curl -u bob:{} https://x.test",
    "mysql -u root --password={} shop",
    "Authorization: Bearer {}aaaaaaaa",
    "client_secret => '{}'",
    "export SERVICE_TOKEN='{}'",
    "das Passwort ist {}",
)
WRITINGS = (
    str,
    lambda text: json.dumps({"content": text}),
    lambda text: json.dumps(json.dumps({"content": text})),
    lambda text: json.dumps([text], ensure_ascii=True).replace("-", "\\u002d"),
    lambda text: quote(text, safe=""),
)


def readings(texts) -> str:
    """The texts as they are and with every escape undone: what a reader of them could see."""
    plain = "\n".join(texts)
    for _ in range(3):
        plain += re.sub(r"\\+u00([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), plain)
        plain += plain.replace("\\\\", "\\").replace("\\n", "\n").replace('\\"', '"')
        plain = plain[:200_000]
    return plain.lower()


LOOSE = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@LOOSE
@given(SHAPED, st.sampled_from(PLACES), st.sampled_from(PLACES), st.sampled_from(WRITINGS))
def test_a_key_of_a_known_form_never_comes_out(key, place, other, writing):
    pieces = [Piece(place.format(key), prose=True), Piece(writing(other.format(key)))]
    clean = scrub(pieces)
    if clean is not None:
        assert key.lower() not in readings(clean.texts)


@LOOSE
@given(NAMED, st.sampled_from(NAMES), st.sampled_from(WRITINGS), st.booleans())
def test_a_secret_behind_its_name_goes_everywhere(secret, place, writing, prose):
    pieces = [Piece(writing(place.format(secret)), prose), Piece(f"log in with {secret} now")]
    clean = scrub(pieces)
    if clean is not None:
        assert secret.lower() not in readings(clean.texts)


@LOOSE
@given(SHAPED, st.integers(1, 30))
def test_a_key_cut_in_pieces_by_escapes_never_comes_out(key, step):
    cut = "".join(
        f"\\u{ord(c):04x}" if n % step == 0 and ord(c) < 128 else c for n, c in enumerate(key)
    )
    clean = scrub([Piece(f'{{"text": "{cut}"}}'.replace("\n", "\\n"))])
    if clean is not None:
        assert key.lower() not in readings(clean.texts)


@LOOSE
@given(SHAPED, SHAPED)
def test_one_value_has_one_placeholder_and_two_have_two(one, two):
    clean = scrub([Piece(f"see {one} ok"), Piece(one), Piece(two)])
    assert clean is not None
    assert clean.texts[0] == f"see {clean.texts[1]} ok"
    if one != two and not (one in two or two in one):
        assert clean.texts[1] != clean.texts[2]


@LOOSE
@given(SHAPED)
def test_most_of_what_is_found_is_replaced_not_dropped(key):
    assert scrub([Piece(f"look at {key} now", prose=True)]) is not None


@pytest.mark.parametrize(
    "text",
    [
        "def total(items: list[int]) -> int:\n    return sum(items)\n",
        "What do the tokens cost, and why is the password wrong?",
        "read src/components/UserTable.tsx and run pytest -q tests/test_users.py",
        "version 1.2.3 of 2026-11-21 10:30:00, port 8080, until 2026-05-30 07:15, 05/07",
        "class TokenBucket:\n    def __init__(self, key: str, secret: bytes = b'') -> None: ...",
        "import os\napi_key = os.environ['API_KEY']\npassword = getpass()\n",
        "/usr/local/bin/python3 /tmp/work/notes.txt ../../etc/hosts 127.0.0.1:8000",
        "const accessToken = await getToken(user.id);",
        "git@github.com:owner/repo.git at person@example.com",
    ],
)
def test_ordinary_text_stays(text):
    clean = scrub([Piece(text, prose=True)])
    assert clean is not None
    assert clean.texts == (text,)


def test_copied_values_stay_copies():
    clean = scrub(
        [
            Piece("put jane@corp.net into /home/jane.roe/list.txt", prose=True),
            Piece("/home/jane.roe/list.txt"),
            Piece("jane@corp.net"),
        ]
    )
    assert clean is not None
    assert clean.texts == (
        "put person1@example.com into /home/user/list.txt",
        "/home/user/list.txt",
        "person1@example.com",
    )


def test_the_owners_names_go():
    clean = scrub([Piece("Tell Zaphod that zaphod's file is done", prose=True)], ("zaphod",))
    assert clean is not None
    assert clean.texts == ("Tell user that user's file is done",)


def test_halves_of_overlapping_values_do_not_stay():
    fakes = Fakes()
    fakes.add(Finding("key", "abcdefgh"))
    assert fakes.hide_all(["nothing"])
    assert not fakes.hide_all(["xxABCDEFGHxx"])
    clean = scrub(
        [Piece("password=hunter2hunter3"), Piece("pin=hunter3xyz9"), Piece("hunter2hunter3xyz9")]
    )
    assert clean is not None
    assert "hunter" not in "".join(clean.texts)
    assert "xyz9" not in "".join(clean.texts)


def test_a_pem_block_without_its_end_goes():
    text = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAA\nAAAAB3Nz"
    clean = scrub([Piece(f"[80 lines]\n{text}")])
    assert clean is not None
    assert "b3BlbnNzaC1rZXk" not in clean.texts[0]


def test_vendors_of_detect_secrets_are_heard():
    assert any(
        "SG." in found.value for found in findings("SG." + "a1B2" * 5 + "c3." + "dE4f" * 10 + "xyz")
    )


@pytest.mark.parametrize(
    ("words", "takes_back"),
    [
        ("no, the other file", True),
        ("No. I meant docs/README.md", True),
        ("that's wrong, use port 90", True),
        ("nein, in der anderen Datei", True),
        ("I meant the second one", True),
        ("no problem, now list the tests", False),
        ("no thanks", False),
        ("now run the tests", False),
        ("notes.txt please", False),
        ("what is the number of nodes?", False),
    ],
)
def test_corrections_are_known_by_their_words(words, takes_back):
    assert is_correction(words) is takes_back
