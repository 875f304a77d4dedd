"""A judged ledger as a person reads it: what it claims, what was true, and who says so."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.market.schema import RIGHT_NAMES
from optiq.report.money import profit, rupees
from optiq.report.tables import counted
from optiq.run.judged import NO_FILL, NO_RULE, Judged, Repriced, as_result

LONGEST = 12
"""Trades on the screen; the file has them all."""
MEANINGS = {
    "not_closed": "no exit is booked",
    "impossible_time": "no such time, or nothing trades then",
    "exit_before_entry": "it leaves before it enters",
    "utc_as_ist": "its times are UTC, shown as Indian time",
    "unknown_contract": "no such contract",
    "no_data": "its day is not in the store",
    "wrong_lot": "no whole number of that day's lots",
    "exit_equals_entry": "the exit is booked at the entry price, and the chain says otherwise",
    "price_off_chain": "not quoted within a minute of its moment",
    "charges_understated": "less than the charges of that date",
    "net_does_not_add_up": "gross, charges and net contradict each other",
}
REASONS = {
    **MEANINGS,
    NO_FILL: "no quote to fill on within walk.max_wait_s",
    NO_RULE: "no dated charges, or no quantity an order can have",
}


def reprice_result(result: Repriced) -> dict[str, Any]:
    """Return everything, ready for JSON: totals, faults counted, every trade, worst first."""
    unpriced = result.unpriced()
    return {
        "ledger": result.ledger.name,
        "clock": result.clock,
        "trades": len(result.trades),
        "priced": len(result.trades) - sum(unpriced.values()),
        "unpriced": unpriced,
        "faulty": sum(bool(trade.faults) for trade in result.trades),
        "faults": result.counts(),
        "totals": result.totals(),
        "judged": [as_result(trade) for trade in result.worst()],
    }


def show_reprice(screen: Console, result: Repriced) -> None:
    """Print the totals, the faults by kind, and the trades furthest from the truth."""
    summary = reprice_result(result)
    screen.print(_headline(summary), markup=False)
    screen.print(_totals(summary["totals"]))
    if summary["faults"]:
        screen.print(_faults(result))
    wrong = [t for t in result.worst() if t.faults or t.unpriced or t.flattered_by]
    if wrong:
        screen.print(_worst(wrong))
    for reason, count in summary["unpriced"].items():
        screen.print(f"[yellow]![/yellow] {count:,} not priced: {REASONS[reason]} [dim]({reason})")


def _headline(summary: dict[str, Any]) -> str:
    clock = {"IST": "Indian time", "UTC": "UTC"}[summary["clock"]]
    return (
        f"{summary['ledger']}: {counted(summary['trades'], 'trade')}, {summary['priced']:,} "
        f"priced, {summary['faulty']:,} with a fault; times without a zone are {clock}"
    )


def _totals(totals: dict[str, dict[str, float]]) -> Table:
    booked, true = totals["booked"], totals["true"]
    table = _table("priced trades", ">as booked", ">in truth", ">the ledger flatters by")
    for name, key, sign in (("gross", "gross_pnl", 1), ("charges", "charges", -1)):
        amounts = sign * booked[key], sign * true[key]
        table.add_row(name, *map(rupees, amounts), rupees(amounts[0] - amounts[1], signed=True))
    amounts = booked["net_pnl"], true["net_pnl"]
    table.add_row("net", *map(profit, amounts), rupees(amounts[0] - amounts[1], signed=True))
    table.add_row("winners", f"{booked['wins']:,}", f"{true['wins']:,}")
    return table


def _faults(result: Repriced) -> Table:
    table = _table("fault", ">trades", "what it means", "for example")
    table.columns[0].no_wrap = True
    for name, count in result.counts().items():
        trade, evidence = next(
            (trade.booked.trade_id, fault.evidence)
            for trade in result.worst()
            for fault in trade.faults
            if fault.name == name
        )
        table.add_row(name, f"{count:,}", MEANINGS[name], Text(f"{trade}: {evidence}", "dim"))
    return table


def _worst(trades: list[Judged]) -> Table:
    title = "The trades furthest from the truth"
    if len(trades) > LONGEST:
        title += f", {LONGEST} of {len(trades):,}; --out writes all"
    table = _table("trade", "contract", ">booked net", ">true net", "faults", title=title)
    for trade in trades[:LONGEST]:
        table.add_row(
            Text(trade.booked.trade_id),
            Text(_short_contract(trade)),
            profit(trade.booked_net),
            profit(trade.net_pnl),
            Text(_flags(trade)),
        )
    return table


def _short_contract(trade: Judged) -> str:
    contract = trade.booked.contract
    if contract is None:
        return trade.booked.underlying
    expiry = f"{contract.expiry.astype('datetime64[D]').item():%d%b%y}".upper()
    return f"{contract.underlying} {expiry} {contract.strike:g}{RIGHT_NAMES[contract.right]}"


def _flags(trade: Judged) -> str:
    names = [fault.name for fault in trade.faults]
    return "\n".join(names if trade.unpriced in ("", *names) else [*names, trade.unpriced])


def _table(*headings: str, title: str = "") -> Table:
    table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for heading in headings:
        number = heading.startswith(">")
        table.add_column(heading.removeprefix(">"), justify="right" if number else "left")
        table.columns[-1].no_wrap = number
    return table
