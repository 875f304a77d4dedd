"""What moved on a day, as a person reads it in a terminal."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from optiq.learn.drift.days import Drift

ORDINARY = 0.002
"""How often an ordinary simulated day alarmed, feature by feature, itself or the last sessions.

Against 60 training sessions; against more, less often (docs/studies, drift).
"""


def show_drift(screen: Console, found: Drift, underlying: str) -> None:
    """Print what moved, farthest first, or that nothing did; and what it was compared with."""
    trained = f"{len(found.trained)} sessions, {found.trained[0]} to {found.trained[-1]}"
    screen.print(f"[bold]{underlying} {found.date}[/bold] against {trained}")
    screen.print(_scores(found), soft_wrap=True)
    alarms, many = found.alarms, len(found.everything)
    if not alarms:
        screen.print(f"[green]Nothing moved[/green] among {many} features, levels and scores.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("what", "left"), ("the day", "left"), ("lately", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("median now", "usually", "x threshold"):
        table.add_column(name, justify="right")
    for moved in alarms:
        table.add_row(
            moved.feature,
            f"[yellow]{moved.part}[/yellow]" if moved.is_alarm else "ordinary",
            f"[yellow]{moved.lately}[/yellow]" if moved.is_trend else "ordinary",
            _number(moved.now),
            _number(moved.usual),
            f"{moved.excess:.1f}",
        )
    screen.print(table)
    screen.print(
        f"[dim]Of {many} compared, an ordinary day moves about {many * ORDINARY:.1f} by chance; "
        f"lately: the last {len(found.recent)} sessions together; given the others: than the "
        "other features of the same sessions make likely.[/dim]"
    )


def _scores(found: Drift) -> str:
    """Say what the scores were compared with, or why they were not."""
    told = found.scores
    if told is None:
        return "[dim]Scores: no scorer of this index serves.[/dim]"
    if told.moved is None:
        return f"[dim]Scores of scorer {told.version}: not compared, {told.why}[/dim]"
    unseen = f"{told.unseen[0]} to {told.unseen[-1]}"
    return (
        f"Scores of scorer {told.version} against the {len(told.unseen)} sessions {unseen}, "
        "the first that it had not seen"
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4g}"
