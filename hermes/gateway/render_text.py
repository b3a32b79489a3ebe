"""Text from models, tools and files, made safe for a terminal.

`clean` drops what would move the cursor, colour, retitle or reorder; `reveal` shows it, for
places where a person decides. Neither guards against look-alike letters.
"""

import re
from datetime import datetime

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
)
_LETTER = "[^\x00-\xff\u061c\u2000-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
_JOINS = f"(?<={_LETTER})[\u200c\u200d](?={_LETTER})"
_UNSAFE_SIGNS = (
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # bidi, zero width, separators
    "\ufff9-\ufffb\ud800-\udfff"  # interlinear marks, lone surrogates
    "\U000e0000-\U000e007f"  # tags: text that nobody sees
    "]"
)
_UNSAFE = re.compile(_UNSAFE_SIGNS)
_DROPPED = re.compile(f"(?!{_JOINS}){_UNSAFE_SIGNS}")


def clean(text: str) -> str:
    """Drop escape sequences, control characters and invisible marks; keep tab and newline.

    Joiners stay between letters that need them: families of emoji, Persian, Hindi.
    """
    text = text.replace("\r\n", "\n")
    return _DROPPED.sub("", _SEQUENCE.sub("", text))


def reveal(text: str) -> str:
    r"""Write every unsafe character out (`\x1b`, `\u202e`), so that nothing hides."""
    return _UNSAFE.sub(_written_out, text)


def one_line(text: str, width: int) -> str:
    """Fold white space and cut at `width` characters, with an ellipsis."""
    folded = " ".join(text.split())
    return folded if len(folded) <= width else folded[: max(width - 3, 0)] + "..."


def local_time(stamp: str) -> str:
    """A stored time as the clock on the wall shows it, to the minute; else the text itself."""
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return clean(stamp)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFF:  # noqa: PLR2004 - Latin-1
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the BMP
