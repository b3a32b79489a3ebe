"""Where the data that ships with Hermes lies: beside the code in a checkout, else in the wheel.

Apart because an editable install has no packaged copy and a wheel has no checkout.
"""

from pathlib import Path
from typing import Literal

from hermes.errors import NotAvailable

_CODE = Path(__file__).resolve().parents[1]


def shipped(name: Literal["skins", "soul"]) -> Path:
    """Find a shipped directory; raises NotAvailable when the installation lacks it."""
    checkout, packaged = _CODE.parent / name, _CODE / "_data" / name
    # pyproject.toml tells a checkout from a site-packages that happens to hold a `skins`.
    if checkout.is_dir() and (_CODE.parent / "pyproject.toml").is_file():
        return checkout
    if packaged.is_dir():
        return packaged
    raise NotAvailable(f"the shipped {name} directory is missing", "reinstall hermes-v2")


def soul_path(config_dir: Path) -> Path:
    """The SOUL.md that counts: the person's own beside config.toml, else the shipped one."""
    own = config_dir / "SOUL.md"
    return own if own.exists() else shipped("soul") / "SOUL.md"


def read_soul(path: Path | None = None) -> str:
    """Read SOUL.md, by default the shipped; reads a file, so call it from a worker thread."""
    path = path or shipped("soul") / "SOUL.md"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotAvailable(
            f"{path} cannot be read: {error}", "mend it, or reinstall hermes-v2"
        ) from error
