"""Which commands never become part of a skill, whatever speaks for them.

Narrower than policy on purpose: policy judges each call again when a skill is used, and this
keeps doubtful ones from being written down at all. It does not judge what a project's own
script does.
"""

import re
from pathlib import PurePosixPath

from hermes.policy.command import Part, names
from hermes.policy.lexer import split
from hermes.policy.wrappers import SHELLS, harmless, reserve

LONGEST = 400
"""Characters of a command that are worth a line in a skill."""

_SYNTAX = re.compile(r"[`$|;<>]|(?<!&)&(?!&)|&&&")
_QUOTED = re.compile(r"'[^']*'|\"[^\"$`!]*\"")
_NEVER = SHELLS | names(
    "sudo doas su pkexec runuser run0 curl wget nc ncat netcat socat telnet ssh scp sftp ftp "
    "rsync rclone aria2c httpie lynx w3m tftp dd mkfs fdisk parted shred wipe chmod chown chattr "
    "kill pkill killall shutdown reboot halt poweroff systemctl crontab iptables nft eval "
    "base64 xxd openssl gpg printenv insmod modprobe useradd usermod passwd visudo osascript "
    "powershell iex certutil bitsadmin mshta"
)
"""No word of a command may name one of these."""

_NEVER_FIRST = names(
    "http service at batch exec source . trap env export set xargs parallel find fd expect "
    "script history mount umount nohup setsid alias command builtin"
)
_REMOVES = names("rm rmdir unlink del")
_FORCE = re.compile(r"-[a-z]*[rRf][a-zA-Z]*|--recursive|--force.*|--no-preserve-root|--hard")
_GIT_NEVER = names("config credential filter-branch update-ref daemon send-email remote clone")
_PLACES = re.compile(
    r"(^|[=:])(/|~)|\.\.(/|$)|(^|/)\.(ssh|aws|gnupg|netrc|env|kube)\b|id_rsa|\.pem$"
)
_ADDRESS = re.compile(r"://|@[\w-]+\.|\b\d{1,3}(\.\d{1,3}){3}\b")
_IN_WORDS = re.compile(
    r"\b(sudo|doas|curl|wget|netcat|ncat|eval|base64|chmod|mkfs|rm\s+-\S*[rf])\b|://"
    r"|\|\s*\w*sh\b|ignore (all|any|previous)|system prompt|password|api.?key|secret|token",
    re.IGNORECASE,
)


def parts_of(command: str) -> tuple[Part, ...]:
    """A command's parts, all joined by `&&`; none when it may not be written down."""
    text = command.replace(" 2>&1", "").strip()
    if not text or len(text) > LONGEST or not text.replace("\n", "").isprintable():
        return ()
    if _SYNTAX.search(text if "\\" in text else _QUOTED.sub("''", text)):
        return ()
    parts = split(text, comments=False)
    if not parts or ("\n" in text and len(parts) > 1):
        return ()
    return () if any(map(_hazard, parts)) else parts


def doubtful(sentence: str) -> bool:
    """Whether words of prose order something that no skill should."""
    return bool(_IN_WORDS.search(sentence))


def _hazard(part: Part) -> bool:
    texts = part.texts
    if not texts or part.strange or part.redirects or not harmless(part.assigns):
        return True
    called = {PurePosixPath(text).name.casefold() for text in texts}
    name = PurePosixPath(texts[0]).name.casefold()
    return (
        bool(called & _NEVER)
        or name in _NEVER_FIRST
        or reserve(part) == "exact"
        or (name in _REMOVES | {"git"} and any(map(_FORCE.fullmatch, texts[1:])))
        or (name == "git" and bool(_GIT_NEVER & set(texts[1:3])))
        or any(_PLACES.search(text) or _ADDRESS.search(text) for text in texts)
    )
