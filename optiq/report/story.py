"""The demo's one screen: two markets, three strategies, and what the difference means."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from optiq.report.money import profit, rupees
from optiq.run.verdict import MIN_DAYS, Verdict

WORDS = {
    Verdict.NO_TRADES: "never found an entry",
    Verdict.TOO_FEW: f"under {MIN_DAYS} days: nothing can be said",
    Verdict.WINS: "wins, after every charge",
    Verdict.DIES: "right about the market, and dies of charges",
    Verdict.LOSES: "loses: spread and charges are certain, the edge is not",
    Verdict.NOISE: "noise: good days and bad days, no more",
}


def show_demo(screen: Console, story: dict[str, Any]) -> None:
    """Print the story of two simulated markets; see :mod:`optiq.run.demo` for its keys."""
    screen.print(
        f"[bold]Two simulated markets[/bold], {story['days']} sessions each, "
        f"{story['quotes']:,} quotes. In the first the index tends to go on as it went "
        "(a planted edge); in the second it does not. Same seed, same strategies, same charges."
    )
    table = Table(box=None, padding=(0, 1))
    for heading, justify in (
        ("market", "left"),
        ("strategy", "left"),
        ("trades", "right"),
        ("gross", "right"),
        ("charges", "right"),
        ("net", "right"),
        ("net a day, 95 %", "right"),
        ("verdict", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for market in story["markets"]:
        for place, line in enumerate(market["strategies"]):
            table.add_row(
                "" if place else market["name"],
                line["strategy"],
                f"{line['trades']:,}",
                profit(line["gross_pnl"]),
                rupees(-line["charges"]),
                profit(line["net_pnl"]),
                _interval(line["net_a_day_low"], line["net_a_day_high"]),
                WORDS[Verdict(line["verdict"])],
            )
    screen.print(table)
    screen.print(f"[dim]Markets, runs and the strategy to edit:[/dim] {story['folder']}")
    screen.print("\nWith your own recordings:")
    for command in story["next"]:
        screen.print(f"  [bold]{command}[/bold]")


def _interval(low: float, high: float) -> str:
    return "-" if low != low else f"{low:+,.0f} to {high:+,.0f}"
