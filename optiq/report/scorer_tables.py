"""What a trained scorer is worth, in a terminal: figures beside baselines, then two tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from optiq.learn.measured import Measured
from optiq.report.measured_table import evidences, measured_table
from optiq.report.money import grouped, rupees


def show_scorer(
    screen: Console,
    card: Mapping[str, Any],
    figures: Sequence[Measured],
    baselines: Mapping[str, Sequence[Measured]],
) -> None:
    """Print a scorer's figures and what they rest on, then scores against what came of them."""
    rows, sessions = card["rows"], card["sessions"]
    days = f"{sessions['n']} sessions {sessions['first']} to {sessions['last']}"
    if sessions["n"] == 1:
        days = f"1 session, {sessions['last']}"
    screen.print(
        f"{', '.join(card['underlyings'])}, {days}: learnt from {grouped(rows['train'])} "
        f"purchases, calibrated on {grouped(rows['calibrate'])}, {card['fit']['trees']} trees.",
        soft_wrap=True,
    )
    screen.print(f"A purchase pays if: {card['label']}.", soft_wrap=True)
    screen.print(measured_table("", {"the scorer": figures, **baselines}))
    for sentence in evidences([*figures, *(f for b in baselines.values() for f in b)]):
        screen.print(sentence, style="dim", soft_wrap=True)
    screen.print(f"Champion: {card['champion']}.")
    screen.print(_by_score(card["tables"]))


def _by_score(tables: Mapping[str, Any]) -> Table:
    table = Table(title="By score, out of sample", box=SIMPLE_HEAD, title_justify="left")
    for heading in ("tenth", "said", "came", "95 %", "net a trade", "95 %", "rows"):
        table.add_column(heading, justify="right")
    for said, paid in zip(tables["reliability"]["rows"], tables["deciles"]["rows"], strict=True):
        table.add_row(
            str(paid["decile"]),
            f"{said['predicted']:.3f}",
            f"{said['observed']:.3f}",
            _bounds(said, "{:.3f}".format),
            rupees(paid["net"]),
            _bounds(paid, rupees),
            grouped(said["rows"]),
        )
    return table


def _bounds(row: Mapping[str, Any], form: Any) -> str:
    if row["low"] is None:
        return "-"
    return f"{form(row['low'])} to {form(row['high'])}"
