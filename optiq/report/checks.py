"""What a check for looking ahead found, as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.report.money import grouped
from optiq.run.mismatch import HINT
from optiq.run.stored_check import StrategyCheck

_RESULTS = {
    "ok": ("ok", "green"),
    "silent": ("nothing to compare", "yellow"),
    "mismatch": ("contradicts itself", "red"),
}


def show_checks(screen: Console, checks: Sequence[StrategyCheck]) -> None:
    """Print one line a strategy, then each contradiction in full."""
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("strategy", "days", "cuts", "rows compared", "compared", "result"):
        number = heading not in ("strategy", "result")
        table.add_column(heading, justify="right" if number else "left")
    for check in checks:
        numbers = map(grouped, (check.days, check.cuts, check.rows, check.orders))
        table.add_row(check.strategy, *numbers, Text(*_RESULTS[check.verdict]))
    screen.print(table)
    for check in checks:
        if check.mismatch is not None:
            screen.print(Text(f"{check.mismatch.message} ({HINT})", "red"), soft_wrap=True)
