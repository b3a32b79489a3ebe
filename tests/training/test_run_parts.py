import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import Usage

torch = pytest.importorskip("torch")
from training.curve import draw, svg  # noqa: E402
from training.device import pick_device  # noqa: E402
from training.estimate import estimate  # noqa: E402
from training.metrics import read_metrics  # noqa: E402
from training.model import Model  # noqa: E402
from training.schedule import PHASES, Phase, Rate, parse_phases, phase_at  # noqa: E402
from training.sizes import SIZES, sized  # noqa: E402

torch.set_num_threads(1)


def test_phases_are_read():
    assert parse_phases("256:0.55,768:0.88,2048:1") == PHASES
    assert parse_phases("512") == (Phase(512, 1.0),)


@pytest.mark.parametrize("text", ["", "256:0.5", "256:0.9,768:0.5,9:1", "0:1", "x:1", "256:y"])
def test_phases_that_make_no_sense_are_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_phases(text)


@given(st.floats(0, 1))
def test_every_moment_has_its_phase(spent):
    number = phase_at(PHASES, spent)
    assert spent < PHASES[number].until or number == len(PHASES) - 1
    assert number == 0 or spent >= PHASES[number - 1].until


def test_the_rate_rises_stays_and_falls():
    rate = Rate(1.0, warmup=10, decay=0.25)
    rising = [rate.at(step, 0.0) for step in range(12)]
    assert rising == sorted(rising)
    assert 0 < rising[0] < 0.2
    assert rate.at(50, 0.5) == rate.at(70, 0.75) == 1.0
    assert rate.at(90, 0.875) == 0.5
    assert rate.at(99, 1.0) == pytest.approx(0.01)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_what_they_are_called(name):
    size = sized(name, 2_048)
    unit = {"m": 1e6, "b": 1e9}[name[-1]]
    assert size.shape.parameters() / (float(name[:-1]) * unit) == pytest.approx(1, abs=0.2)
    assert size.shape.width % size.shape.heads == size.shape.head_width % 2 == 0
    assert size.shape.heads % size.shape.kv_heads == 0
    assert size.shape.width % 32 == size.shape.feed_forward % 32 == 0  # blocks of quantisation


def test_parameters_are_counted_as_they_are():
    shape = sized("1m", 700).shape
    assert sum(weight.numel() for weight in Model(shape).parameters()) == shape.parameters()


def test_an_unknown_size_is_refused():
    with pytest.raises(Usage, match="7m"):
        sized("7m", 700)


def test_an_estimate_grows_with_the_size():
    device = pick_device("cpu")
    small, large = (estimate(sized(name, 700), device) for name in ("1m", "6m"))
    assert small.fits
    assert small.state < large.state
    assert small.activations < large.activations
    assert small.speed > 0
    assert "0.8 M parameters (4 layers of 128)" in small.text()


def test_what_does_not_fit_is_said():
    device = pick_device("cpu")
    found = estimate(sized("1m", 700), device)
    tight = found.__class__(**{**found.__dict__, "present": 1 << 20})
    assert "does NOT fit" in tight.text()


def lines(count):
    return [
        {"step": 20 * i, "tokens": 5_000 * i, "mean_loss": 7 / i, "rate": 0.003 * (i < count)}
        for i in range(1, count + 1)
    ]


def test_a_curve_is_an_image_that_goes_down():
    root = ET.fromstring(svg(lines(30)))
    drawn = [one for one in root.iter() if one.tag.endswith("polyline")]
    loss = [tuple(map(float, p.split(","))) for p in drawn[-1].attrib["points"].split()]
    assert len(loss) == 30
    heights = [y for _, y in loss]
    assert heights == sorted(heights)  # downwards on a screen
    assert all(0 <= x <= 720 and 0 <= y <= 360 for x, y in loss)


def test_one_line_makes_no_curve(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 20}\n')
    draw(tmp_path / "metrics.jsonl", tmp_path / "curve.svg")
    assert not (tmp_path / "curve.svg").exists()


def test_a_torn_line_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 20}\n{"step": 40}\n{"st')
    assert [line["step"] for line in read_metrics(path)] == [20, 40]
    assert list(read_metrics(tmp_path / "none")) == []
