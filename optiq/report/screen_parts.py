"""The smaller parts of the paper screen: money, limits, feed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from optiq.report.money import grouped, profit, rupees
from optiq.report.screen_view import Health
from optiq.run.standing import Money, Standing
from optiq.trade.limits import Limits

METER = 10
TIGHT = 0.8
"""Of a limit; from there on it is yellow, and red when it is reached."""


def money_table(standing: Standing) -> Table:
    """Return the day's money: booked, open, and both."""
    table = Table.grid(padding=(0, 1), expand=True)
    for _ in range(4):
        table.add_column(no_wrap=True, justify="right", ratio=1)
    table.columns[0].justify, table.columns[0].ratio = "left", None
    table.add_row("", *(Text(word, "dim") for word in ("gross", "charges", "net")))
    parts: Sequence[tuple[str, Money]] = (
        ("booked", standing.closed),
        ("open", standing.still_open),
        ("day", standing.day),
    )
    for name, money in parts:
        net = profit(money.net)
        if name == "day":
            net.stylize("bold")
        table.add_row(name, rupees(money.gross, signed=True), rupees(-money.charges), net)
    return table


def limits_table(standing: Standing, limits: Limits) -> Table:
    """Return how much of each limit is used."""
    table = pairs()
    loss = max(-standing.loss_counted, 0.0)
    n_held = len(standing.held)
    table.add_row("open", meter(n_held, limits.max_open, f"{n_held} of {limits.max_open}"))
    accepted, most_trades = standing.accepted, limits.max_trades_per_day
    table.add_row("trades", meter(accepted, most_trades, f"{accepted} of {most_trades}"))
    if limits.max_daily_loss is None:
        table.add_row("loss", Text("no limit", "dim"))
    else:
        most = limits.max_daily_loss
        words = f"{grouped(round(loss))} of {grouped(round(most))}"
        used = most if standing.is_day_over else loss
        table.add_row("loss", meter(used, most, "day over" if standing.is_day_over else words))
    if limits.capital is None:
        table.add_row("capital", Text("no limit", "dim"))
    else:
        free, whole = standing.free_capital, limits.capital
        table.add_row("capital", meter(whole - free, whole, f"{grouped(round(free))} free"))
    return table


def meter(used: float, whole: float, words: str) -> Text:
    """Return a bar of what is used and the figures; yellow when little is left, red at the end."""
    share = min(max(used / whole, 0.0), 1.0) if whole else 1.0
    full = round(share * METER)
    style = "red" if share >= 1.0 else "yellow" if share >= TIGHT else "cyan"
    return Text.assemble(("━" * full, style), ("─" * (METER - full), "bright_black"), f" {words}")


def feed_table(health: Health, standing: Standing) -> Table:
    """Return the age of the last quote, the rows, and what went wrong."""
    table = pairs()
    table.add_row("quotes", _age(health))
    monitor = standing.rows - standing.chain_rows
    table.add_row("rows", f"{standing.chain_rows:,} chain, {monitor:,} between them")
    counts = ", ".join(f"{kind} {count}" for kind, count in health.faults.items())
    table.add_row("faults", Text(counts, "yellow") if counts else Text("none", "dim"))
    trouble = [*([health.last_fault] if health.last_fault else []), *health.troubles]
    table.add_row("", Text(trouble[-1] if trouble else "", "yellow"))
    return table


def _age(health: Health) -> Text:
    if math.isnan(health.age_s):
        return Text("none yet", "dim")
    words = f"{health.age_s:.0f} s old" if health.age_s < 120 else f"{health.age_s / 60:.0f} m old"
    if health.age_s >= health.stale_after:
        return Text(f"{words}, stale", "bold red")
    return Text(words, "yellow" if health.age_s >= health.stale_after / 2 else "green")


def refusals(standing: Standing, width: int) -> Text:
    """Return what refused how many orders today, most first."""
    if not standing.refused:
        return Text("no order was refused yet", "dim")
    counts = ", ".join(f"{name} {count}" for name, count in standing.refused.items())
    text = Text(f"refused {sum(standing.refused.values())}: {counts}", "dim")
    text.truncate(width, overflow="ellipsis")
    return text


def pairs(style: str = "dim") -> Table:
    """Return an empty table of names, in a style, and what is said of them."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True, style=style)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    return table
