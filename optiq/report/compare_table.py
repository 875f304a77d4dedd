"""Strategies side by side in a terminal: results, costs, and a word on each."""

from __future__ import annotations

import math
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.report.money import grouped
from optiq.report.story import COLOURS, WORDS
from optiq.report.tables import counted
from optiq.run.recorded import TOGETHER
from optiq.run.verdict import CONFIDENCE, Verdict
from optiq.trade.charges import LINES

SHORT = {"exchange_txn": "exchange", "stt": "STT", "ipft": "IPFT", "sebi": "SEBI", "gst": "GST"}


def show_comparison(screen: Console, result: dict[str, Any]) -> None:
    """Print a comparison; see :mod:`optiq.run.compare` for its keys."""
    lines = [*result["strategies"], *filter(None, [result[TOGETHER]])]
    screen.print(
        f"[bold]{', '.join(line['strategy'] for line in result['strategies'])}[/bold] "
        f"on {result['underlying']}, "
        f"{result['from']} to {result['to']}, {counted(result['days'], 'day')}: each alone"
        f"{', then all in one book' if result[TOGETHER] else ''}. Rupees."
    )
    screen.print(_results(lines))
    screen.print(
        "[bold]Where the edge goes[/bold]: edge at the middle - half spreads - charges = net"
    )
    screen.print(_frontier(lines))
    screen.print("[bold]Charges by line[/bold]")
    screen.print(_charges(lines))
    for line in lines:
        screen.print(_in_words(line))
    for caution in cautions(result, lines):
        screen.print(f"[yellow]![/yellow] {caution}")
    screen.print(f"[dim]Written to[/dim] {result['compare']}", soft_wrap=True)


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _results(lines: list[dict[str, Any]]) -> Table:
    table = _table(
        "trades", "win", "net", "a\ntrade", "draw-\ndown", "charges", "time\nopen", "worst\nday"
    )
    for line in lines:
        table.add_row(
            _name(line),
            f"{line['trades']:,}",
            _percent(line["win_rate"]),
            _signed(line["net_pnl"]),
            _whole(line["net_per_trade"]),
            _whole(line["max_drawdown"]),
            _whole(line["charges"]),
            _percent(line["exposure"]),
            _whole(line["worst_day_net"]),
        )
    return table


def _frontier(lines: list[dict[str, Any]]) -> Table:
    table = _table("edge", "half\nspreads", "charges", "net", "ticks\nto zero")
    for line in lines:
        costs, ticks = line["frontier"], line["frontier"]["slippage_ticks_to_zero"]
        table.add_row(
            _name(line),
            _whole(costs["edge"]),
            _whole(-costs["half_spread"]),
            _whole(-costs["charges"]),
            _signed(costs["net"]),
            "-" if math.isnan(ticks) else f"{ticks:+.2f}",
        )
    return table


def _charges(lines: list[dict[str, Any]]) -> Table:
    table = _table(*(SHORT.get(name, name) for name in LINES), "all")
    for line in lines:
        costs = line["frontier"]
        table.add_row(_name(line), *(_whole(costs[name]) for name in (*LINES, "charges")))
    return table


def _in_words(line: dict[str, Any]) -> str:
    words = f"[bold]{line['strategy']}[/bold] {WORDS[Verdict(line['verdict'])]}"
    low, high = line["net_a_day_low"], line["net_a_day_high"]
    if math.isnan(low) or not line["trades"]:
        return f"{words}."
    return f"{words} (net a day, {100 * CONFIDENCE:.0f}\u00a0%: {_whole(low)} to {_whole(high)})."


def cautions(result: dict[str, Any], lines: list[dict[str, Any]]) -> list[str]:
    """Return what a reader of the tables should know first, one line each."""
    told = [
        "Ticks to zero: how much worse every fill could be before the net is nothing; negative: "
        "how much better it would have to be. Linear, a tick is 0.05, charges as they are."
    ]
    judged = sum(not math.isnan(line["net_a_day_low"]) for line in result["strategies"])
    if judged > 1:
        luck = 1 - (0.5 + CONFIDENCE / 2) ** judged
        told.append(
            f"Each was judged by itself: of {judged} rules without an edge, one or more would "
            f'"win" by luck {luck:.0%} of the time, if they were independent.'
        )
    blind = sum(line["frontier"]["fills_without_middle"] for line in lines)
    if blind:
        told.append(
            f"{counted(blind, 'fill')} had no middle (stale exits, legs given up at 0.00) and "
            "count as made at it: what they lost stands in the edge."
        )
    notes = dict.fromkeys(note for line in lines for note in line["notes"])
    return [*told, *notes]


def _name(line: dict[str, Any]) -> Text:
    return Text(line["strategy"], style=COLOURS.get(Verdict(line["verdict"]), ""))


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0%}"


def _whole(rupees: float) -> str:
    return "-" if math.isnan(rupees) else grouped(round(rupees))


def _signed(rupees: float) -> Text:
    return Text(_whole(rupees), style="green" if rupees > 0 else "red" if rupees < 0 else "")
