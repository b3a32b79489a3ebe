"""A model that plays a script: how the runtime is tested from outside, and bugs are shown.

The format is DESIGN §4: JSON lines, one reply each. It goes through the same loop, policy,
journal and store as any other model.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Self

import anyio
import msgspec

from hermes.core.ids import CallId
from hermes.core.message import ToolCall
from hermes.core.model import ModelRequest, ModelUsage, Piece, Reply
from hermes.core.request import Profile
from hermes.errors import ModelRefused, ScriptExhausted, Usage
from hermes.models.estimate import estimate, estimate_text

_WORDS = re.compile(r"\S+\s*|\s+")
_WINDOW = 131_072
_LARGEST = 64 * 1024 * 1024  # bytes of a script


class ScriptCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call as a script writes it: arguments as an object or as text."""

    name: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def text(self) -> str:
        """The arguments as a model would have generated them, byte for byte."""
        value = bytes(self.arguments)
        return msgspec.json.decode(value, type=str) if value[:1] == b'"' else value.decode()


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reply. `delay_s` passes before the first piece, `chunk_delay_s` before each other."""

    text: str = ""
    tool_calls: tuple[ScriptCall, ...] = ()
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    error: str = ""

    @property
    def pieces(self) -> list[str]:
        """The text in words, as a model would stream it."""
        return _WORDS.findall(self.text)


class ScriptedModel(AbstractAsyncContextManager["ScriptedModel"]):
    """Plays lines in order; each instance has its own place in the script."""

    def __init__(
        self,
        lines: Sequence[Line],
        name: str = "scripted",
        window: int = _WINDOW,
        profile: Profile = "full",
    ) -> None:
        self.lines = tuple(lines)
        self._next = 0
        self.name = name
        self.window = window
        self.profile: Profile = profile

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a script (blocking); raises Usage naming the file and the line."""
        try:
            if path.stat().st_size > _LARGEST:
                raise Usage(f"{path}: a script of more than {_LARGEST} bytes")
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Usage(f"cannot read the script {path}: {error}") from error
        numbered = enumerate(text.split("\n"), 1)
        lines = [_line(path, number, line) for number, line in numbered if line.strip()]
        return cls(lines, name=f"scripted:{path.name}")

    def skip(self, lines: int) -> None:
        """Go on after this many lines, where an earlier run was cut off."""
        self._next += lines

    def sized(self, window: int, profile: Profile) -> "ScriptedModel":
        """Return the same script at the same place, with another window and profile."""
        other = ScriptedModel(self.lines, self.name, window, profile)
        other.skip(self._next)
        return other

    async def __aexit__(self, *_exc: object) -> None:
        """Nothing is held."""

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Piece | Reply]]:
        """Play the next line; raises ScriptExhausted when there is none."""
        if self._next >= len(self.lines):
            raise ScriptExhausted(
                f"the script {self.name} has only {len(self.lines)} replies",
                "add a line, or ask for fewer steps",
            )
        self._next += 1
        return aclosing(self._play(self.lines[self._next - 1], self._next, request))

    async def count(self, request: ModelRequest) -> int:
        """Estimate the prompt's tokens from its bytes."""
        return estimate(request)

    async def _play(
        self, line: Line, number: int, request: ModelRequest
    ) -> AsyncGenerator[Piece | Reply]:
        await anyio.sleep(line.delay_s)
        if line.error:
            raise ModelRefused(line.error)
        for index, piece in enumerate(line.pieces):
            if index:
                await anyio.sleep(line.chunk_delay_s)
            yield Piece(piece)
        calls = tuple(
            ToolCall(CallId(f"call_{number}_{index}"), call.name, call.text)
            for index, call in enumerate(line.tool_calls)
        )
        said = line.text + "".join(call.arguments for call in calls)
        yield Reply(
            text=line.text,
            calls=calls,
            finish="tool_calls" if calls else "stop",
            usage=ModelUsage(prompt=estimate(request), completion=estimate_text(said)),
        )


def _line(path: Path, number: int, text: str) -> Line:
    try:
        line = msgspec.json.decode(text, type=Line)
        _ = [call.text for call in line.tool_calls]  # decoded late, but wrong now
    except (ValueError, RecursionError) as error:
        raise Usage(
            f"{path}, line {number}: {error}",
            'each line is {"text": "…", "tool_calls": [{"name": "…", "arguments": {…}}]}',
        ) from error
    return line
