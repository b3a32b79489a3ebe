"""What the signer must not forget, in `signer.json`: whole-file rename, authenticated.

Written and on the disk before a signature leaves. Guards against edited and lost files; does
not guard against an older file of its own put back, nor against a clock that is turned.
"""

import hmac
from pathlib import Path

import msgspec

from hermes.core.checkpoint import note_of
from hermes.errors import HermesError, IdentityInvalid
from hermes.identity.attest import Genesis
from hermes.identity.keys import Keys
from hermes.identity.note import check_note
from hermes.identity.whole import read_whole, write_whole

MONTH_MS = 30 * 24 * 3600 * 1000
NOTE = "checkpoint.note"
"""The file of the note that was signed last, for others to read."""
_FILE = "signer.json"
_LONGEST = 1 << 20
_REMEDY = "hermes identity restore makes a new one from the words; fees are counted anew then"
_REMEMBERED = 256


class Spent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that one coin's spend was signed for; its replacements exclude each other."""

    coin: str
    sat: int
    at: int


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was signed: the last checkpoint, digests of the last 256, SOUL.md, fees."""

    genesis: str
    soul: str
    soul_act: str = ""
    checkpoint: str = ""
    signed: tuple[str, ...] = ()
    spent: tuple[Spent, ...] = ()

    def with_checkpoint(self, text: str, digest: str) -> "Memory":
        """A newer checkpoint was signed."""
        signed = (*(one for one in self.signed if one != digest), digest)[-_REMEMBERED:]
        return msgspec.structs.replace(self, checkpoint=text, signed=signed)

    def with_soul(self, soul: str, act: str) -> "Memory":
        """Another SOUL.md was attested."""
        return msgspec.structs.replace(self, soul=soul, soul_act=act)

    def with_spend(self, coin: str, sat: int, now: int) -> "Memory":
        """A spend was signed; of two for one coin the dearer counts."""
        dearest = max([sat, *(one.sat for one in self._month(now) if one.coin == coin)])
        others = tuple(one for one in self._month(now) if one.coin != coin)
        return msgspec.structs.replace(self, spent=(*others, Spent(coin, dearest, now)))

    def month(self, now: int) -> int:
        """Satoshi in the last 30 days; what a turned clock puts into the future counts."""
        return sum(one.sat for one in self._month(now))

    def _month(self, now: int) -> tuple[Spent, ...]:
        return tuple(one for one in self.spent if one.at > now - MONTH_MS)


def first_memory(genesis: Genesis, checkpoint: str = "") -> Memory:
    """The memory of a signer that signed nothing yet, or, restored, a known checkpoint."""
    return Memory(genesis=genesis.cid, soul=genesis.soul, checkpoint=checkpoint)


def save_memory(folder: Path, keys: Keys, memory: Memory) -> None:
    """Keep it; raises IdentityError, and then nothing may be signed. Blocks on the disk."""
    data = msgspec.json.encode(memory)
    write_whole(folder / _FILE, data + b"\n" + keys.mac(data).hex().encode() + b"\n")


def load_memory(folder: Path, keys: Keys, genesis: Genesis) -> Memory:
    """Read it; raises IdentityInvalid when it is gone, edited or another identity's."""
    try:
        found = read_whole(folder / _FILE, _LONGEST)
    except OSError as error:
        raise IdentityInvalid(f"{_FILE} cannot be read: {error.strerror}", _REMEDY) from error
    data, _, mac = found.removesuffix(b"\n").rpartition(b"\n")
    if not hmac.compare_digest(mac, keys.mac(data).hex().encode()):
        raise IdentityInvalid(f"{_FILE} was changed by somebody else", _REMEDY)
    try:
        memory = msgspec.json.decode(data, type=Memory)
    except msgspec.DecodeError as error:
        raise IdentityInvalid(f"{_FILE} is of another version", _REMEDY) from error
    if memory.genesis != genesis.cid:
        raise IdentityInvalid(f"{_FILE} is of another genesis", _REMEDY)
    return memory


def last_noted(folder: Path, genesis: Genesis) -> str:
    """The text of the note beside it, which this log's key signed; empty where there is none."""
    try:
        note = note_of(read_whole(folder / NOTE, _LONGEST).decode())
        check_note(note, bytes.fromhex(genesis.log), genesis.name)
    except (OSError, ValueError, HermesError):
        return ""
    return note.text
