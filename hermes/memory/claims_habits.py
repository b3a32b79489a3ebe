"""Habits: commands that a person asked for by name, that succeeded, and that followed an edit.

A command counts only when the person's own message of that turn names it, so that no file and
no model can make one; and a habit takes a second session before it is a memory.
"""

import re
from collections.abc import Iterator

import msgspec

from hermes.store.claim import Claim
from hermes.store.history import Did, Said, Talk

_EDITS = frozenset({"FileEdit", "FileWrite"})
_SHELL = "Bash"
_DONE = "exit code 0"
_SUSPECT = re.compile(
    r"(?i)[|;&`$<>\n]|\b(?:sudo|su|rm|curl|wget|nc|ssh|scp|dd|mkfs|chmod|chown|eval|exec|base64|kill|"
    r"shutdown|reboot|crontab|passwd|history|env|export)\b|https?:"
)
_LEAST, _MOST = 4, 120


class _Bash(msgspec.Struct, frozen=True):
    command: str = ""


def habits(talk: Talk, project_hash: str) -> Iterator[Claim]:
    """Commands of a talk that may be habits, each once."""
    asked: dict[str, Said] = {}
    edited: set[str] = set()
    told: set[str] = set()
    for said in talk.said:
        if said.role == "user":
            asked[said.turn] = said
            continue
        words = asked.get(said.turn)
        for did in said.calls:
            if did.ok and did.name in _EDITS:
                edited.add(said.turn)
            command = _command(did)
            if words is None or not command or command in told or command not in words.text:
                continue
            told.add(command)
            yield _claim(words, project_hash, command, after_edit=said.turn in edited)


def _command(did: Did) -> str:
    if did.name != _SHELL or not did.ok or did.result.strip() != _DONE:
        return ""
    try:
        command = " ".join(msgspec.json.decode(did.arguments, type=_Bash).command.split())
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ""
    return command if _LEAST <= len(command) <= _MOST and not _SUSPECT.search(command) else ""


def _claim(said: Said, project_hash: str, command: str, *, after_edit: bool) -> Claim:
    content = f"After an edit, `{command}` is run" if after_edit else f"`{command}` is run"
    return Claim(
        project_hash=project_hash,
        memory_type="pattern",
        content=content,
        key=f"command {command}",
        session=said.session,
        cid=said.cid,
        rule="habit",
        at=said.at,
        asserted=False,
    )
