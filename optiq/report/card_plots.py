"""The two plots of a model card as shapes in an SVG's own units; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optiq.report.measured_table import number_text
from optiq.report.money import grouped

WIDTH, HEIGHT = 360.0, 280.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 20.0, 12.0, 40.0
SMALLEST, LARGEST = 3.0, 7.5
TICKS = 5

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point or bar: its place, the ends of its interval, and its figures in words.

    ``low`` and ``high`` are None where there is no interval; ``size`` is a radius, or half the
    width of a bar that starts at the zero line.
    """

    x: float
    y: float
    low: float | None
    high: float | None
    size: float
    is_below: bool
    words: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything to draw; ``zero`` is the line bars start from, ``diagonal`` two points."""

    marks: tuple[Mark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    zero: float | None = None
    diagonal: tuple[float, float, float, float] | None = None


def reliability_plot(rows: Sequence[Row]) -> Plot | None:
    """Return probability said against share that happened; None without rows.

    Both axes have one scale, so that on the diagonal 70 % means 70 %. The area of a point is its
    share of the rows.
    """
    said = [row for row in rows if row["predicted"] is not None and row["observed"] is not None]
    if not said:
        return None
    ends = [row[key] for row in said for key in ("predicted", "observed", "low", "high")]
    low, high = _padded([end for end in ends if end is not None])
    low, high = max(0.0, low), min(1.0, high)
    x, y = _scale(low, high, LEFT, WIDTH - RIGHT), _scale(low, high, HEIGHT - BOTTOM, TOP)
    most = max(row["rows"] for row in said)
    marks = tuple(
        Mark(
            x(row["predicted"]),
            y(row["observed"]),
            None if row["low"] is None else y(row["low"]),
            None if row["high"] is None else y(row["high"]),
            max(SMALLEST, LARGEST * math.sqrt(row["rows"] / most)),
            row["observed"] < row["predicted"],
            f"said {row['predicted']:.3f}, happened {row['observed']:.3f}{_bounds(row)}, "
            f"{grouped(row['rows'])} rows",
        )
        for row in said
    )
    ticks = nice_ticks(low, high)
    return Plot(
        marks,
        tuple(Tick(x(tick), f"{100 * tick:.0f} %") for tick in ticks),
        tuple(Tick(y(tick), f"{100 * tick:.0f} %") for tick in ticks),
        diagonal=(x(low), y(low), x(high), y(high)),
    )


def decile_plot(rows: Sequence[Row]) -> Plot | None:
    """Return net rupees a trade by decile of the score, 1 the lowest; None without rows."""
    known = [row for row in rows if row["net"] is not None]
    if not known:
        return None
    ends = [row[key] for row in known for key in ("net", "low", "high") if row[key] is not None]
    low, high = _padded([*ends, 0.0])
    y = _scale(low, high, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / 10
    marks = tuple(
        Mark(
            LEFT + step * (row["decile"] - 0.5),
            y(row["net"]),
            None if row["low"] is None else y(row["low"]),
            None if row["high"] is None else y(row["high"]),
            step * 0.36,
            row["net"] < 0,
            f"decile {row['decile']}: {row['net']:+,.0f} rupees a trade{_bounds(row)}, "
            f"{grouped(row['trades'])} trades",
        )
        for row in known
    )
    return Plot(
        marks,
        tuple(Tick(LEFT + step * (n - 0.5), f"{n}") for n in range(1, 11)),
        tuple(Tick(y(tick), _money(tick)) for tick in nice_ticks(low, high)),
        zero=y(0.0),
    )


def nice_ticks(low: float, high: float) -> list[float]:
    """Return round values within two ends, about five of them.

    >>> nice_ticks(0.27, 0.61)
    [0.3, 0.4, 0.5, 0.6]
    >>> nice_ticks(-330.0, 230.0)
    [-200.0, 0.0, 200.0]
    """
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 10) + 0.0 for n in range(first, last + 1)]


class _Linear:
    """A scale from values to places."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = low, start
        self._step = (end - start) / (high - low)

    def __call__(self, value: float) -> float:
        return round(self._start + (value - self._low) * self._step, 2)


def _scale(low: float, high: float, start: float, end: float) -> _Linear:
    return _Linear(low, high, start, end)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    reach = (high - low) or max(abs(high), 1.0) * 0.1
    return low - 0.06 * reach, high + 0.06 * reach


def _bounds(row: Row) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f" ({number_text(row['low'])} to {number_text(row['high'])})"


def _money(value: float) -> str:
    sign = "−" if value < 0 else ""
    return f"{sign}{grouped(round(abs(value)))}" if abs(value) >= 1 or value == 0 else f"{value:g}"
