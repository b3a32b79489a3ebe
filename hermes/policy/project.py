"""A project's own rules, and which of them the person trusts.

`.hermes-v2/policy.toml` comes with the repository, so it may only tighten until the person
trusts its digest; a changed file is untrusted again. A file that cannot be read denies every
write: a broken fence is closed, not open.
"""

import hashlib
import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from hermes.errors import SettingsInvalid
from hermes.policy.paths import inside
from hermes.policy.rules import NO_RULES, RuleSet, read_rules

POLICY_FILE = ".hermes-v2/policy.toml"
_LARGEST = 64 * 1024


class _PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allow: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


class _TrustFile(msgspec.Struct, frozen=True):
    trusted: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class ProjectPolicy:
    """What a project's file says. `digest`: sha256 hex of the bytes read, empty without a file.

    `broken` says why it can't be read; `notes` what the person should know.
    """

    rules: RuleSet = NO_RULES
    digest: str = ""
    trusted: bool = False
    broken: str = ""
    notes: tuple[str, ...] = ()


def read_project(root: Path, trusted: Mapping[str, str]) -> ProjectPolicy:
    """Read a project's policy; never raises.

    Args:
        root: the project's resolved directory.
        trusted: root to the sha256 that the person trusts, from `read_trust`.
    """
    path = root / POLICY_FILE
    try:
        if not os.path.lexists(path):
            return ProjectPolicy()
        if not inside(path.resolve(), root):
            return _broken("it is a link that leads out of the project")
        if not path.is_file():
            return _broken("it is no plain file")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, RuntimeError) as error:
        return _broken(f"it cannot be read: {error}")
    if len(data) > _LARGEST:
        return _broken(f"it is larger than {_LARGEST} bytes")
    return _judge(data, trusted.get(str(root), ""))


def _judge(data: bytes, trusted_digest: str) -> ProjectPolicy:
    digest = hashlib.sha256(data).hexdigest()
    try:
        lists = msgspec.convert(tomllib.loads(data.decode()), _PolicyFile)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        return replace(_broken(f"it cannot be understood: {error}"), digest=digest)
    rules = read_rules(
        {"allow": lists.allow, "ask": lists.ask, "deny": lists.deny}, source="project"
    )
    if digest == trusted_digest:
        return ProjectPolicy(rules, digest, trusted=True)
    notes: tuple[str, ...] = ()
    if rules.allow:
        names = ", ".join(rule.text for rule in rules.allow)
        notes = (f"{POLICY_FILE} is not trusted: its allow rules are ignored ({names})",)
    return ProjectPolicy(replace(rules, allow=()), digest, notes=notes)


def _broken(why: str) -> ProjectPolicy:
    return ProjectPolicy(broken=why, notes=(f"{POLICY_FILE}: {why}; every write is denied",))


def read_trust(path: Path) -> dict[str, str]:
    """Read `trust.toml`: project root to trusted digest; raises SettingsInvalid."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _TrustFile)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise SettingsInvalid(f"{path}: {error}", "mend or remove the file") from error
    return dict(found.trusted)


def write_trust(path: Path, root: Path, digest: str) -> None:
    """Note that the person trusts this digest for this project; an empty one forgets it."""
    known = read_trust(path) | {str(root): digest}
    lines = [f"{_quoted(name)} = {_quoted(each)}" for name, each in sorted(known.items()) if each]
    path.parent.mkdir(parents=True, exist_ok=True)
    number, beside = tempfile.mkstemp(dir=path.parent, prefix=".trust-")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write("\n".join(["[trusted]", *lines, ""]))
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's, but that DEL is written as an escape."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
