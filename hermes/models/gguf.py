"""The header of a GGUF file, read without its tensors: what the runtime must know before a load.

Apart from the engine because a wrong file must be named before a process is started for it. It
does not vouch for the weights: a well-formed file may still hold nonsense, or crash the engine.
Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3).
"""

import os
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from hermes.core.request import Profile
from hermes.errors import ModelFileInvalid
from hermes.models.gguf_header import Header, HeaderCut, HeaderWrong, read_header

SHIPPED = "ember.gguf"
EXACT = 57  # % of freely worded requests that it gets exactly right (its card)
_HEADS = (1 << 20, 1 << 23, 1 << 26)  # enough for a small model, a large vocabulary, any sane one
_SHORTEST = 24
_MAGIC = b"GGUF"
_CONTROL_TYPES = (3, 4)  # control, user-defined
_CONTROL_BYTES = 256
_TEXT = 200
_PROFILES: dict[str, Profile] = {"full": "full", "lean": "lean", "native": "native"}
_REMEDY = "fetch the file again, or name another with --model"


class GgufInfo(msgspec.Struct, frozen=True):
    """What a GGUF says of itself.

    `context_length` in tokens and `parameters` as a count, 0 where the file does not say;
    `control_tokens` are the tokens of type control or user-defined, which must never be formed
    by anybody's text; `profile` is the key `hermes.profile`, empty where the file has none.
    """

    path: Path
    size: int
    architecture: str
    name: str
    context_length: int
    parameters: int
    chat_template: str
    control_tokens: frozenset[str]
    profile: Profile | Literal[""]


def shipped_model() -> Path:
    """Where the model that comes with the package lies."""
    return Path(__file__).parent / "data" / SHIPPED


def read_gguf(path: Path) -> GgufInfo:
    """Read a GGUF's header; raises ModelFileInvalid naming the file and why.

    Blocks for milliseconds (a vocabulary of 150,000 tokens: tens of them): run it in a thread.
    """
    try:
        with _open(path) as file:
            size = os.fstat(file.fileno()).st_size
            return _info(path.absolute(), size, _read(file, size))
    except HeaderWrong as error:
        raise ModelFileInvalid(f"{path} cannot be loaded: {error}", _REMEDY) from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ModelFileInvalid(f"{path} cannot be read: {why}", _REMEDY) from error


def _open(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():  # a pipe would block, a device never end
        raise HeaderWrong("it is no regular file")
    return path.open("rb")


def _read(file: BinaryIO, size: int) -> Header:
    if size < _SHORTEST:
        raise HeaderWrong(f"{size} bytes are too few for a GGUF")
    if (magic := file.read(len(_MAGIC))) != _MAGIC:
        raise HeaderWrong(f"it is no GGUF (starts with {magic!r})")
    for length in _HEADS:
        file.seek(0)
        data = file.read(length)
        try:
            return read_header(data, size)
        except HeaderCut as error:
            if len(data) >= size:
                raise HeaderWrong("it ends inside its header: the file is cut") from error
    raise HeaderWrong(f"its header is longer than {_HEADS[-1] >> 20} MiB")


def _info(path: Path, size: int, header: Header) -> GgufInfo:
    architecture = header.text("general.architecture")[:_TEXT]
    if not architecture:
        raise HeaderWrong("it names no architecture")
    if header.tensors_end > size:
        raise HeaderWrong(f"it is cut: {size} bytes, its tensors end at {header.tensors_end}")
    kinds = header.numbers("tokenizer.ggml.token_type")
    wanted = [index for index, kind in enumerate(kinds) if kind in _CONTROL_TYPES]
    control = header.strings("tokenizer.ggml.tokens", wanted, _CONTROL_BYTES)
    return GgufInfo(
        path=path,
        size=size,
        architecture=architecture,
        name=header.text("general.name")[:_TEXT] or path.stem,
        context_length=header.number(f"{architecture}.context_length"),
        parameters=header.parameters,
        chat_template=header.text("tokenizer.chat_template"),
        control_tokens=frozenset(control),
        profile=_PROFILES.get(header.text("hermes.profile"), ""),
    )
