"""Letters too large for an event: their payload goes as sealed chunks, a note of it as a letter.

Values apart from those who ship and collect. The note names no address: whom to ask, a member's
signed card says. It does not hide a payload's size.
"""

from typing import Annotated, Protocol

import msgspec

from hermes.core.ids import Cid
from hermes.errors import BlobRefused
from hermes.mesh.blob_seal import VERSION, Reference
from hermes.mesh.envelope import Envelope

BLOB = "blob"
"""The payload type of a note."""
MOST_WHOLE = 256 << 10
"""The largest payload that never goes as chunks."""
MOST_LETTER = 64 << 20
"""The largest payload of a letter."""

_UNSUITABLE = frozenset({BLOB, "ack"})


class Endpoints(Protocol):
    """Where chunks can be fetched and left."""

    def own(self) -> bool:
        """Whether this node serves chunks."""
        ...

    def where(self, node: str) -> str:
        """The address of a node's endpoint; "": none is known."""
        ...


class Consignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The note: of which type the payload is, and what it takes to read it."""

    payload_type: Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_-]{0,31}\Z")]
    reference: Reference


class Unpacked(Envelope, frozen=True):
    """An envelope as its reader gets it, whole; it goes by the name of its note."""

    whole: bytes = b""
    name: str = ""
    consignment: Consignment | None = None

    @property
    def data(self) -> bytes:
        """The payload's bytes."""
        return self.whole

    @property
    def id(self) -> Cid:
        """The note's: it is what was noted, and what is acknowledged."""
        return Cid(self.name)


def write_consignment(consignment: Consignment) -> bytes:
    """The note's JSON."""
    return msgspec.json.encode(consignment)


def read_consignment(data: bytes) -> Consignment:
    """Read a note; raises BlobRefused on what can be none."""
    try:
        found = msgspec.json.decode(data, type=Consignment)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BlobRefused("malformed", "that is no note of a large letter") from error
    if found.reference.v != VERSION or found.payload_type in _UNSUITABLE:
        raise BlobRefused("malformed", "that is no note of a large letter that could be read")
    if found.reference.size > MOST_LETTER:
        raise BlobRefused("too large", f"a letter has at most {MOST_LETTER} bytes")
    return found


def unpacked(note: Envelope, consignment: Consignment, data: bytes) -> Unpacked:
    """The envelope that a note stands for."""
    fields = {name: getattr(note, name) for name in Envelope.__struct_fields__}
    fields |= {"payload_type": consignment.payload_type, "payload": ""}
    return Unpacked(**fields, whole=data, name=note.id, consignment=consignment)
