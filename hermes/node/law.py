"""The policy of this owner: the user's rules, the project's file, what was answered "always"."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio.to_thread

from hermes.config import Settings
from hermes.conversation.session import Session
from hermes.core.event import Json
from hermes.core.request import TurnRequest
from hermes.errors import Usage
from hermes.policy.gate import Gate
from hermes.policy.project import POLICY_FILE, ProjectPolicy, read_project, read_trust, write_trust
from hermes.policy.rules import RuleSet, read_rules

_SPECIAL = re.compile(r"[*?\[\]!\\]")
"""What means something else in a pattern."""


class Law:
    """Makes a gate for each turn; the project's file is read anew, because it may have changed."""

    def __init__(self, settings: Settings) -> None:
        self._user = read_rules(settings.rules, "user")
        self._trust = settings.config_dir / "trust.toml"
        self._keys = settings.data_dir / "identity"

    async def gate(self, request: TurnRequest, session: Session) -> Gate:
        """The gate for one turn."""
        project = await anyio.to_thread.run_sync(self._project, Path(request.root))
        gate = Gate(await anyio.to_thread.run_sync(self._rules), project)
        for rule in session.rules:
            gate.add_session(rule)
        return gate

    async def show(self, root: str) -> Json:
        """The rules that hold in a project (the query `policy.show`)."""
        project = await anyio.to_thread.run_sync(self._project, Path(root))
        gate = Gate(self._user, project)
        return {
            "user": _plain(self._user),
            "project": _plain(project.rules),
            "trusted": project.trusted,
            "digest": project.digest,
            "notes": list(gate.notes),
        }

    async def trust(self, root: str) -> Json:
        """Trust the project's policy file as it is now (the query `policy.trust`)."""
        project = await anyio.to_thread.run_sync(self._project, Path(root))
        if not project.digest:
            raise Usage(f"{root} has no {POLICY_FILE} that can be read", project.broken)
        home = Path(root).resolve()  # noqa: ASYNC240 - a path the person stands in
        await anyio.to_thread.run_sync(partial(write_trust, self._trust, home, project.digest))
        return await self.show(root)

    def _rules(self) -> RuleSet:
        """The user's rules; where there is an identity, no tool reads or changes its files."""
        if not self._keys.is_dir():
            return self._user
        folder = _SPECIAL.sub("?", str(self._keys.resolve()))
        own = read_rules({"deny": [f"FileRead({folder}/)", f"FileWrite({folder}/)"]}, "user")
        return replace(
            self._user,
            deny=(*self._user.deny, *own.deny),
            malformed=(*self._user.malformed, *own.malformed),
        )

    def _project(self, root: Path) -> ProjectPolicy:
        return read_project(root.resolve(), read_trust(self._trust))


def _plain(rules: RuleSet) -> dict[str, Json]:
    lists = {"allow": rules.allow, "ask": rules.ask, "deny": rules.deny}
    plain: dict[str, Json] = {
        name: [rule.text for rule in found] for name, found in lists.items() if found
    }
    if rules.malformed:
        plain["malformed"] = [f"{bad.text}: {bad.why}" for bad in rules.malformed]
    return plain
