"""Which IANA time zone a client lives in.

Apart from `tzlocal` because that reads the environment by itself, and only `cli` may do so.
"""

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hermes.errors import Usage


def zone_named(name: str) -> ZoneInfo:
    """Open a zone by its IANA name; raises Usage. Reads a file: call it from a thread."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Usage(f"no time zone {name[:80]!r}", "names are such as Europe/Berlin") from error


def local_zone(variable: str, etc: Path = Path("/etc")) -> ZoneInfo:
    """Find the client's zone: its TZ variable, else the machine's setting, else UTC.

    Reads files: call it from a worker thread.

    Args:
        variable: the value of TZ, empty where it is not set.
        etc: where `localtime` and `timezone` lie.
    """
    link = etc / "localtime"
    linked = str(link.readlink()).rpartition("zoneinfo/")[2] if link.is_symlink() else ""
    for name in (variable.removeprefix(":"), linked, _first_line(etc / "timezone")):
        try:
            return zone_named(name)
        except Usage:  # the next source may know better
            continue
    return ZoneInfo("UTC")


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        return ""
