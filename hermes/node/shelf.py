"""Finds the model that a turn names: the one that ships, a GGUF, a server, a script.

A model is opened once and shared by all front ends of the owner; a script is played once a
conversation, going on where an earlier owner was cut off.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import anyio.to_thread

from hermes.config import Settings
from hermes.conversation.session import Session
from hermes.core.request import Profile, TurnRequest
from hermes.models.engine import Engine
from hermes.models.gguf import shipped_model
from hermes.models.model import Model
from hermes.models.scripted import ScriptedModel

_WINDOW = 4_096  # where nobody says how large it is
_FULL_FROM = 16_384  # tokens of window from which a model gets the full prompt
_SHARE_WINDOW = 32_768  # an engine's window unless told otherwise: larger ones cost memory


class Shelf:
    """The owner's models, by what they were asked for with (`conversation.kit.Models`)."""

    def __init__(
        self, settings: Settings, stack: AsyncExitStack, notice: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._stack = stack  # what is opened here is closed with the owner
        self._notice = notice
        self._opening = anyio.Lock()
        self._models: dict[tuple[str, ...], Model] = {}
        self.engines: dict[Path, Engine] = {}

    def spec(self, request: TurnRequest) -> str:
        """What the request asks for, in words: its own model, the settings', or empty."""
        return request.model or self._settings.model

    async def open(self, request: TurnRequest, session: Session) -> Model:
        """Return the model, opened; raises ModelError or Usage."""
        spec = self.spec(request)
        profile = request.profile or self._settings.profile
        context = request.context or self._settings.context
        key = (spec, profile, str(context), request.api_key)
        if spec.startswith("scripted:"):
            path = Path(request.cwd, spec.removeprefix("scripted:"))
            key += (session.conversation, *_state_of(path))
        elif "://" not in spec and spec:
            key += (request.cwd,)
        async with self._opening:
            if key not in self._models:
                self._models[key] = await self._make(spec, request, session, profile, context)
            return self._models[key]

    async def _make(
        self,
        spec: str,
        request: TurnRequest,
        session: Session,
        profile: Profile | str,
        context: int,
    ) -> Model:
        if spec.startswith("scripted:"):
            path = Path(request.cwd, spec.removeprefix("scripted:"))
            script = await anyio.to_thread.run_sync(ScriptedModel.read, path)
            script.skip(_played(session, request))
            return script.sized(context or script.window, _profile(profile) or script.profile)
        if "://" in spec:
            return await self._server(spec, request, profile, context)
        path = Path(request.cwd, spec).resolve() if spec else shipped_model()
        return await self._embedded(path, profile, context)
