"""One trade on one screen: why it was made, what filled it, how it went, what it cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.market.calendar import time_of_day
from optiq.report.money import profit, rupees
from optiq.report.tables import about_models
from optiq.trade.charges import LINES

FIRST, LAST = 2, 3
"""Rows shown of the beginning and the end of a stretch; the best and the worst between them too."""


def show_trade(screen: Console, story: dict[str, Any], every_row: bool = False) -> None:
    """Print a trade; see :mod:`optiq.run.explain` for its keys."""
    screen.print(f"[bold]{story['trade']}[/bold]  {story['strategy']}, {story['date']}")
    for leg in story["legs"]:
        screen.print(f"  {leg_words(story, leg)}")
    screen.print(_moments(story))
    for line in about_models(story):
        screen.print(f"[yellow]![/yellow] {line}")
    screen.print(f"[dim]leaves at[/dim]  {rule_words(story['rule'])}")
    screen.print(_rows(story, every_row))
    screen.print(_bills(story))
    screen.print(_money(story))
    screen.print(_alone("On its deciding quotes, alone", story["at_deciding_quotes"]))


def show_refusal(screen: Console, story: dict[str, Any]) -> None:
    """Print an order that was not filled; see :mod:`optiq.run.refusal` for its keys."""
    screen.print(f"[bold]{story['order']}[/bold]  {story['date']}, not filled: {story['status']}")
    for leg in story["legs"]:
        screen.print(f"  {leg_words(story, leg, 'buy', 'sell')}")
    table, decision = _three_columns(), story["decision"]
    table.add_row("decided", time_of_day(decision["ts"]), decision_words(decision))
    for row in story["tried"]:
        table.add_row("tried", time_of_day(row["ts"]), "\n".join(map(_quote, row["quotes"])))
    table.add_row("refused", "", story["why"])
    for other in story["held"]:
        what = other["trade"] or "an order that was not filled"
        table.add_row("held", "", f"{what}, {other['strategy']}, of row {other['decided_row']}")
    screen.print(table)
    for line in about_models(story):
        screen.print(f"[yellow]![/yellow] {line}")
    screen.print(f"[dim]leaves at[/dim]  {rule_words(story['rule'])}")
    screen.print(_alone("Alone, without limits", story["alone"]))


def leg_words(
    story: dict[str, Any], leg: dict[str, Any], bought: str = "bought", sold: str = "sold"
) -> str:
    """Return one leg as a desk says it.

    >>> leg_words({"underlying": "NIFTY", "lots": 2}, {"side": 1, "ratio": 1, "quantity": 150,
    ...     "strike": 24500.0, "right": "CE", "expiry": "2025-09-02"})
    'bought 150 (2 x 75) NIFTY 24500 CE of 2025-09-02'
    """
    lots = story["lots"] * leg["ratio"]
    each = leg["quantity"] // lots
    verb = bought if leg["side"] > 0 else sold
    contract = f"{story['underlying']} {leg['strike']:g} {leg['right']} of {leg['expiry']}"
    return f"{verb} {leg['quantity']:,} ({lots:,} x {each}) {contract}"


def rule_words(rule: dict[str, float]) -> str:
    """Return an exit rule in words.

    >>> off = float("nan")
    >>> rule_words({"target": 0.15, "stop": 0.1, "trail_after": off, "trail": off,
    ...     "max_hold_minutes": 60.0})
    'target +15 %, stop -10 %, 60 minutes'
    """
    words = []
    for name, text in (
        ("target", "target +{:g} %"),
        ("stop", "stop -{:g} %"),
        ("trail", "trail {:g} %"),
        ("trail_after", "after +{:g} %"),
    ):
        if not math.isnan(rule[name]):
            words.append(text.format(round(100 * rule[name], 4)))
    if not math.isnan(rule["max_hold_minutes"]):
        words.append(f"{rule['max_hold_minutes']:g} minutes")
    return ", ".join(words) or "the close"


def _three_columns() -> Table:
    table = Table(show_header=False, box=None, padding=(0, 1), pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _moments(story: dict[str, Any]) -> Table:
    table, decision = _three_columns(), story["decision"]
    table.add_row("decided", time_of_day(decision["ts"]), decision_words(decision))
    entry, leave = story["entry"], story["exit"]
    late = (decision["known"] - decision["ts"]) / np.timedelta64(1, "s")
    waited = f"the quote of row {entry['row']}, {entry['latency_s']:g} s later"
    if late:
        waited += f" (the deciding one came {late:g} s late)"
    table.add_row("entered", time_of_day(entry["ts"]), "\n".join([waited, *_filled(entry)]))
    why = f"to leave: {leave['reason']}, row {leave['decided_row']}"
    table.add_row("decided", time_of_day(leave["decided_ts"]), why)
    waited = f"the quote of row {leave['row']}, {leave['latency_s']:g} s later"
    if leave["stale"]:
        waited = "stale: no quote filled it before the day ended"
    table.add_row("left", time_of_day(leave["ts"]), "\n".join([waited, *_filled(leave)]))
    return table


def decision_words(decision: dict[str, Any]) -> str:
    """Return what was seen on a deciding row: a line for the market and one a leg."""
    rank = "strength" if math.isnan(decision["score"]) else "score"
    market = (
        f"row {decision['row']}, spot {decision['spot']:.2f}, "
        f"forward {decision['forward']:.2f}, {rank} {decision['rank']:.1f}"
    )
    return "\n".join([market, *map(_quote, decision["quotes"])])


def _quote(quote: dict[str, Any]) -> str:
    return "  ".join(f"{name} {_price(quote[name])}" for name in ("ltp", "bid", "ask"))


def _filled(fill: dict[str, Any]) -> list[str]:
    columns = ("quotes", "prices", "decided_prices", "half_spreads")
    lines = []
    for quote, price, decided, lost in zip(*(fill[name] for name in columns), strict=True):
        words = f"{_quote(quote)} -> [bold]{price:.2f}[/bold]"
        if not math.isnan(lost):
            words += f", half spread {lost:.3f}"
        if not math.isnan(decided) and decided != price:
            words += f" ({decided:.2f} on deciding)"
        lines.append(words)
    return lines


def _price(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def shown(rows: list[dict[str, Any]]) -> list[int]:
    """Return which rows to show: both ends, the best and the worst, and the decision to leave."""
    gains = [row["gain"] for row in rows]
    ends = [*range(FIRST), *range(len(rows) - LAST, len(rows))]
    decided = [n for n, row in enumerate(rows) if row["reason"]]
    turning = [int(np.argmax(gains)), int(np.argmin(gains))] if rows else []
    return sorted({n for n in (*ends, *decided, *turning) if 0 <= n < len(rows)})


def _rows(story: dict[str, Any], every_row: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("time")
    for heading in ("mark", "gain", "peak", "to stop", "to target"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    rows = story["rows"]
    chosen = list(range(len(rows))) if every_row else shown(rows)
    before = -1
    for n in chosen:
        if n - before == 2:  # a line that says one row is left out is as long as the row
            table.add_row(*_row(rows[n - 1]))
        elif n - before > 2:
            table.add_row(*_folded(rows[before + 1 : n]), style="dim")
        table.add_row(*_row(rows[n]))
        before = n
    return table


def _row(row: dict[str, Any]) -> list[str | Text]:
    note = row["reason"] or ("" if row["can_close"] else "no fresh price")
    marks = "/".join(map(_price, row["marks"]))
    numbers = (_share(row[name]) for name in ("gain", "peak", "to_stop", "to_target"))
    return [
        time_of_day(row["ts"]),
        marks,
        *numbers,
        Text(note, style="bold" if row["reason"] else "dim"),
    ]


def _folded(rows: list[dict[str, Any]]) -> list[str]:
    gains = [row["gain"] for row in rows]
    between = f"{_share(min(gains))} to {_share(max(gains))}"
    return [f"{len(rows)} rows", between, "", "", "", "", ""]


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:+.2f}%"


def _bills(story: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("charges")
    names = {"brokerage": "broker", "exchange_txn": "exch.", "total": "all"}
    for name in (*LINES, "total"):
        table.add_column(names.get(name, name), justify="right", no_wrap=True)
    for bill in story["bills"]:
        times = f"{bill['orders']} x " if bill["orders"] > 1 else ""
        verb = "buy" if bill["side"] > 0 else "sell"
        table.add_row(
            f"{times}{verb} {bill['units']:,} at {bill['price']:.2f}",
            *(f"{bill[name]:.2f}" for name in (*LINES, "total")),
        )
    return table


def _money(story: dict[str, Any]) -> Text:
    return Text.assemble(
        "gross ", profit(story["gross_pnl"]),
        "   charges ", rupees(-story["charges"]),
        "   net ", profit(story["net_pnl"]),
    )  # fmt: skip


def _alone(how: str, alone: dict[str, Any]) -> Text:
    if alone["status"] != "filled":
        return Text(f"{how}: not filled, {alone['status']}.", style="dim")
    prices = ", ".join(
        f"{entry:.2f} to {leave:.2f}"
        for entry, leave in zip(alone["entry_prices"], alone["exit_prices"], strict=True)
    )
    told = Text.assemble(
        f"{how}: {prices}, {alone['reason']}, left {time_of_day(alone['exit_ts'])}, net ",
        profit(alone["net_pnl"]),
    )
    if not math.isnan(alone["difference"]):
        told.append_text(Text.assemble("; waiting made ", profit(alone["difference"])))
    return told
