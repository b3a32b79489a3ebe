"""Keys that are known by their shape: prefixes, PEM blocks, BIP-39 seed words.

detect-secrets knows many vendors; ours are those it lacks and those it sees only in part.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files

from detect_secrets.plugins.artifactory import ArtifactoryDetector
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.cloudant import CloudantDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.ibm_cloud_iam import IbmCloudIamDetector
from detect_secrets.plugins.ibm_cos_hmac import IbmCosHmacDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.softlayer import SoftlayerDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

from hermes.scrub.finding import Finding

# The private-key, keyword, entropy and IP plugins stay out: they name headers, not keys, or
# are coarser than `personal`, `assigned` and `random_text`. Nothing here verifies online.
_VENDORS: tuple[RegexBasedDetector, ...] = (
    ArtifactoryDetector(),
    AWSKeyDetector(),
    AzureStorageKeyDetector(),
    BasicAuthDetector(),
    CloudantDetector(),
    DiscordBotTokenDetector(),
    GitHubTokenDetector(),
    GitLabTokenDetector(),
    IbmCloudIamDetector(),
    IbmCosHmacDetector(),
    JwtTokenDetector(),
    MailchimpDetector(),
    NpmDetector(),
    OpenAIDetector(),
    PypiTokenDetector(),
    SendGridDetector(),
    SlackDetector(),
    SoftlayerDetector(),
    SquareOAuthDetector(),
    StripeDetector(),
    TelegramBotTokenDetector(),
    TwilioKeyDetector(),
)
_PREFIXED = re.compile(
    r"""(?: \b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{12,}[A-Za-z0-9_-]*
    | gh[a-z]_[A-Za-z0-9]{16,} | github_pat_[A-Za-z0-9_]{16,} | gl[a-z]{2,5}-[A-Za-z0-9_=-]{16,}
    | xox[a-z]-[A-Za-z0-9-]{8,} | xapp-[A-Za-z0-9-]{8,}
    | (?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,}
    | AIza[A-Za-z0-9_-]{20,} | ya29\.[A-Za-z0-9_-]{10,} | GOCSPX-[A-Za-z0-9_-]{10,}
    | npm_[A-Za-z0-9]{16,} | pypi-[A-Za-z0-9_-]{16,} | hf_[A-Za-z0-9]{16,}
    | SG\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,} | dop_v1_[a-f0-9]{16,}
    | shp[a-z]{2}_[a-fA-F0-9]{16,}
    | EAAC[A-Za-z0-9]{16,} | AGE-SECRET-KEY-1[A-Z0-9]{16,} | age1[a-z0-9]{30,}
    | eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{4,}){0,2}
    | [0-9]{8,10}:AA[A-Za-z0-9_-]{30,}
    | [xyzuvtXYZUVT](?:prv|pub)[1-9A-HJ-NP-Za-km-z]{40,}
    | (?<![A-Za-z0-9])[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}(?![A-Za-z0-9])
    | (?:AAAA[A-Z][A-Za-z0-9+/]{12,}={0,2}) )""",
    re.VERBOSE,
)
_BECH32 = re.compile(r"(?i)\b(?:nsec|ncryptsec|npub|nprofile|bc|tb|lnbc|lsec)1[02-9ac-hj-np-z]{8,}")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}-----(?:(?!-----BEGIN ).)*?-----END [A-Z0-9 ]{0,40}-----"
    r"|-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE|SECRET) KEY[A-Z0-9 ]{0,20}-----"
    r"(?:[\s\\nr]*[A-Za-z0-9+/=:, -]{1,80})+",
    re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z]{3,8}(?![A-Za-z])")
_BETWEEN = re.compile(r"[\s\d.,;:|()\[\]{}\"'`*_\\/-]{1,24}")
_SEED_WORDS = 12


@lru_cache(maxsize=1)
def seed_words() -> frozenset[str]:
    """The English list of BIP-39."""
    text = files("hermes.scrub").joinpath("bip39_english.txt").read_text(encoding="ascii")
    return frozenset(text.split())


def keys(text: str) -> Iterator[Finding]:
    """Every key in a text that its own shape gives away."""
    for block in _PEM.finditer(text):
        yield Finding("pem", block[0])
    for pattern in (_PREFIXED, _BECH32):
        for match in pattern.finditer(text):
            yield Finding("key", match[0])
    for vendor in _VENDORS:
        for value in vendor.analyze_string(text):
            if len(value) > 3:  # noqa: PLR2004 - shorter ones are groups that matched nothing
                yield Finding("key", value)
    yield from _seeds(text)


def _seeds(text: str) -> Iterator[Finding]:
    """Twelve words or more of the list in a row, numbered or not; prose never has them."""
    known = seed_words()
    start, end, count = 0, -1, 0
    for match in _WORD.finditer(text):
        if match.start() and text[match.start() - 1].isalpha():
            continue
        joined = end >= 0 and _BETWEEN.fullmatch(text, end, match.start()) is not None
        if match[0].lower() not in known or not joined:
            if count >= _SEED_WORDS:
                yield Finding("seed", text[start:end])
            start, count = match.start(), 0
        if match[0].lower() in known:
            count, end = count + 1, match.end()
        else:
            end = -1
    if count >= _SEED_WORDS:
        yield Finding("seed", text[start:end])
