"""Which columns have to say what their block says, and what it takes to compare them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from hermes.core.canonical import Value, cid_of, decode, encode, unlink
from hermes.core.message import MESSAGE_KIND, message_of
from hermes.store.blobs import digest_of
from hermes.store.memory import ERASED_KIND, MEMORY_KIND
from hermes.store.statement import Row


class Projection(NamedTuple):
    """A table, its key, the column with its block's name, and block field to column."""

    table: str
    key: str
    cid: str
    columns: Mapping[str, str]

    @property
    def page(self) -> str:
        """A page of rows after a rowid: rowid, key, cid, the block's bytes, the columns."""
        columns = ", ".join(f"t.{column}" for column in self.columns.values())
        return f"""SELECT t.rowid, t.{self.key}, t.{self.cid}, CAST(b.data AS BLOB), {columns}
            FROM {self.table} AS t LEFT JOIN blocks AS b ON b.cid = t.{self.cid}
            WHERE t.rowid > ? AND t.{self.cid} IS NOT NULL ORDER BY t.rowid LIMIT ?"""  # noqa: S608 - constants

    def judge(self, row: Row) -> list[str]:
        """What is wrong with one row of a page."""
        _, key, cid, data, *columns = row
        name = f"{self.table} {key}"
        if data is None:
            return [f"{name}: its block {cid} is missing"]
        try:
            block = decode(data)
        except ValueError:
            return [f"{name}: its block {cid} cannot be read"]
        fields = block if isinstance(block, dict) else {}
        return [
            f"{name}: {column} differs from its block"
            for (field, column), found in zip(self.columns.items(), columns, strict=True)
            if not _same(fields.get(field), found)
        ]


def _same(told: Value, found: object) -> bool:
    if isinstance(told, list):  # its column is JSON
        try:
            return isinstance(found, str) and bool(msgspec.json.decode(found) == told)
        except msgspec.DecodeError:
            return False
    return told == found


PROJECTIONS = (
    Projection(
        "sessions",
        "id",
        "cid",
        {"session": "id", "conversation": "conversation", "node": "node", "at": "opened"},
    ),
    Projection("sessions", "id", "closing_cid", {"session": "id", "at": "closed"}),
    Projection(
        "journal",
        "id",
        "cid",
        {name: name for name in ("id", "turn", "conversation", "call", "tool", "arguments")}
        | {"at": "at", "changes": "changes"},
    ),
    Projection(
        "journal",
        "id",
        "outcome_cid",
        {"outcome": "outcome", "text": "outcome_text", "at": "outcome_at"},
    ),
    Projection(
        "approvals",
        "seq",
        "cid",
        {name: name for name in ("call", "turn", "conversation", "tool", "arguments", "rule")}
        | {"diff": "diff", "at": "asked"},
    ),
    Projection(
        "approvals",
        "seq",
        "answer_cid",
        {"answer": "answer", "by": "answered_by", "reason": "reason", "at": "answered"},
    ),
    Projection(
        "memory_values",
        "id",
        "cid",
        {"project": "project_hash", "type": "memory_type", "content": "content"}
        | {"session": "source_session_id"},
    ),
    Projection(
        "candidates",
        "cid",
        "cid",
        {name: name for name in ("parent", "patch", "tree", "shape", "task", "goal")}
        | {"by": "source"},
    ),
    Projection(
        "trials",
        "id",
        "cid",
        {name: name for name in ("id", "candidate", "tier", "seed", "judge")} | {"at": "began"},
    ),
    Projection(
        "verdicts",
        "trial",
        "cid",
        {name: name for name in ("trial", "candidate", "word", "judge", "by", "at")},
    ),
    Projection(
        "gate_approvals",
        "seq",
        "cid",
        {name: name for name in ("candidate", "verdict", "answer", "who", "door", "diff")}
        | {"reason": "reason", "by": "by", "at": "at"},
    ),
    Projection(
        "adoptions",
        "tag",
        "cid",
        {name: name for name in ("candidate", "verdict", "tag", "version", "previous", "tree")}
        | {"by": "by", "at": "at"},
    ),
    Projection("adoptions", "tag", "outcome_cid", {"outcome": "outcome", "why": "why"}),
)


def judge_block(row: Row, parents: set[str], erased: set[str]) -> list[str]:
    """What is wrong with a block and, where it is a message, with its row.

    `row`: seq, cid, kind, data, then the message's columns (all None where there is none).
    """
    seq, cid, kind, data, *columns = row
    if data is None:
        gone = f"block {seq} {cid}: its bytes are missing and were not erased"
        return [] if cid in erased and kind == MEMORY_KIND else [gone]
    if cid_of(data) != cid:
        return [f"block {seq} {cid}: its bytes were changed"]
    try:
        if kind == MESSAGE_KIND:
            return _judge_message(cid, data, columns, parents)
        block = decode(data)
        if not isinstance(block, dict) or block.get("t") != kind:
            return [f"block {seq} {cid}: it is not of kind {kind}"]
    except ValueError as error:
        return [f"block {seq} {cid}: {error}"]
    return []


def _judge_message(cid: str, data: bytes, columns: list[object], parents: set[str]) -> list[str]:
    if columns[0] is None:
        return [f"message {cid}: it is missing from the table"]
    m = message_of(data)
    told = (m.conversation, m.session, m.turn, m.role, m.at, m.text, set(m.parents))
    names = ("conversation", "session", "turn", "role", "at", "text", "parents")
    return [
        f"message {cid}: {name} differs from its block"
        for name, block, column in zip(names, told, (*columns, parents), strict=True)
        if block != column
    ]


def erases(data: bytes | None, cid: str, at: object) -> bool:
    """Whether a block says that another one was erased, and when."""
    try:
        match decode(data or b""):
            case {"t": kind, "parents": [bytes(raw)], "at": told}:
                return kind == ERASED_KIND and told == at and unlink(raw) == cid
    except ValueError:
        return False
    return False


def judge_blob(row: Row) -> list[str]:
    """What is wrong with a blob: seq, digest, size, data."""
    _, digest, size, data = row
    if digest_of(data) != digest:
        return [f"blob {digest}: its bytes were changed"]
    return [] if size == len(data) else [f"blob {digest}: its size differs from its bytes"]


ACTS = """SELECT a.seq, a.cid, a.kind, a.subject, CAST(b.data AS BLOB)
    FROM acts AS a LEFT JOIN blocks AS b ON b.cid = a.cid
    WHERE a.seq > ? ORDER BY a.seq LIMIT ?"""

_STATE = ("version", "model", "parts")
_SUBJECTS: Mapping[str, Callable[[dict[str, Value]], Value]] = {
    "hermes/genesis/1": lambda fields: cid_of(encode(fields).data),
    "hermes/soul/1": lambda fields: fields.get("soul"),
    "hermes/member/1": lambda fields: fields.get("node"),
    "hermes/revoked/1": lambda fields: fields.get("node"),
    "hermes/handoff/1": lambda fields: fields.get("new"),
    "hermes/accepted/1": lambda fields: fields.get("handoff"),
    "hermes/verdict/1": lambda fields: fields.get("candidate"),
    "hermes/approval/1": lambda fields: fields.get("candidate"),
    "hermes/adoption/1": lambda fields: fields.get("candidate"),
    "hermes/taken/1": lambda fields: fields.get("adoption"),
    "hermes/outcome/1": lambda fields: fields.get("adoption"),
    "hermes/architecture/1": lambda fields: cid_of(
        encode({name: fields.get(name) for name in _STATE}).data
    ),
}
"""What an act is about, where its block says it; of other kinds nothing here vouches for it."""


def judge_act(row: Row) -> list[str]:
    """What is wrong with an act: seq, cid, kind, subject, its block's bytes."""
    seq, cid, kind, subject, data = row
    if data is None:
        return [f"acts {seq}: its block {cid} is missing"]
    about = _SUBJECTS.get(kind)
    try:
        block = decode(data)
        fields = block if isinstance(block, dict) else {}
        told = {"kind": fields.get("t") == kind}
        told["subject"] = about is None or about(fields) == subject
    except (ValueError, TypeError):  # or with a value in it that has no canonical form
        return [f"acts {seq}: its block {cid} cannot be read"]
    wrong = [column for column, same in told.items() if not same]
    return [f"acts {seq}: {column} differs from its block" for column in wrong]
