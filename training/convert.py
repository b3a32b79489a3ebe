"""`hermes train export`: from whatever a run left behind to a GGUF of another kind."""

from pathlib import Path

from hermes.errors import WeightsInvalid
from training.checkpoint import load
from training.export import export
from training.finetune.export import write_gguf
from training.finetune.model import loaded, merged
from training.finetune.source import is_source, read_source
from training.finetune.template import read_template
from training.finetune.words import Words
from training.generate import TOKENIZER, read_vocabulary
from training.gguf_weights import load_gguf, vocabulary
from training.model import Model
from training.trainer import CHECKPOINT

_TUNED = "hf"


def convert(
    place: Path, out: Path, *, kind: str, name: str = "ember", words: Path | None = None
) -> None:
    """Write a GGUF from a run's directory, its checkpoint, a GGUF, or a Hugging Face directory.

    `words`: where a checkpoint's vocabulary is, when it doesn't lie beside it. Raises
    WeightsInvalid naming the file.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    source = next((one for one in (place, place / _TUNED) if is_source(one)), None)
    if source:
        _foreign(source, out, kind)
    elif place.suffix == ".gguf":
        export(load_gguf(place), vocabulary(place), out, kind=kind, name=name)
    else:
        _checkpoint(place / CHECKPOINT if place.is_dir() else place, out, kind, name, words)


def _foreign(directory: Path, out: Path, kind: str) -> None:
    source = read_source(directory)
    own = Words(source)
    template = read_template(directory, own.control)
    write_gguf(out, source, merged(loaded(source)), own, template, kind)


def _checkpoint(path: Path, out: Path, kind: str, name: str, words: Path | None) -> None:
    state = load(path)
    place = words or path.parent / TOKENIZER
    if not place.exists():
        remedy = "name its shard, tokenizer.json or GGUF with --vocabulary"
        raise WeightsInvalid(f"{path} has no vocabulary beside it", remedy)
    tokenizer = read_vocabulary(place)
    if tokenizer.digest != state.tokenizer:
        raise WeightsInvalid(f"the vocabulary of {place} is not that of {path}")
    model = Model(state.shape)
    try:
        model.load_state_dict(state.weights)
    except RuntimeError as error:
        raise WeightsInvalid(f"{path} does not hold the model that it describes") from error
    export(model, tokenizer, out, kind=kind, name=name)
