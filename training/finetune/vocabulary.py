"""A model's tokenizer as GGUF keys: byte-level BPE ("gpt2") and BPE with byte fallback ("llama").

llama.cpp splits text into words by rules that it knows by name; a tokenizer whose rules have no
name here is refused rather than exported wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hermes.errors import WeightsInvalid
from training.finetune.words import FILE, Words

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN_2 = _LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")
_BYTES = ("ByteLevel", "")
_SPLITS = {
    (("ByteLevel", "regex"),): "gpt-2",
    (("Split", _LLAMA_3), _BYTES): "llama-bpe",
    (("Split", _QWEN_2), _BYTES): "qwen2",
    (("Digits", "individual"), ("ByteLevel", "regex")): "smollm",
}
_NORMAL, _UNKNOWN, _CONTROL, _USER, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6
_BLANK = "\u2581"
_UNMERGED = -1e6
_REMEDY = "the run's directory hf/ has the trained model: convert it with llama.cpp's own script"


@dataclass(frozen=True)
class Vocabulary:
    """What a GGUF says of a tokenizer; `merges` for "gpt2", `scores` for "llama"."""

    model: Literal["gpt2", "llama"]
    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    space_first: bool = False


def vocabulary_of(words: Words) -> Vocabulary:
    """The keys of a tokenizer; raises WeightsInvalid where llama.cpp has no name for it."""
    try:
        return _vocabulary(words.raw, len(words))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsInvalid(f"{FILE} cannot be written as GGUF: {error}", _REMEDY) from error


def _vocabulary(raw: Mapping[str, object], size: int) -> Vocabulary:
    model = _object(raw["model"])
    if model.get("type") != "BPE":
        raise ValueError(f"its kind is {model.get('type')!r}, only BPE is written here")
    merges = tuple(_merges(model["merges"]))
    tokens, types = _tokens(raw, model, size)
    steps = tuple(_steps(raw.get("normalizer")))
    if model.get("byte_fallback"):
        _check_blanks(steps, raw)
        return Vocabulary(
            model="llama",
            pre="default",
            tokens=tokens,
            types=types,
            scores=_scores(tokens, types, merges),
            space_first=any(step.get("type") == "Prepend" for step in steps)
            or _metaspace(raw).get("prepend_scheme") in {"first", "always"},
        )
    if any(step.get("type") != "NFC" for step in steps):
        raise ValueError(f"its normalizer is {[step.get('type') for step in steps]}")
    pre = _pre(raw)
    if (pre == "llama-bpe") != bool(model.get("ignore_merges")):
        raise ValueError(f"ignore_merges is {model.get('ignore_merges')!r} with words of {pre}")
    return Vocabulary("gpt2", pre, tokens, types, tuple(f"{a} {b}" for a, b in merges))


def _tokens(
    raw: Mapping[str, object], model: Mapping[str, object], size: int
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    tokens = [f"[PAD{index}]" for index in range(size)]
    types = [_UNUSED] * size
    for token, index in _object(model["vocab"]).items():
        if not isinstance(index, int):
            raise TypeError(f"token {token!r} has no number")
        tokens[index] = token
        types[index] = _BYTE if model.get("byte_fallback") and _is_byte(token) else _NORMAL
        if token == model.get("unk_token"):
            types[index] = _UNKNOWN
    for added in _objects(raw.get("added_tokens") or []):
        index, text = added["id"], added["content"]
        if not isinstance(index, int) or not isinstance(text, str):
            raise TypeError("an added token has no number or no text")
        tokens[index] = text
        if types[index] != _UNKNOWN:
            types[index] = _CONTROL if added.get("special") else _USER
    return tuple(tokens), tuple(types)


def _pre(raw: Mapping[str, object]) -> str:
    steps = tuple(_steps(raw.get("pre_tokenizer")))
    if any(step.get("add_prefix_space") for step in steps):
        raise ValueError("its words begin with a blank that llama.cpp does not add")
    found = tuple(_named(step) for step in steps)
    if found not in _SPLITS:
        raise ValueError(f"no name is known for its way to split words: {str(found)[:200]}")
    return _SPLITS[found]


def _named(step: Mapping[str, object]) -> tuple[str, str]:
    match step:
        case {"type": "ByteLevel"}:
            return "ByteLevel", "regex" if step.get("use_regex", True) else ""
        case {"type": "Split", "pattern": {"Regex": str(regex)}, "behavior": "Isolated"}:
            return "Split", regex
        case {"type": "Digits", "individual_digits": True}:
            return "Digits", "individual"
    return str(step.get("type")), "?"


def _check_blanks(steps: Sequence[Mapping[str, object]], raw: Mapping[str, object]) -> None:
    """A blank must become the sign that llama.cpp puts in its place, and nothing else change."""
    plain = {"type": "Replace", "pattern": {"String": " "}, "content": _BLANK}
    others = [step for step in steps if step.get("type") != "Prepend" and step != plain]
    if others or not (plain in steps or _metaspace(raw)):
        raise ValueError(f"its normalizer is {[step.get('type') for step in steps]}")


def _metaspace(raw: Mapping[str, object]) -> Mapping[str, object]:
    steps = _steps(raw.get("pre_tokenizer"))
    return next((step for step in steps if step.get("type") == "Metaspace"), {})


def _scores(
    tokens: Sequence[str], types: Sequence[int], merges: Sequence[tuple[str, str]]
) -> tuple[float, ...]:
    """Earlier merges first; what no merge makes is never made by accident."""
    ranks: dict[str, int] = {}
    for rank, (left, right) in enumerate(merges):
        ranks.setdefault(left + right, rank)
    return tuple(
        0.0 if kind != _NORMAL else float(-ranks[token]) if token in ranks else _UNMERGED
        for token, kind in zip(tokens, types, strict=True)
    )


def _merges(given: object) -> Iterator[tuple[str, str]]:
    if not isinstance(given, list):
        raise TypeError("its merges are no list")
    for pair in given:
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        yield left, right


def _steps(given: object) -> Iterator[Mapping[str, object]]:
    """The parts of a normalizer or pre-tokenizer, sequences opened."""
    if given is None:
        return
    step = _object(given)
    if step.get("type") != "Sequence":
        yield step
        return
    for inner in _objects(step.get("pretokenizers") or step.get("normalizers")):
        yield from _steps(inner)


def _objects(given: object) -> list[Mapping[str, object]]:
    if not isinstance(given, list):
        raise TypeError("a list is missing")
    return [_object(item) for item in given]


def _object(given: object) -> Mapping[str, object]:
    if not isinstance(given, dict):
        raise TypeError("an object is missing")
    return given


def _is_byte(token: str) -> bool:
    return len(token) == len("<0x00>") and token.startswith("<0x") and token.endswith(">")
