"""What two instances send each other for a handoff: one file, by any medium. JSON, one line.

Hostile input on both sides; what its parts prove is checked in `handoff`.
"""

import base64
import binascii
from typing import Annotated, Literal

import msgspec

from hermes.chain.lineage_wire import Lineage, lineage_of
from hermes.errors import ProofInvalid

OFFER: Literal["hermes/handoff-offer/1"] = "hermes/handoff-offer/1"
ANSWER: Literal["hermes/handoff-accepted/1"] = "hermes/handoff-accepted/1"
_LONGEST = 96 << 20
_Block = Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{2}){1,4096}\Z")]
_BlockOrNone = Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{2}){0,4096}\Z")]


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An offer, or its answer. Blocks in hex: both genesis records, the handoff, the acceptance.

    `lineage` is the predecessor's file in base64: how the coin came to it.
    """

    t: Literal["hermes/handoff-offer/1", "hermes/handoff-accepted/1"]
    old: _Block
    new: _Block
    record: _Block
    psbt: Annotated[str, msgspec.Meta(max_length=512 * 1024)]
    lineage: str
    accepted: _BlockOrNone = ""

    def encode(self) -> bytes:
        """The file's bytes."""
        return msgspec.json.encode(self) + b"\n"

    def walked(self) -> Lineage:
        """The lineage; raises ProofInvalid."""
        try:
            return lineage_of(base64.b64decode(self.lineage, validate=True))
        except binascii.Error as error:
            raise ProofInvalid("the lineage in the file is not base64") from error


def exchange_of(data: bytes) -> Exchange:
    """Read an offer or an answer; raises ProofInvalid."""
    if len(data) > _LONGEST:
        raise ProofInvalid("a handoff file of more than 96 MiB")
    try:
        return msgspec.json.decode(data, type=Exchange)
    except msgspec.ValidationError as error:
        raise ProofInvalid(f"not a handoff file: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProofInvalid("the handoff file is cut short, or none of Hermes") from error


def packed(lineage: Lineage) -> str:
    """A lineage as it stands in the file."""
    return base64.b64encode(lineage.encode()).decode()
