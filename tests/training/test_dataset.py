import json

import numpy as np
import pytest

from hermes.errors import DataInvalid
from tests.training.small_data import conversations, tokenizer
from training.dataset import IGNORED, Batches, Shard, write_shard
from training.mixture import Added, Mixture
from training.schedule import Phase
from training.tokenizer_build import build

TOKENIZER = tokenizer()


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    return write_shard(tmp_path_factory.mktemp("shard"), conversations(200), TOKENIZER)


def found(batch):
    """The conversations of a batch as text."""
    out = []
    for tokens, documents in zip(batch.tokens, batch.documents, strict=True):
        numbers = range(1, documents.max() + 1)
        out += [TOKENIZER.decode(tokens[documents == number].tolist()) for number in numbers]
    return out


def test_an_epoch_holds_every_conversation_once(shard):
    batches = Batches(shard, 128, 1, seed=3)
    texts = [text for step in range(batches.steps(0)) for text in found(batches.batch(step))]
    wanted = [TOKENIZER.decode(TOKENIZER.conversation(one)[0][:-1]) for one in conversations(200)]
    assert sorted(texts) == sorted(wanted)


def test_targets_are_the_next_tokens_where_the_loss_is(shard):
    batch = Batches(shard, 128, 4, seed=3).batch(0)
    marked = batch.targets[:, :-1] != IGNORED
    inner = batch.documents[:, 1:] == batch.documents[:, :-1]
    both = marked & inner
    assert both.any()
    assert (batch.targets[:, :-1][both] == batch.tokens[:, 1:][both]).all()
    assert (batch.targets[batch.documents == 0] == IGNORED).all()


def test_rows_are_nearly_full(shard):
    batch = Batches(shard, 256, 4, seed=3).batch(0)
    assert (batch.documents > 0).mean() > 0.85


def test_a_step_gives_the_same_rows_in_any_order_of_asking(shard):
    one, other = Batches(shard, 128, 4, seed=3), Batches(shard, 128, 4, seed=3)
    late = one.batch(60)
    early = one.batch(2)
    assert (other.batch(2).tokens == early.tokens).all()
    assert (other.batch(60).tokens == late.tokens).all()
    assert not (Batches(shard, 128, 4, seed=4).batch(2).tokens == early.tokens).all()


def test_a_small_shard_still_fills_a_batch(tmp_path):
    small = write_shard(tmp_path, conversations(2), TOKENIZER)
    batch = Batches(small, 128, 16, seed=1).batch(0)
    assert (batch.documents[:, 0] > 0).all()


def test_conversations_too_long_for_a_row_wait_for_longer_rows(shard):
    median = int(np.median(shard.lengths))
    assert 0 < Batches(shard, median, 2, seed=1).left_out < 200
    with pytest.raises(DataInvalid, match="fits into 3 tokens"):
        Batches(shard, 3, 2, seed=1)


def test_what_is_added_takes_its_share_and_goes(shard, tmp_path):
    told = [{"role": "user", "content": "Z"}, {"role": "assistant", "content": "ZZZ"}]
    other = write_shard(tmp_path, [told] * 50, TOKENIZER)
    mixture = Mixture(shard, [Added(other, 0.5, until=0.5)], 1024, seed=1)

    def share(spent):
        rows = mixture.batch(Phase(128, 1.0), 0, spent).tokens
        return np.mean([TOKENIZER.ids["Z"] in row for row in rows])

    assert [share(spent) for spent in (0.0, 0.25, 0.5, 1.0)] == [0.5, 0.25, 0.0, 0.0]


def test_what_is_replayed_keeps_its_share(shard):
    assert Added(shard, 0.3).now(0.99) == 0.3


def test_shards_of_different_vocabularies_do_not_mix(shard, tmp_path):
    other = write_shard(tmp_path, conversations(5), build(["other words"], 650))
    with pytest.raises(DataInvalid, match="different vocabularies"):
        Mixture(shard, [Added(other, 0.5)], 1024, seed=1)


def test_conversations_without_an_answer_make_no_shard(tmp_path):
    with pytest.raises(DataInvalid, match="no conversation"):
        write_shard(tmp_path, [[{"role": "user", "content": "hello"}]], TOKENIZER)
    assert not (tmp_path / "shard.json").exists()


def _cut(directory):
    path = directory / "tokens.npy"
    path.write_bytes(path.read_bytes()[:-100])


def _foreign_tokens(directory):
    tokens = np.load(directory / "tokens.npy")
    tokens[7] = 65_000
    np.save(directory / "tokens.npy", tokens)


def _pickled(directory):
    np.save(directory / "tokens.npy", np.array([{"a": 1}], dtype=object))


def _backwards(directory):
    np.save(directory / "starts.npy", np.load(directory / "starts.npy")[::-1])


def _other_vocabulary(directory):
    path = directory / "shard.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer": "sha256:0"}))


def _no_manifest(directory):
    (directory / "shard.json").unlink()


@pytest.mark.parametrize(
    "harm", [_cut, _foreign_tokens, _pickled, _backwards, _other_vocabulary, _no_manifest]
)
def test_a_damaged_shard_is_refused_by_name(tmp_path, harm):
    directory = tmp_path / "poisoned"
    write_shard(directory, conversations(5), TOKENIZER)
    harm(directory)
    with pytest.raises(DataInvalid, match="poisoned"):
        Shard(directory)
