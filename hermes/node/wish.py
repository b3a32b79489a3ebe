"""What a turn asks of a model, and what follows from that alone."""

from pathlib import Path
from typing import Literal, NamedTuple

from hermes.config import Settings
from hermes.core.request import Profile, TurnRequest

SCRIPTED = "scripted:"
WINDOW = 4_096
"""Tokens, where nobody says how large the window is."""

_FULL_FROM = 16_384  # tokens of window from which a model gets the full prompt


class Wish(NamedTuple):
    """The model's words, profile and window (0: the model's), as a turn or the settings say."""

    spec: str
    profile: Profile | Literal[""]
    window: int
    api_key: str
    cwd: str

    @property
    def path(self) -> Path:
        """The file that it names."""
        return Path(self.cwd, self.spec.removeprefix(SCRIPTED))


def wish_of(request: TurnRequest, settings: Settings) -> Wish:
    """What a turn asks for, the settings where it says nothing."""
    return Wish(
        request.model or settings.model,
        request.profile or settings.profile,
        request.context or settings.context,
        request.api_key or settings.api_key,
        request.cwd,
    )


def profile_for(window: int) -> Profile:
    """The prompt profile of a model that does not name one."""
    return "full" if window >= _FULL_FROM else "lean"
