"""What `hermes train sync` calls: from options to a model file, over a directory and a hub."""

import anyio
import pytest

torch = pytest.importorskip("torch")
from hermes.errors import SyncRefused  # noqa: E402 - after the skip
from training.chat import pieces  # noqa: E402
from training.curriculum import conversation  # noqa: E402
from training.dataset import write_shard  # noqa: E402
from training.gguf_weights import load_gguf  # noqa: E402
from training.sizes import sized  # noqa: E402
from training.sync.round import Rounds  # noqa: E402
from training.sync.start import MODEL, Options, address_of, serve, work  # noqa: E402
from training.tokenizer_build import build  # noqa: E402

NAMES = ("w0", "w1")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("meeting", ["directory", "hub"])
async def test_two_workers_make_one_model(tmp_path, meeting):
    talks = [conversation(seed) for seed in range(60)]
    tokenizer = build(("".join(text for text, _ in pieces(one)) for one in talks), 600)
    for at, name in enumerate(NAMES):
        write_shard(tmp_path / name, talks[at::2], tokenizer)
    size = sized("1m", len(tokenizer)).shape.parameters()
    tokens = {name: f"token of {name}" for name in NAMES}
    reports = {}

    async def one(name, place):
        options = Options(
            shard=tmp_path / name,
            place=place,
            worker=name,
            out=tmp_path / f"out-{name}",
            rounds=Rounds(2, 2, give_up_s=200),
            size="1m",
            token=tokens[name],
            inner_steps=2,
            rows=1,
            seed=int(name[1:]),
        )
        reports[name] = await work(options)

    place = str(tmp_path / "run") if meeting == "directory" else f"unix:{tmp_path / 'hub.sock'}"
    async with anyio.create_task_group() as tasks:
        if meeting == "hub":
            listening = anyio.Event()
            tasks.start_soon(
                lambda: serve(
                    tmp_path / "run", tokens, place, size, ready=lambda _: listening.set()
                )
            )
            await listening.wait()
        async with anyio.create_task_group() as workers:
            for name in NAMES:
                workers.start_soon(one, name, place)
        tasks.cancel_scope.cancel()
    assert reports["w0"].digest == reports["w1"].digest
    assert [reports[name].contributed for name in NAMES] == [2, 2]
    files = [(tmp_path / f"out-{name}" / MODEL).read_bytes() for name in NAMES]
    assert files[0] == files[1]
    model = load_gguf(tmp_path / "out-w0" / MODEL, tokenizer)
    assert sum(weight.numel() for weight in model.parameters()) == size


@pytest.mark.parametrize("place", ["host", "host:", ":80", "host:x"])
def test_an_address_that_is_none(place):
    with pytest.raises(SyncRefused, match="no hub's address"):
        address_of(place)
