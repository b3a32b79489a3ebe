"""Secrets that only their name gives away: `password = …`, `--token …`, "my pin is …".

In code most such names hold a variable or a type, so an unquoted plain word counts only
where a person writes.
"""

import re
from collections.abc import Iterator

from hermes.scrub.finding import Finding

_STRONG = (
    r"pass(?:word|wort|wd|phrase|code)s?|pwd|pw|kennwort|mot[ _-]de[ _-]passe|contrase(?:ñ|n)a|"
    r"senha|parola|secret(?:[ _-]?(?:access)?[ _-]?key)?|api[ _-]?(?:key|secret|token)|"
    r"(?:private|access|auth|signing|encryption|client|deploy|service|license|account)"
    r"[ _-]?(?:key|secret|token|pass)|credentials?|recovery[ _-]?(?:code|phrase)|"
    r"seed[ _-]?phrase|mnemonic|bearer|(?:security|verification|door|gate|alarm)[ _-]?code|"
    r"pin(?:[ _-]?code)?|cvv|cvc|ssn|webhook"
)
_WEAK = (
    r"tokens?|keys?|cookies?|session(?:[ _-]?id)?|auth(?:orization)?|login|otp|nonce|salt|signature"
)
_NAME = (
    rf"(?<![A-Za-z])(?:[A-Za-z0-9]{{1,40}}[_.-]){{0,6}}(?P<a>{_STRONG}|{_WEAK})"
    r"(?:[_-][A-Za-z0-9]{1,20}){0,3}"
)
_ASSIGN = r"\s{0,8}(?::=|=>|==?|:|\|)\s{0,8}"
_QUOTED = re.compile(
    rf"(?i){_NAME}[\"'`\\]{{0,3}}\]?{_ASSIGN}"
    r"(?:[rbf]{0,2})(?P<q>\\{0,2}[\"'`])(?P<value>.{1,300}?)(?P=q)"
)
_BARE = re.compile(rf"(?i){_NAME}[\"'`\\]{{0,3}}{_ASSIGN}(?P<value>[^\s\"'`,;<>]{{3,300}})")
_CAMEL = re.compile(
    r"[a-z0-9](?:Password|Passphrase|Secret|Token|ApiKey|Key|Credential)[A-Za-z]{0,12}[\"'\\]{0,3}"
    r"\s{0,8}[:=]\s{0,8}(?P<q>\\{0,2}[\"'`])(?P<value>.{1,300}?)(?P=q)"
)
_SAID = re.compile(
    rf"(?i)(?<![A-Za-z])(?P<a>{_STRONG}|{_WEAK}|code|username|user name|log ?in)"
    r"(?: (?:for|of|to|on|für|de|del|du) [\w.@ -]{1,40}?)?"
    r"[\"'`]?\s{0,3}(?:is|are|was|be|to|as|with|using|equals|[:=]|->|ist|lautet|est|es|è|é|:)"
    r"(?:\s(?:now|still|just|set to|called|jetzt))?\s{1,3}"
    r"(?P<value>\"[^\"\n]{2,100}\"|'[^'\n]{2,100}'|`[^`\n]{2,100}`|[^\s\"'`]{2,200})"
)
_FLAGS = (
    re.compile(r"(?i)--?(?:password|passwd|passphrase|pass|token|api[_-]?key|secret|auth|pin)"
               r"(?:[= ]|\s{1,2})[\"']?(?P<value>[^\s\"']{2,300})"),
    re.compile(r"(?:^|\s)(?:-u|--user|--proxy-user)[= ]?[\"']?[^\s:\"']{1,80}:"
               r"(?P<value>[^\s\"']{2,200})"),
    re.compile(r"sshpass\s{1,3}-p\s{0,3}[\"']?(?P<value>[^\s\"']{2,200})"),
    re.compile(r"\b(?:mysql|mysqldump|mariadb)\b[^\n|;]{0,120}\s-p(?P<value>[^\s\"'-][^\s\"']{1,200})"),
    re.compile(r"(?i)\b(?:bearer|basic|digest|token|apikey)\s{1,3}(?P<value>[A-Za-z0-9._~+/=-]{12,})"),
    re.compile(r"(?i)\b(?:set-)?cookie\s{0,3}:\s{0,3}(?P<value>[^\n\"']{4,2000})"),
    re.compile(r"(?i)[?&;](?:[a-z_-]{0,20}(?:key|token|secret|password|passwd|pwd|pass|auth|sig"
               r"|signature|code|session|credential))=(?P<value>[^\s&\"'#;<>]{3,500})"),
    re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s:/@\"']{0,200}:(?P<value>[^\s/@\"']{1,200})@"),
    re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{1,20}://(?P<value>[^\s:/@\"'{}<>$]{8,200})@"),
    re.compile(r"(?im)^\s{0,4}(?:machine\s+\S+\s+)?(?:login\s+\S+\s+)?password\s+(?P<value>\S{2,200})"),
)  # fmt: skip
_NO_SECRET = re.compile(
    r"(?i)(?:[*x•.…_-]+|none|null|nil|true|false|undefined|str|string|bytes|bool|boolean|int|"
    r"integer|number|float|optional|object|any|text|varchar|char|type|value|values|default|"
    r"required|redacted|hidden|masked|empty|unset|missing|todo|self|this|input|prompt|return|"
    r"get|set|list|dict|tuple|array|map|enum|const|var|let|new|the|an?|my|your|our|their|his|"
    r"her|its|not|and|or|in|on|for|of|to|from|with|by|at|as|be|been|it|that|which|what|where|"
    r"how|why|who|when|if|else|is|are|was|were|will|would|can|could|should|must|may|also|only|"
    r"here|there|wrong|right|valid|invalid|incorrect|correct|expired|stored|hashed|encrypted|"
    r"kept|used|safe|secret|secure|needed|optional|changed|reset|sent|found|shown|printed|"
    r"generated|same|one|two|more|less|than|no|yes|ok|error|errors|file|files|env|environ|"
    r"config|settings|field|column|key|keys|token|tokens|password|passwords|name|user|id|ids|"
    r"class|def|function|import|async|await|lambda|pass|raise|tests?|testing|example|foo|bar|"
    r"baz|qux|admin|root|postgres|guest|demo|hello|world|main|changeme)"
)
_CODE = re.compile(
    r"[$<{\[(%].*|.*[(\[{].*|[A-Za-z_][\w]*(?:(?:\.|::|->)[A-Za-z_]\w*)+|[a-z]+(?:_[a-z]+)+|&\w+"
)
_HOLE = re.compile(r"[$<{%][^\s]*[>})]?|\.\.\.")
_TRAILING = ".,;:!?)]}>…"
_SHORT, _LONG_WORD, _LEAST_INSIDE = 3, 4, 6


def assigned(text: str, *, prose: bool) -> Iterator[Finding]:
    """Every value in a text that stands behind a name for secrets; `prose`: a person wrote it."""
    yield from _literals(text)
    for pattern in _FLAGS:
        for match in pattern.finditer(text):
            if _meant(match["value"]) and not _CODE.fullmatch(match["value"]):
                yield _found(match["value"])
    for match in _BARE.finditer(text):
        value = _trimmed(match["value"])
        if _is_value(match["a"], value, plain=prose or _is_setting(match)):
            yield _found(value)
    yield from _said(text, prose=prose)


def _literals(text: str) -> Iterator[Finding]:
    for match in _QUOTED.finditer(text):
        if _is_literal(match["a"], match["value"]):
            yield _found(match["value"])
    for match in _CAMEL.finditer(text):
        if _is_literal("token", match["value"]):
            yield _found(match["value"])


def _is_setting(match: re.Match[str]) -> bool:
    """Whether it stands alone on its line, or its name is an environment variable's."""
    text = match.string
    before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    after = text[match.end() : match.end() + 1]
    shouted = text[match.start() : match.start("value")].rstrip(" =:").isupper()
    return shouted or (not before.strip(" \t-") and after in {"", "\n", "\r"})


def _said(text: str, *, prose: bool) -> Iterator[Finding]:
    for match in _SAID.finditer(text):
        raw = match["value"]
        quoted = raw[0] in "\"'`"
        value = raw[1:-1] if quoted else _trimmed(raw)
        if _meant(value) and (quoted or _is_value(match["a"], value, plain=prose)):
            yield _found(value)


def _is_literal(name: str, value: str) -> bool:
    """Whether a quoted value is a secret: anything behind a clear name, else what looks it."""
    if not _meant(value) or _HOLE.fullmatch(value):
        return False
    if _is_strong(name):
        return len(value) >= _SHORT
    return len(value) >= _LONG_WORD and not value.isalpha() and not re.search(r"\s", value)


def _is_value(name: str, value: str, *, plain: bool) -> bool:
    if not _meant(value) or _CODE.fullmatch(value):
        return False
    if not value.isalpha():
        return any(c.isdigit() for c in value) or (plain and _is_strong(name)) or _mixed(value)
    if not plain and (value.islower() or value.istitle() or value.isupper()):
        return False
    return len(value) >= _LONG_WORD and _is_strong(name)


def _is_strong(name: str) -> bool:
    return re.fullmatch(rf"(?i){_STRONG}", name) is not None


def _mixed(value: str) -> bool:
    return not value.replace("_", "").replace("-", "").replace("/", "").isalpha()


def _meant(value: str) -> bool:
    return value.strip() != "" and _NO_SECRET.fullmatch(value.strip()) is None


def _trimmed(value: str) -> str:
    return value.rstrip(_TRAILING) or value


def _found(value: str) -> Finding:
    """What is long and no word goes even from the middle of other text."""
    return Finding("password", value, word=value.isalpha() or len(value) < _LEAST_INSIDE)
