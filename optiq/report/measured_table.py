"""Measured figures as a person reads them, in a terminal or on a card; nothing else gets in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from optiq.learn.measured import NOT_MEASURED, Evidence, Measured
from optiq.report.money import grouped, rupees

LARGE = 100.0
"""From here on a figure is rupees to the paisa; below, a number with three decimals."""


def number_text(value: float) -> str:
    """Return a figure's number: three decimals, or rupees with paise from a hundred up.

    >>> number_text(0.54149), number_text(-1234.5), number_text(float("nan"))
    ('0.541', '-1,234.50', '-')
    """
    if math.isnan(value):
        return "-"
    if abs(value) >= LARGE:
        return rupees(value)
    exact = Decimal(str(value)).quantize(Decimal("0.001"), ROUND_HALF_UP)
    return f"{exact + 0:f}"  # adding zero takes the sign from -0.000


def bounds_text(measured: Measured) -> str:
    """Return a figure's interval as ``0.519 to 0.563``, or why there is none."""
    interval = measured.interval
    if not interval.is_known:
        return interval.note
    return f"{number_text(interval.low)} to {number_text(interval.high)}"


def evidence_text(evidence: Evidence) -> str:
    """Return on what a figure rests, in one sentence without a full stop; times are UTC.

    Of several folds it names the one whose fit and test came nearest to each other.
    """
    days = f"{evidence.first} to {evidence.last}".removesuffix(f" to {evidence.first}")
    sessions = f"{evidence.sessions} session{'s' if evidence.sessions != 1 else ''}"
    fitted, tested = (_minute(at) for at in (evidence.fitted_until, evidence.tested_from))
    fit = f"fitted until {fitted}, tested from {tested} UTC"
    if tested[:10] != str(evidence.first):
        fit = f"each fold tested after its own fit, nearest: {fit}"
    return (
        f"out of sample: {grouped(evidence.rows)} rows of {sessions}, {days}; "
        f"{evidence.split}; {fit}"
    )


def _minute(at: np.datetime64) -> str:
    return str(at)[:16].replace("T", " ")


def evidences(figures: Iterable[Measured]) -> list[str]:
    """Return the distinct sentences of evidence of some figures, in order."""
    return list(dict.fromkeys(evidence_text(figure.evidence) for figure in figures))


def measured_table(
    title: str, columns: Mapping[str, Sequence[Measured]], wanted: Sequence[str] = ()
) -> Table:
    """Return a table with a line a metric and a column a model or baseline.

    Only `Measured` gets in: anything else is a `TypeError`. A metric of ``wanted`` that no column
    has is shown as not measured out of sample; a cell is empty where only others were.
    """
    require_measured(columns)
    table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column("out of sample")
    for name in columns:
        table.add_column(name, justify="right")
    for metric in metrics(columns, wanted):
        cells = [_cell(metric, figures) for figures in columns.values()]
        table.add_row(metric, *(cells if any(cells) else [NOT_MEASURED] * len(cells)))
    return table


def metrics(columns: Mapping[str, Sequence[Measured]], wanted: Sequence[str] = ()) -> list[str]:
    """Return the names of the metrics of some columns, each once, the wanted ones first."""
    named = (figure.metric for figures in columns.values() for figure in figures)
    return list(dict.fromkeys([*wanted, *named]))


def require_measured(columns: Mapping[str, Sequence[Measured]]) -> None:
    """Raise `TypeError` unless every figure was measured out of sample."""
    for name, figures in columns.items():
        for figure in figures:
            if not isinstance(figure, Measured):
                raise TypeError(f"{name}: {figure!r} is not a measured figure")


def _cell(metric: str, figures: Sequence[Measured]) -> str:
    found = next((figure for figure in figures if figure.metric == metric), None)
    if found is None:
        return ""
    return f"{number_text(found.interval.value)}\n{bounds_text(found)}"
