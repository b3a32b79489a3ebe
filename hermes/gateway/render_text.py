"""Text from models, tools and files, made safe for a terminal.

`clean` drops what would move the cursor, colour, retitle or reorder; `reveal` shows it, for
places where a person decides. Neither guards against look-alike letters.
"""

import re

_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
)
_UNSAFE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # bidi, zero width, separators
    "\ufff9-\ufffb\ud800-\udfff"  # interlinear marks, lone surrogates
    "\U000e0000-\U000e007f"  # tags: text that nobody sees
    "]"
)


def clean(text: str) -> str:
    """Drop escape sequences, control characters and invisible marks; keep tab and newline."""
    text = text.replace("\r\n", "\n")
    return _UNSAFE.sub("", _SEQUENCE.sub("", text))


def reveal(text: str) -> str:
    r"""Write every unsafe character out (`\x1b`, `\u202e`), so that nothing hides."""
    return _UNSAFE.sub(_written_out, text)


def one_line(text: str, width: int) -> str:
    """Fold white space and cut at `width` characters, with an ellipsis."""
    folded = " ".join(text.split())
    return folded if len(folded) <= width else folded[: max(width - 3, 0)] + "..."


def _written_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFF:  # noqa: PLR2004 - Latin-1
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the BMP
