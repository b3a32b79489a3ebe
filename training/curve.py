"""The learning curve as SVG: loss over tokens, the rate behind it, nothing but text."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.metrics import read_metrics

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 360, 56, 24, 16, 40
_INK, _MEAN, _RATE, _GRID = "#333", "#0969da", "#d29922", "#ddd"


def draw(metrics: Path, out: Path) -> None:
    """Draw a run's metrics; nothing is written where there are fewer than two lines."""
    lines = list(read_metrics(metrics))
    if len(lines) > 1:
        out.write_text(svg(lines), encoding="utf-8")


def svg(lines: Sequence[dict[str, Any]]) -> str:
    """The picture: loss on a logarithmic axis."""
    tokens = [line["tokens"] for line in lines]
    losses = [max(1e-6, line["mean_loss"]) for line in lines]
    low, high = math.log10(min(losses)), math.log10(max(losses))
    high = max(high, low + 0.1)
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(count: float) -> float:
        return _LEFT + wide * count / max(1, tokens[-1])

    def y(loss: float) -> float:
        return _TOP + tall * (high - math.log10(loss)) / (high - low)

    peak = max(line["rate"] for line in lines) or 1.0
    rates = [
        (x(t), _TOP + tall * (1 - line["rate"] / peak))
        for t, line in zip(tokens, lines, strict=True)
    ]
    means = [(x(t), y(loss)) for t, loss in zip(tokens, losses, strict=True)]
    body = [*_grid(low, high, y), *_ticks(tokens[-1], x)]
    body += [_line(rates, _RATE, 1), _line(means, _MEAN, 2)]
    title = f"loss {losses[-1]:.4f} after {tokens[-1] / 1e6:.1f} M tokens"
    body.append(_text(_LEFT, 16, f"{title} (blue: loss; yellow: learning rate)", "start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" '
        f'fill="#fff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _grid(low: float, high: float, y: Callable[[float], float]) -> list[str]:
    out = []
    for power in range(math.floor(low), math.ceil(high) + 1):
        for step in (1, 2, 5):
            loss = step * 10.0**power
            if low <= math.log10(loss) <= high:
                at = y(loss)
                out.append(_line([(_LEFT, at), (_WIDTH - _RIGHT, at)], _GRID, 1))
                out.append(_text(_LEFT - 6, at + 4, f"{loss:g}", "end"))
    return out


def _ticks(last: float, x: Callable[[float], float]) -> list[str]:
    at = [last * part / 4 for part in range(5)]
    return [_text(x(t), _HEIGHT - 16, f"{t / 1e6:.1f} M", "middle") for t in at]


def _line(points: Sequence[tuple[float, float]], colour: str, width: int) -> str:
    given = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    return f'<polyline fill="none" stroke="{colour}" stroke-width="{width}" points="{given}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{_INK}" text-anchor="{anchor}">{text}</text>'
