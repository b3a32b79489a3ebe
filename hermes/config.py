"""One frozen Settings: defaults, then `config.toml`, then the environment, then the command line.

Nothing else reads the environment or the process's own directories.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs

from hermes.errors import SettingsInvalid

Engine = Literal["xllamacpp", "llama-cpp-python"]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one turn may use; reaching one ends the run with a clear message."""

    steps: int = 40
    """Model calls in one turn."""
    tokens: int = 200_000
    """Tokens generated and newly evaluated in one turn."""
    wall_s: float = 1_800.0
    """Seconds of wall time, waiting for approvals not counted."""
    repeats: int = 3
    """Identical calls (name and arguments) in one turn."""
    parallel_reads: int = 10
    """Reads that run together."""
    approval_s: float = 600.0
    """Seconds an approval waits before it counts as no."""


class Chain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the node anchors its log in Bitcoin."""

    network: Literal["regtest", "signet", "testnet4", "main"] = "regtest"
    """Which chain; main takes HERMES_V2_MAINNET=yes and a typed fingerprint as well."""
    backend: str = ""
    """The server: core+http://, electrum+ws(s)://, +tcp://, +tls://, or esplora+http(s)://."""
    fee_rate_most: Annotated[float, msgspec.Meta(ge=1, le=10_000)] = 50.0
    """Satoshi a virtual byte that an anchor pays at most."""
    fee_most: Annotated[int, msgspec.Meta(ge=0)] = 20_000
    """Satoshi that one transaction pays at most."""
    month_most: Annotated[int, msgspec.Meta(ge=0)] = 100_000
    """Satoshi of fees in 30 days at most."""
    every_hours: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 0.0
    """Hours between anchors; 0: only when asked."""
    calendar: str = ""
    """IPv4 address and port of an OpenTimestamps calendar, as 127.0.0.1:14788; empty: none."""


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done with finished conversations, and what of them comes back."""

    compaction: bool = True
    """Whether long conversations are shortened aside, before the window is full."""
    summaries: Literal["auto", "always", "never"] = "auto"
    """Who sums up what is left out: a model where it is worth it, any model, or rules alone."""
    historian: bool = True
    """Whether finished conversations are looked through for what is worth remembering."""
    idle_minutes: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    """Minutes without a turn after which a conversation counts as finished for now."""
    dreamer: bool = True
    """Whether recurring work is drafted as skills; a draft does nothing until it is approved."""
    dream_hours: Annotated[float, msgspec.Meta(ge=0.01)] = 24.0
    """Hours between two looks for recurring work."""
    dream_sessions: Annotated[int, msgspec.Meta(ge=2)] = 3
    """Sessions in which work has to recur; one session more has to agree."""
    dream_days: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Days over which work has to recur."""
    recall_bytes: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 480
    """Bytes of memories that a prompt gets at most."""
    recall_least: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3
    """How well a memory has to fit before it is shown to the model, 0 to 1."""
    vectors: Literal["", "sqlite-vec", "faiss"] = ""
    """Where vectors of memories lie; empty: memories are found by their words alone."""
    embedder: str = ""
    """URL#NAME of an OpenAI-compatible embeddings server; empty: the built-in one."""
    prefix_mib: Annotated[int, msgspec.Meta(ge=0)] = 512
    """Most disk that evaluated prefixes take; 0: none is kept."""


class Mesh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How this node meets the owner's other nodes; nothing is dialled or opened unless named."""

    relays: tuple[str, ...] = ()
    """Addresses of Nostr relays that are used, ws:// or wss://."""
    listen: str = ""
    """IPv4 address and port of the embedded relay, as 127.0.0.1:7447; empty: none."""
    advertise: str = ""
    """The embedded relay's address as others reach it; empty: they are not told."""
    blobs: str = ""
    """IPv4 address and port where large values are served in chunks; empty: nowhere."""
    blob_mib: Annotated[int, msgspec.Meta(ge=0)] = 1_024
    """Most disk that others' chunks take here."""
    lease_s: Annotated[float, msgspec.Meta(ge=1)] = 6.0
    """Seconds for which a node holds a conversation before it has to renew."""
    presence_s: Annotated[float, msgspec.Meta(ge=0.1)] = 30.0
    """Seconds between two signs of life."""
    public: bool = True
    """Whether the relays named here are told, for anybody to read, what this instance proves."""
    follow: bool = False
    """Whether relays that paired people name as theirs are dialled too."""


class Successor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How changes of this runtime are tried, and under which conditions one is adopted."""

    source: str = ""
    """The git checkout whose commits are changed; empty: the one that this code runs from."""
    effort: Literal["micro", "fast", "full"] = "fast"
    """What a trial may use unless one is named: a tier of the checkout's `ci/budgets.json`."""
    trials_per_day: Annotated[int, msgspec.Meta(ge=0)] = 48
    """Trials in 24 hours at most; 0: none."""
    halt_after: Annotated[int, msgspec.Meta(ge=1)] = 8
    """Trials in a row without an approving verdict, after which no further one begins."""
    kill_hook: str = ""
    """A command that is asked before each trial and adoption; any exit code but 0 stops it."""
    quorum: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    """Signed approvals of trusted nodes that stand for a person's; 0: only a person adopts."""
    probation_turns: Annotated[int, msgspec.Meta(ge=1)] = 20
    """Turns after which a new version has proved itself."""
    probation_hours: Annotated[float, msgspec.Meta(ge=0)] = 24.0
    """Hours after which it has, if there were fewer."""


class Sandbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a chat's commands are held."""

    bash: Literal["guard", "overlay"] = "overlay"
    """overlay: in the sandbox, on a layer of changes; guard: on the machine itself, ended whole."""
    outside: tuple[str, ...] = ()
    """Commands that run under the guard all the same, as in rules: `npm install:*`."""
    network: bool = False
    """Whether commands in the sandbox have the machine's network."""
    read: tuple[str, ...] = ()
    """What commands in the sandbox can read besides the project: absolute paths, or ~/…."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set; every field has a sentence."""

    data_dir: Path
    """Where the store, its blobs and history lie."""
    config_dir: Path
    """Where config.toml and the user's skins lie."""
    runtime_dir: Path
    """A directory only its owner can read, for sockets."""
    model: str = ""
    """Default model: a GGUF path, URL#NAME, scripted:FILE; empty: the one that ships."""
    api_key: str = ""
    """Key for the model's server."""
    engine: Engine = "xllamacpp"
    """Which library serves a GGUF."""
    engine_threads: int = 0
    """Engine threads; 0: chosen by the model's size and the free cores."""
    keep_alive_s: float = 300.0
    """Seconds an idle engine stays loaded."""
    context: int = 0
    """Window in tokens; 0: what the server or the file reports, else 4096."""
    profile: Literal["", "full", "lean", "native"] = ""
    """Prompt profile; empty: chosen by the model."""
    skin: str = "hermes"
    """Name of the skin."""
    mode: Literal["read-only", "ask", "auto"] = "ask"
    """What happens without a rule."""
    rules: Mapping[str, tuple[str, ...]] = {}
    """Policy rules of the user: allow, ask and deny to lists of rules."""
    limits: Limits = Limits()
    """What one turn may use."""
    memory: Memory = Memory()
    """What is remembered, and how."""
    checkpoint_minutes: float = 10.0
    """Minutes between signed checkpoints of the log while there is something new; 0: none."""
    chain: Chain = Chain()
    """Where and how anchors are made."""
    mesh: Mesh = Mesh()
    """How the owner's nodes meet."""
    sandbox: Sandbox = Sandbox()
    """How a chat's commands are held."""
    successor: Successor = Successor()
    """How this runtime is changed."""
    mainnet: str = ""
    """HERMES_V2_MAINNET; "yes" is the second of three keys to Bitcoin's main network."""
    search_servers: bool = True
    """Whether the first start looks for model servers on the usual loopback ports."""


_HOME = "HERMES_V2_HOME"
_ENVIRONMENT_ONLY = {"mainnet": "HERMES_V2_MAINNET"}
_FROM_ENVIRONMENT = {
    f"HERMES_V2_{name.upper()}": name
    for name in ("model", "api_key", "context", "skin", "mode", "engine", "profile", "mainnet")
}


def read_settings(
    environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings; raises SettingsInvalid naming the file or variable.

    Args:
        environ: the process's environment.
        overrides: what the command line says; None values are passed over.
    """
    values: dict[str, Any] = _directories(environ)
    path = Path(values["config_dir"]) / "config.toml"
    values |= _from_file(path)
    for name in _ENVIRONMENT_ONLY.keys() & values.keys():
        raise SettingsInvalid(
            f"{path}: {name} is read from the environment alone",
            f"remove it; set {_ENVIRONMENT_ONLY[name]}",
        )
    for variable, name in _FROM_ENVIRONMENT.items():
        if text := environ.get(variable):
            values[name] = text
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(f"a setting is wrong: {error}", f"see {path}") from error


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid(f"{path}: {error}", "mend or remove the file") from error


def _directories(environ: Mapping[str, str]) -> dict[str, Any]:
    if moved := environ.get(_HOME):
        base = Path(moved).expanduser().absolute()
        data, config = base / "data", base / "config"
    else:
        data = platformdirs.user_data_path("hermes-v2")
        config = platformdirs.user_config_path("hermes-v2")
    return {"data_dir": data, "config_dir": config, "runtime_dir": _runtime(environ)}


def _runtime(environ: Mapping[str, str]) -> Path:
    given = environ.get("XDG_RUNTIME_DIR")
    if given and os.access(given, os.W_OK):
        return Path(given) / "hermes-v2"
    return Path(environ.get("TMPDIR") or "/tmp") / f"hermes-v2-{os.getuid()}"  # noqa: S108 - made 0700
