"""The direction model's figures beside what it must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from optiq.learn.measured import Measured

TITLES = {
    "prior": "majority",
    "logistic": "logistic",
    "lightgbm": "LightGBM",
    "transformer": "transformer",
}


def show_direction(
    screen: Console, figures: Mapping[str, Sequence[Measured]], reasons: Sequence[str]
) -> None:
    """Print every figure of every model, each with its bounds, and who may serve."""
    rows = Table(box=SIMPLE_HEAD, pad_edge=False)
    rows.add_column("out of sample")
    for name in figures:
        rows.add_column(TITLES.get(name, name), justify="right")
    metrics = dict.fromkeys(one.metric for found in figures.values() for one in found)
    for metric in metrics:
        cells = [next((m for m in found if m.metric == metric), None) for found in figures.values()]
        rows.add_row(metric, *(_cell(cell) for cell in cells))
    screen.print(rows)
    evidence = next(iter(figures.values()))[0].evidence
    screen.print(
        f"[dim]{evidence.rows:,} windows of {evidence.sessions} sessions, {evidence.first} to "
        f"{evidence.last}: {evidence.split}. In brackets 95 % over sessions.[/dim]"
    )
    notes = {m.interval.note for found in figures.values() for m in found if m.interval.note}
    for note in sorted(notes):
        screen.print(f"[dim]{note}[/dim]")
    for reason in reasons:
        screen.print(reason)


def _cell(figure: Measured | None) -> str:
    if figure is None or figure.interval.value != figure.interval.value:
        return "-"
    bounds, digits = figure.interval, 0 if "P&L" in figure.metric else 3
    value = f"{bounds.value:,.{digits}f}"
    if not bounds.is_known:
        return value
    return f"{value} ({bounds.low:,.{digits}f} to {bounds.high:,.{digits}f})"
