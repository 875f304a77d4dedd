"""A judged ledger as a person reads it: totals, faults with an example each, the worst trades."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from optiq.report.money import grouped, profit, rupees
from optiq.report.tables import counted

WORST = 8
"""Trades shown; --out writes all."""

_CLOCKS = {
    "IST": "in Indian time",
    "UTC": "in UTC",
    "zoned": "with a zone",
    "mixed": "in Indian time and UTC",
    "unknown": "in Indian time or UTC",
}


def show_judged(screen: Console, result: dict[str, Any], out: str = "") -> None:
    """Print what :func:`optiq.run.judged_ledger.result_of` returns."""
    screen.print(_headline(result), soft_wrap=True)
    if result["priced"]:
        screen.print(_totals(result))
    screen.print(_faults(result) if result["flags"] else "\nno fault found\n")
    rows = [row for row in result["judged"] if row["faults"] or row["difference"]][:WORST]
    if rows:
        for line in _worst(rows):
            screen.print(line)
        if (others := result["trades"] - len(rows)) > 0:
            hint = f"all are in {out}" if out else "--out FILE.csv writes all"
            screen.print(Text(f"and {counted(others, 'other trade')}; {hint}", style="dim"))
    for note in result["notes"]:
        line = Text("! ", style="yellow").append(note, style="default")
        screen.print(line, soft_wrap=True)


def _headline(result: dict[str, Any]) -> Text:
    unpriced = result["trades"] - result["priced"]
    booked = f"{counted(result['trades'], 'trade')}, booked {_CLOCKS[result['clock']]}"
    priced = f"{result['priced']:,} priced on {counted(result['days_read'], 'stored day')}"
    rest = f"{unpriced:,} not; {result['clean']:,} without a fault"
    return Text(result["ledger"], style="bold").append(f": {booked}; {priced}, {rest}", "default")


def _totals(result: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.add_column(f"rupees, {counted(result['priced'], 'priced trade')}")
    for heading in ("gross", "charges", "net"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, label in (("booked", "as booked"), ("true", "as the chain would have filled")):
        money = result[name]
        table.add_row(
            label, profit(money["gross_pnl"]), rupees(-money["charges"]), profit(money["net_pnl"])
        )
    table.add_section()
    table.add_row("booked above the truth", "", "", profit(result["difference"]))
    return table


def _faults(result: dict[str, Any]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("fault", no_wrap=True)
    table.add_column("trades", justify="right", no_wrap=True)
    table.add_column("for example")
    for flag, count in result["flags"].items():
        trade_id, evidence = _example(result["judged"], flag)
        table.add_row(flag, grouped(count), Text(f"{trade_id}: ", style="dim").append(evidence, ""))
    return table


def _example(rows: list[dict[str, Any]], flag: str) -> tuple[str, str]:
    """Return the worst trade with a fault: its id and the evidence."""
    return next(
        (row["trade_id"], fault["evidence"])
        for row in rows
        for fault in row["faults"]
        if fault["flag"] == flag
    )


def _worst(rows: list[dict[str, Any]]) -> Iterator[RenderableType]:
    """Yield a line a trade, in columns, and under it what is wrong with it."""
    heads = ("worst trades", "contract", "India", "booked", "true", "above")
    cells = [
        (
            row["trade_id"],
            _contract(row),
            _span(row["entry_ist"], row["exit_ist"]),
            rupees(row["booked_net_pnl"]),
            rupees(row["true_net_pnl"]),
            rupees(row["difference"], signed=True),
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    yield Text(_in_columns(heads, widths), style="bold")
    for row, line in zip(rows, cells, strict=True):
        yield Text(_in_columns(line, widths))
        for fault in row["faults"]:
            told = Text(f"{fault['flag']}: ", style="yellow").append(fault["evidence"], "dim")
            yield Padding(told, (0, 0, 0, 4))


def _in_columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    words, money = cells[:3], cells[3:]
    left = [word.ljust(width) for word, width in zip(words, widths, strict=False)]
    right = [amount.rjust(width) for amount, width in zip(money, widths[3:], strict=True)]
    return "  ".join((*left, *right))


def _contract(row: dict[str, Any]) -> str:
    if row["expiry"] is None:
        return str(row["underlying"])
    strike = "" if math.isnan(row["strike"]) else f"{row['strike']:g}"
    return f"{row['underlying']} {strike} {row['right']} {row['expiry']:%d %b}"


def _span(entry: dt.datetime | None, leave: dt.datetime | None) -> str:
    if entry is None:
        return "?" if leave is None else f"? to {leave:%d %b %H:%M}"
    if leave is None:
        return f"{entry:%d %b %H:%M} to ?"
    end = f"{leave:%H:%M}" if leave.date() == entry.date() else f"{leave:%d %b %H:%M}"
    return f"{entry:%d %b %H:%M}-{end}"
