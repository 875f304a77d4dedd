"""A run as a person reads it in a terminal."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from optiq.report.money import profit, rupees

CHARGE_NAMES = {
    "brokerage": "brokerage",
    "stt": "securities transaction tax",
    "exchange_txn": "exchange transaction",
    "ipft": "investor protection fund",
    "sebi": "SEBI fee",
    "stamp": "stamp duty",
    "gst": "GST",
}


def show_run(screen: Console, summary: dict[str, Any]) -> None:
    """Print the summary of a backtest: money, exits, refusals, and what to distrust."""
    screen.print(_headline(summary))
    screen.print(_money(summary))
    screen.print(_exits_and_refusals(summary))
    for warning in warnings(summary):
        screen.print(f"[yellow]![/yellow] {warning}")
    screen.print(f"[dim]Written to[/dim] {summary['run']}")


def _headline(summary: dict[str, Any]) -> str:
    names = ", ".join(summary["strategies"])
    span = summary["from"]
    if summary["to"] != summary["from"]:
        span += f" to {summary['to']}"
    took = f" in {summary['elapsed_s']:.2f} s" if summary["elapsed_s"] else ""
    return (
        f"[bold]{names}[/bold] on {summary['underlying']}, {span}: "
        f"{counted(summary['days'], 'day')}, {counted(summary['rows'], 'row')}, "
        f"{counted(summary['quotes'], 'quote')}{took}"
    )


def _money(summary: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_column(justify="right")
    left: list[tuple[str, str | Text]] = [
        ("trades", f"{summary['trades']:,}"),
        ("win rate (net)", _percent(summary["win_rate"])),
        ("profit factor", _ratio(summary["profit_factor"])),
        ("deepest drawdown", rupees(summary["max_drawdown"])),
        ("gross", profit(summary["gross_pnl"])),
        ("charges", rupees(-summary["charges"])),
        ("net", profit(summary["net_pnl"])),
        ("net if filled at once", profit(summary["net_pnl_if_latency_0"])),
    ]
    right = [(CHARGE_NAMES[k], rupees(v)) for k, v in summary["charge_lines"].items()]
    right += [("", "")] * (len(left) - len(right))
    for (name, value), (line, amount) in zip(left, right, strict=True):
        table.add_row(name, value, line, amount)
    return table


def _exits_and_refusals(summary: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    if summary.get("policy"):
        table.add_row("chosen by", _choosers(summary))
        table.add_row("choices", _counts(summary["choices"]))
    table.add_row("exits", _counts(summary["exits"]))
    table.add_row("orders", f"{summary['orders']:,} asked for")
    table.add_row("expired unfilled", f"{summary['expired']:,}")
    table.add_row("refused", f"{summary['refused']:,}  {_counts(summary['refused_by'])}")
    table.add_row("stale exits", f"{summary['stale_exits']:,}")
    table.add_row(
        "entry = exit price",
        f"{summary['equal_price_trades']:,}"
        f" ({summary['equal_price_quoted_again']:,} quoted again at the same price, "
        f"{summary['equal_price_without_quote']:,} with no quote since entry)",
    )
    table.add_row("reverting jumps > 8 %", f"{summary['reverting_jumps']:,} in the last prices")
    return table


def _choosers(summary: dict[str, Any]) -> str:
    """Return who chose on how many sessions, and the seed of what was drawn."""
    told, seeded = summary.get("chosen_by"), f", seed {summary['seed']}"
    if told is None:
        return f"{summary['policy']}{seeded}"
    served = [f"policy/{v} on {counted(n, 'session')}" for v, n in told["versions"].items()]
    drawn = [f"random on {counted(told['random'], 'session')}{seeded}"] if told["random"] else []
    return f"{summary['policy']}: {', '.join([*served, *drawn])}"


def warnings(summary: dict[str, Any]) -> list[str]:
    """Return what a reader of the figures should know first, one line each."""
    lines = list(summary["notes"])
    if summary["filled_on_deciding_quote"]:
        lines.insert(0, "filled on the deciding quote: latency_s = 0 cannot be had in a market")
    return [*about_models(summary), *lines]


def about_models(told: dict[str, Any]) -> list[str]:
    """Return what must be known of the scores and the choices of a run."""
    return [*about_scorer(told.get("scorer")), *about_policy(told.get("chosen_by"))]


def about_scorer(scorer: dict[str, Any] | None) -> list[str]:
    """Return what must be known of the scores of a run; nothing without a scorer."""
    if scorer is None:
        return []
    lines, name = [], scorer["name"]
    if scorer["standing"] == "in-sample":
        lines.append(f"IN-SAMPLE: scorer {name} has learnt from these sessions; no evidence")
    if scorer["standing"] == "provisional":
        lines.append(f"scores by scorer {name}, provisional: it was not the champion then")
    if scorer["unscored"]:
        lines.append(f"no scorer was in force on {counted(scorer['unscored'], 'session')}")
    return lines


def about_policy(policy: dict[str, Any] | None) -> list[str]:
    """Return what must be known of the choices of a run; nothing without a learnt policy."""
    if policy is None:
        return []
    lines, name = [], policy["name"]
    if policy["standing"] == "in-sample":
        lines.append(f"IN-SAMPLE: policy {name} has learnt from these sessions; no evidence")
    if policy["standing"] == "provisional":
        lines.append(f"choices by policy {name}, provisional: it was not the champion then")
    if policy["random"]:
        sessions = counted(policy["random"], "session")
        lines.append(f"no policy was in force on {sessions}: the choice was random")
    if policy["other_rules"]:
        versions = ", ".join(policy["other_rules"])
        what = "settings of the walk, the charges or the strategies"
        lines.append(f"policy {versions} learnt under other {what} than these")
    return lines


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, plural where it is not one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _counts(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return "  ".join(f"{name} {count:,}" for name, count in ordered) or "none"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1%}"


def _ratio(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def show_bands(screen: Console, result: dict[str, Any]) -> None:
    """Print what a tighter band keeps, loses and saves."""
    table = Table(box=None, padding=(0, 2))
    for heading in ("band", "signals", "quotes scanned"):
        table.add_column(heading, justify="right")
    for band in ("wide", "tight"):
        signals = result["signals_wide"] if band == "wide" else result["signals_kept"]
        table.add_row(
            f"{result[band]:.1%}", f"{signals:,}", f"{result[f'quotes_scanned_{band}']:,}"
        )
    screen.print(table)
    saved = result["quotes_saved"] / max(1, result["quotes_scanned_wide"])
    screen.print(
        f"{result['strategy']} on {result['days']} days of {result['underlying']}: "
        f"the tighter band loses {result['signals_lost']:,} signals "
        f"and saves {saved:.1%} of the scanning."
    )
