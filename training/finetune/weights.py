"""Reads the weights of a model on disk: safetensors, in one file or several, checked first.

Headers are compared with config.json before any tensor is read, so that a file which promises
more than it holds costs no memory. It does not vouch for what the weights say.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from hermes.errors import WeightsInvalid
from training.finetune.names import interleaved, measures, theirs
from training.finetune.source import Source, read_json

ONE_FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"
_LARGEST_INDEX = 64 << 20
_KINDS = {"F32", "F16", "BF16"}
_REMEDY = "fetch the model again; weights must be safetensors of F32, F16 or BF16"


class _Slice(Protocol):
    def get_shape(self) -> list[int]: ...
    def get_dtype(self) -> str: ...


class _File(AbstractContextManager["_File"], Protocol):
    def get_slice(self, name: str) -> _Slice: ...
    def get_tensor(self, name: str) -> Tensor: ...


def read_weights(source: Source, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Every tensor by our name, its rows in our order; raises WeightsInvalid naming the file."""
    places = _places(source)
    with ExitStack() as stack:
        files = {path: _open(path, stack) for path in sorted(set(places.values()))}
        for name, size in measures(source).items():
            _check(files[places[name]], places[name], theirs(name), size)
        found = {}
        for name in measures(source):
            found[name] = _read(files[places[name]], places[name], name, source, dtype)
        return found


def kind_of(source: Source) -> torch.dtype:
    """The dtype in which the embedding lies in the file."""
    name = "token_embd.weight"
    with ExitStack() as stack:
        path = _places(source)[name]
        try:
            kind = _open(path, stack).get_slice(theirs(name)).get_dtype()
        except SafetensorError as error:
            raise WeightsInvalid(f"{path}: {error}", _REMEDY) from error
    kinds = {"F16": torch.float16, "BF16": torch.bfloat16}
    return kinds.get(kind, torch.float32)


def _places(source: Source) -> Mapping[str, Path]:
    """In which file each tensor lies, by our name."""
    directory = source.directory
    if not (directory / INDEX).exists():
        return dict.fromkeys(measures(source), directory / ONE_FILE)
    given = read_json(directory / INDEX, _LARGEST_INDEX).get("weight_map")
    if not isinstance(given, dict):
        raise WeightsInvalid(f"{directory / INDEX} has no weight_map")
    found = {}
    for name in measures(source):
        file = given.get(theirs(name))
        if not isinstance(file, str) or Path(file).name != file:
            raise WeightsInvalid(f"{directory / INDEX} names no file for {theirs(name)}", _REMEDY)
        found[name] = directory / file
    return found


def _open(path: Path, stack: ExitStack) -> _File:
    if not path.is_file():  # a pipe would block, a device never end
        raise WeightsInvalid(f"{path} is missing, or no regular file", _REMEDY)
    try:
        file: _File = safe_open(path, framework="pt")
        return stack.enter_context(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsInvalid(f"{path} is no safetensors file: {error}", _REMEDY) from error


def _check(file: _File, path: Path, name: str, size: tuple[int, ...]) -> None:
    try:
        found = file.get_slice(name)
    except SafetensorError as error:
        raise WeightsInvalid(f"{path} lacks {name}", _REMEDY) from error
    if tuple(found.get_shape()) != size:
        said = f"{name} is {tuple(found.get_shape())}, config.json wants {size}"
        raise WeightsInvalid(f"{path}: {said}", _REMEDY)
    if found.get_dtype() not in _KINDS:
        raise WeightsInvalid(f"{path}: {name} is {found.get_dtype()}", _REMEDY)


def _read(file: _File, path: Path, name: str, source: Source, dtype: torch.dtype) -> Tensor:
    tensor = file.get_tensor(theirs(name)).to(dtype)
    if not torch.isfinite(tensor).all():
        raise WeightsInvalid(f"{path}: {theirs(name)} holds values that are no numbers")
    return interleaved(name, tensor, source.shape).contiguous()
