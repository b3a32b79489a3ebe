"""The agents compared and how each is asked for one turn without a person.

A new peer is a new entry here. Nothing is installed by this module: a peer that is not found
is passed over. Every run gets a home of its own, so no peer reads or writes a person's files.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import HERMES

HERE = Path(__file__).resolve().parent
VENV = HERE.parents[1] / ".venv-peers" / "bin"
Environment = Mapping[str, str]


class Peer(NamedTuple):
    """One agent. `prepare` writes its files into a home and returns its variables."""

    name: str
    program: str
    arguments: Callable[[str, str], list[str]]
    prepare: Callable[[Path, str], Environment]
    ends_by_command: bool = False
    calls_itself: str = ""

    def path(self) -> str | None:
        """Where its program is, if anywhere; `calls_itself` tells apart programs of one name."""
        path = shutil.which(self.program, path=_others())
        if path and self.calls_itself:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            return path if self.calls_itself in said.stdout else None
        return path

    def command(self, url: str, prompt: str) -> list[str]:
        """The whole command line."""
        words = f"{prompt} SCN_DONE" if self.ends_by_command else prompt
        return [self.path() or self.program, *self.arguments(url, words)]


def _others() -> str:
    """Where programs are searched: not in our own environment."""
    own = str(Path(sys.executable).parent)
    return os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)


def _nothing(_home: Path, _url: str) -> Environment:
    return {}


def _hermes_arguments(url: str, prompt: str) -> list[str]:
    return ["chat", "-m", prompt, "--model", f"{url}#fake", "--yes"]


def _pydantic_arguments(url: str, prompt: str) -> list[str]:
    return [str(HERE / "pydantic_turn.py"), url, prompt]


def _mini_arguments(_url: str, prompt: str) -> list[str]:
    task = ["-t", prompt, "-o", "trajectory.json"]
    return ["-m", "openai/fake", "-y", "--exit-immediately", *task]


def _mini(_home: Path, url: str) -> Environment:
    return {
        "OPENAI_API_BASE": url,
        "OPENAI_API_KEY": "x",
        "MSWEA_CONFIGURED": "true",
        "MSWEA_COST_TRACKING": "ignore_errors",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


def _agent_arguments(_url: str, prompt: str) -> list[str]:
    return ["-z", prompt]


def _agent(home: Path, url: str) -> Environment:
    place = home / ".hermes"
    place.mkdir()
    model = {
        "default": "fake",
        "provider": "custom",
        "base_url": url,
        "api_key": "x",
        "api_mode": "chat_completions",
        "context_length": 131072,
    }
    (place / "config.yaml").write_text(json.dumps({"model": model}))  # JSON is YAML
    return {"HERMES_HOME": str(place)}


def _codex_arguments(_url: str, prompt: str) -> list[str]:
    return ["exec", "--skip-git-repo-check", prompt]


def _codex(home: Path, url: str) -> Environment:
    place = home / ".codex"
    place.mkdir()
    (place / "config.toml").write_text(
        'model = "fake"\nmodel_provider = "fake"\n[model_providers.fake]\nname = "fake"\n'
        f'base_url = "{url}"\nwire_api = "responses"\nenv_key = "FAKE_KEY"\n'
    )
    return {"CODEX_HOME": str(place), "FAKE_KEY": "x"}


def _goose_arguments(_url: str, prompt: str) -> list[str]:
    return ["run", "--with-builtin", "developer", "-t", prompt]


def _goose(_home: Path, url: str) -> Environment:
    return {
        "GOOSE_PROVIDER": "openai",
        "GOOSE_MODEL": "fake",
        "OPENAI_HOST": url.removesuffix("/v1"),
        "OPENAI_API_KEY": "x",
        "GOOSE_MODE": "auto",
        "GOOSE_DISABLE_KEYRING": "1",
    }


def _opencode_arguments(_url: str, prompt: str) -> list[str]:
    return ["run", "-m", "fake/fake", prompt]


def _opencode(home: Path, url: str) -> Environment:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "fake",
        "options": {"baseURL": url, "apiKey": "x"},
        "models": {"fake": {"name": "fake", "tool_call": True}},
    }
    config = {"provider": {"fake": provider}, "permission": "allow"}
    (home / "work" / "opencode.json").write_text(json.dumps(config))
    return {}


OURS = Peer("hermes", HERMES, _hermes_arguments, _nothing)
PEERS = (
    OURS,
    Peer("pydantic-ai", str(VENV / "python"), _pydantic_arguments, _nothing),
    Peer("mini-swe-agent", str(VENV / "mini"), _mini_arguments, _mini, ends_by_command=True),
    Peer("codex", "codex", _codex_arguments, _codex),
    Peer("goose", "goose", _goose_arguments, _goose),
    Peer("opencode", "opencode", _opencode_arguments, _opencode),
    Peer("hermes-agent", "hermes", _agent_arguments, _agent, calls_itself="Hermes Agent"),
)
