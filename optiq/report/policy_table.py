"""A policy's figures beside what it must beat, and whom it chose when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from optiq.learn.measured import Measured

PLAIN = 3
"""The first figures of everybody: net R, regret, share of the oracle."""


def show_policy(
    screen: Console,
    figures: Mapping[str, Sequence[Measured]],
    worst: str,
    choices: Sequence[Mapping[str, Any]],
) -> None:
    """Print everybody's figures, the differences of the one that counts, and its choices."""
    screen.print(_everybody(figures, worst))
    screen.print(_differences(figures[worst][PLAIN:], worst))
    evidence = figures[worst][0].evidence
    screen.print(
        f"[dim]{evidence.rows:,} decisions of {evidence.sessions} sessions, {evidence.first} to "
        f"{evidence.last}: {evidence.split}. In brackets 95 % over sessions; of several seeds the "
        "worst counts.[/dim]",
        soft_wrap=True,
    )
    notes = {one.interval.note for found in figures.values() for one in found}
    for note in sorted(notes - {""}):
        screen.print(f"[dim]{note}[/dim]")
    screen.print(_chosen(choices))


def _everybody(figures: Mapping[str, Sequence[Measured]], worst: str) -> Table:
    rows = Table(box=SIMPLE_HEAD, pad_edge=False)
    rows.add_column("out of sample")
    for heading in ("net R a decision", "regret", "share of oracle"):
        rows.add_column(heading, justify="right")
    for name, found in figures.items():
        cells = [_cell(one) for one in found[:PLAIN]]
        rows.add_row(f"{name} (counts)" if name == worst else name, *cells)
    return rows


def _differences(figures: Sequence[Measured], worst: str) -> Table:
    rows = Table(box=SIMPLE_HEAD, pad_edge=False)
    rows.add_column(worst)
    rows.add_column("value", justify="right")
    rows.add_column("at least", justify="right")
    for one in figures:
        bounds = one.interval
        least = f"{bounds.low:+.4f}" if bounds.is_known else "-"
        rows.add_row(one.metric, f"{bounds.value:+.4f}", least)
    return rows


def _chosen(choices: Sequence[Mapping[str, Any]]) -> Table:
    rows = Table(box=SIMPLE_HEAD, pad_edge=False)
    rows.add_column("chosen, %")
    hours = list(choices[0])[1:] if choices else []
    for heading in hours:
        rows.add_column("all day" if heading == "share" else heading, justify="right")
    for line in choices:
        rows.add_row(str(line["strategy"]), *(f"{100 * line[hour]:.0f}" for hour in hours))
    return rows


def _cell(figure: Measured) -> str:
    bounds = figure.interval
    value = f"{bounds.value:.3f}"
    return value if not bounds.is_known else f"{value} ({bounds.low:.3f} to {bounds.high:.3f})"
