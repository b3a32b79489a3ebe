"""Which project a directory belongs to: its git remote, else itself (seed 004 §3.4)."""

import configparser
import hashlib
from pathlib import Path

_MOST = 256 * 1024  # bytes of a .git/config that are read


def project_hash(root: Path) -> str:
    """Name a project: the sha256 hex of its origin's address, or of its resolved directory."""
    return hashlib.sha256((_origin(root) or str(root.resolve())).encode()).hexdigest()


def _origin(root: Path) -> str:
    config = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        with (root / ".git" / "config").open(encoding="utf-8", errors="replace") as file:
            config.read_string(file.read(_MOST))
    except (OSError, configparser.Error):
        return ""
    url = config.get('remote "origin"', "url", fallback="") or ""
    return url.strip().removesuffix("/").removesuffix(".git")
