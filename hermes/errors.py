"""The error tree: what is the case, and what to do about it.

HermesError
├── Usage                 the caller's words are off (exit 2)
│   ├── SettingsInvalid
│   ├── ConversationUnknown
│   ├── SkinInvalid
│   └── SkillInvalid
├── Refused               policy or a gate said no (exit 3)
├── NotAvailable          not on this machine (exit 4, with the remedy)
│   └── NotLayable        no layer over this directory: its file system, or the kernel
├── StoreError
│   ├── StoreOwned        another process owns the store and does not answer
│   ├── StoreCorrupt
│   ├── StoreReadOnly
│   ├── StoreNewer        written by a newer Hermes
│   ├── StoreFull
│   └── StoreBusy
├── ModelError
│   ├── ModelUnreachable
│   ├── ModelRefused      the server answered with an error
│   ├── ModelOverloaded   429 or 503: worth another try
│   ├── ModelFailed       any other 5xx: the server itself broke
│   ├── ModelTimedOut
│   ├── ModelOverflow     the prompt does not fit the window
│   ├── ModelGarbled      an answer that is no answer
│   ├── ModelFileInvalid  a GGUF that cannot be one
│   ├── EngineDied
│   ├── CircuitOpen
│   └── ScriptExhausted
├── ToolFailure           an answer to the model, never a crash
├── TurnError
│   ├── TurnLimitReached
│   └── TurnStopped
├── TrainingError         a run cannot begin or go on
│   ├── DataInvalid       conversations that cannot be learnt from
│   └── WeightsInvalid    a model's files that cannot be trained on
├── DoorError             between owner and client
│   ├── OwnerGone
│   └── ProtocolMismatch
├── IdentityError
│   ├── IdentityMissing   there is none yet, or its files are not there
│   ├── IdentityLocked    the signer has no keys until it is unlocked
│   ├── IdentityInvalid   a vault, word list, share or record that cannot be used
│   ├── PassphraseWrong   the vault is whole, this does not open it
│   └── SignerGone        the signer's process ended
├── ChainError
│   ├── ChainUnreachable  the server is not there, or does not answer
│   ├── ChainRefused      the server refused a transaction
│   ├── ChainLied         what the server says contradicts itself or a proof
│   ├── WrongNetwork      another genesis block than the settings'
│   └── CoinGone          somebody else spent the continuity coin
├── ProofInvalid          a proof, checkpoint, record or archive that does not hold
├── MeshError             between nodes
│   ├── EnvelopeRefused   forged, replayed, stale, …: the reason is a word of its own
│   ├── RelayRefused      a relay cannot be reached, or said no
│   ├── BundleInvalid     a bundle that is cut off, altered, or for somebody else
│   ├── BlobRefused       a chunk or a request for it that is not let in: the reason is a word
│   ├── BlobUnreachable   nobody who was asked gives a chunk whole
│   └── HomeLost          where a turn ran went away: it may have been done there
├── SyncError             workers that train together
│   ├── SyncRefused       bytes from a worker that cannot be used
│   ├── SyncDiverged      this worker has other weights than most
│   ├── SyncStalled       too few workers answered for too long
│   └── SyncUnreachable   the place where workers meet is not there
└── SuccessorError        a trial of a change of this runtime
    ├── PatchInvalid      a patch that is none, or does not apply (exit 2)
    ├── BuildFailed       a tree that cannot be built from it
    ├── BudgetSpent       the trial used up what it was given
    └── Halted            an emergency stop, a limit on trials, too many failures
"""


class HermesError(Exception):
    """The root: a sentence, and a remedy where there is one."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Usage(HermesError):
    """The caller's words are off."""

    exit_code = 2


class SettingsInvalid(Usage):
    """A setting has a value that it cannot have."""


class ConversationUnknown(Usage):
    """No conversation has this id."""


class SkinInvalid(Usage):
    """A skin's directory or manifest cannot be used."""


class SkillInvalid(Usage):
    """A skill's file cannot be used; the message says what about it."""


class Refused(HermesError):
    """Policy or a gate said no."""

    exit_code = 3


class NotAvailable(HermesError):
    """This machine lacks something; the remedy says what."""

    exit_code = 4


class NotLayable(NotAvailable):
    """The kernel lays nothing over this directory."""


class StoreError(HermesError):
    """The store cannot do what was asked; nothing stored was lost."""


class StoreOwned(StoreError):
    """Another process owns the store and does not answer."""


class StoreCorrupt(StoreError):
    """The database file is damaged."""


class StoreReadOnly(StoreError):
    """The store cannot be written."""


class StoreNewer(StoreError):
    """The store was written by a newer Hermes."""


class StoreFull(StoreError):
    """The disk is full; the transaction was rolled back."""


class StoreBusy(StoreError):
    """Something outside Hermes holds the database locked."""


class ModelError(HermesError):
    """The model could not answer."""


class ModelUnreachable(ModelError):
    """No connection, or it was cut."""


class ModelRefused(ModelError):
    """The server answered with an error that another try will not mend."""


class ModelOverloaded(ModelError):
    """The server asks for patience; `retry_after` in seconds when it said so."""

    def __init__(self, message: str, remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, remedy)
        self.retry_after = retry_after


class ModelFailed(ModelError):
    """The server itself broke (5xx)."""


class ModelTimedOut(ModelError):
    """No first token, or no next one, in time."""


class ModelOverflow(ModelError):
    """The prompt does not fit; counts in tokens, 0 where unknown."""

    def __init__(self, message: str, prompt_tokens: int = 0, window: int = 0) -> None:
        super().__init__(message, "shorten the conversation (/new) or raise --context")
        self.prompt_tokens = prompt_tokens
        self.window = window


class ModelGarbled(ModelError):
    """The server's bytes are no answer."""


class ModelFileInvalid(ModelError):
    """The file is no GGUF that an engine can load."""


class EngineDied(ModelError):
    """The embedded engine's process ended."""


class CircuitOpen(ModelError):
    """The server failed too often just now; calls are held back for a while."""


class ScriptExhausted(ModelError):
    """A scripted model has no reply left."""


class ToolFailure(HermesError):
    """A tool could not do it; the text goes to the model."""


class TurnError(HermesError):
    """A turn ended without an answer."""


class TurnLimitReached(TurnError):
    """Steps, tokens, wall time or identical calls ran out."""


class TurnStopped(TurnError):
    """Somebody stopped the turn."""


class TrainingError(HermesError):
    """A training run cannot begin or go on."""


class DataInvalid(TrainingError):
    """Conversations that cannot be learnt from."""


class WeightsInvalid(TrainingError):
    """A model's files that cannot be trained on."""


class DoorError(HermesError):
    """Owner and client cannot talk."""


class OwnerGone(DoorError):
    """The owner of the store quit or died."""


class ProtocolMismatch(DoorError):
    """Owner and client speak different protocol versions."""


class IdentityError(HermesError):
    """The identity cannot do what was asked."""


class IdentityMissing(IdentityError):
    """There is no identity here yet."""

    exit_code = 4


class IdentityLocked(IdentityError):
    """The signer holds no keys until it is unlocked."""

    exit_code = 4


class IdentityInvalid(IdentityError):
    """A vault, a word list, a share or a record that cannot be used."""


class PassphraseWrong(IdentityError):
    """The vault is whole, but this passphrase does not open it."""

    exit_code = 3


class SignerGone(IdentityError):
    """The signer's process ended, or does not answer."""


class ChainError(HermesError):
    """The chain's server, or the chain itself, stands in the way."""


class ChainUnreachable(ChainError):
    """The server is not there, or does not answer in time."""


class ChainRefused(ChainError):
    """The server refused a transaction; its words are in the message."""


class ChainLied(ChainError):
    """What the server says contradicts itself, or a proof of it does not hold."""


class WrongNetwork(ChainError):
    """The server is on another chain than the settings name."""

    exit_code = 3


class CoinGone(ChainError):
    """Somebody else spent the continuity coin: a stolen key, or a twin of this instance."""

    exit_code = 3


class ProofInvalid(HermesError):
    """A proof, a checkpoint, a record or an archive does not hold; the message says where."""


class MeshError(HermesError):
    """Nodes cannot reach or believe each other."""


class EnvelopeRefused(MeshError):
    """An envelope that is not let in; `reason` is one of `hermes.mesh.envelope.Reason`."""

    exit_code = 3

    def __init__(self, reason: str, message: str = "", sender: str = "") -> None:
        super().__init__(message or f"an envelope is {reason}")
        self.reason = reason
        self.sender = sender


class RelayRefused(MeshError):
    """A relay cannot be reached, or refused what it was given."""


class BundleInvalid(MeshError):
    """A bundle that is cut off, altered, too large, or for somebody else."""

    exit_code = 3


class BlobRefused(MeshError):
    """A chunk, or a request for one, that is not let in; `reason` is one or two fixed words."""

    def __init__(self, reason: str, message: str = "", remedy: str = "") -> None:
        super().__init__(message or f"a chunk is refused: {reason}", remedy)
        self.reason = reason


class BlobUnreachable(MeshError):
    """Nobody who was asked gives a chunk whole, or takes it."""


class HomeLost(MeshError):
    """The machine where a turn ran went away: it may have been done there."""


class SyncError(HermesError):
    """Workers that train one model together cannot go on."""


class SyncRefused(SyncError):
    """What a worker sent, or what lies where workers meet, cannot be used."""


class SyncDiverged(SyncError):
    """Most workers have other weights than this one."""


class SyncStalled(SyncError):
    """Too few workers answered for too long."""


class SyncUnreachable(SyncError):
    """The place where workers meet cannot be reached, or turned this worker away."""


class SuccessorError(HermesError):
    """A change of this runtime cannot be tried, or its trial cannot go on."""


class PatchInvalid(SuccessorError):
    """A patch that is none, is too large, or does not apply."""

    exit_code = 2


class BuildFailed(SuccessorError):
    """The patched tree cannot be built, or what the box gave back is no tree."""


class BudgetSpent(SuccessorError):
    """The trial used up what it was given."""


class Halted(SuccessorError):
    """No fork and no adoption now: a flag, a hook, a limit a day, or too many failures."""

    exit_code = 3
