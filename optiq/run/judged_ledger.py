"""A judged ledger as rows and totals: what the command prints, returns and writes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from optiq.errors import AccessError, CannotCreateError, InputError
from optiq.market.day_view import ist
from optiq.market.durable import durable_write
from optiq.market.schema import RIGHT_NAMES
from optiq.run.ledger_case import Flag, booked_gross
from optiq.run.old_ledger import BookedTrade
from optiq.run.reprice import Judged, JudgedTrade

_MONEY = ("gross_pnl", "charges", "net_pnl")


def result_of(judged: Judged) -> dict[str, Any]:
    """Return totals, counts by flag and every trade, worst first, JSON-ready but for times.

    ``booked`` and ``true`` are sums over the trades that could be priced; ``charges`` over those
    whose charges at their booked prices are known.
    """
    rows = worst_first([row_of(trade) for trade in judged.trades])
    priced = [row for row in rows if row["priced"]]
    flags = Counter(flag for trade in judged.trades for flag in trade.flags)
    booked, true = (_sums(priced, prefix) for prefix in ("booked", "true"))
    known = [row for row in rows if not math.isnan(row["charges_due"])]
    return {
        "ledger": judged.ledger.name,
        "clock": judged.clock.word,
        "trades": len(rows),
        "clean": sum(not row["faults"] for row in rows),
        "priced": len(priced),
        "not_priced": dict(Counter(row["unpriced"] for row in rows if not row["priced"])),
        "flags": {flag.value: flags[flag] for flag in Flag if flags[flag]},
        "booked": booked,
        "true": true,
        "difference": _sum(priced, "difference"),
        "charges": {
            "trades": len(known),
            "booked": _sum(known, "booked_charges"),
            "due": _sum(known, "charges_due"),
        },
        "days_read": len(judged.days_read),
        "days_missing": [f"{name} {day}" for name, day in judged.days_missing],
        "notes": notes(judged),
        "judged": rows,
    }


def row_of(judged: JudgedTrade) -> dict[str, Any]:
    """Return one trade as booked, as it would have been, and what is wrong with it.

    Rupees, NaN where unknown; times are Indian, None where unreadable. ``difference`` is what the
    ledger books above the truth.
    """
    case, true = judged.case, judged.true
    trade, option = case.trade, case.trade.contract
    return {
        "line": trade.number,
        "trade_id": trade.trade_id,
        "strategy": trade.strategy,
        "underlying": option.underlying if option else trade.symbol,
        "expiry": option.expiry.item() if option else None,
        "strike": option.strike if option else math.nan,
        "right": RIGHT_NAMES[option.right] if option else None,
        "side": trade.side,
        "quantity": trade.quantity,
        "clock": case.reading.clock,
        "entry_ist": _ist(case.reading.entry),
        "exit_ist": _ist(case.reading.exit),
        "booked_entry_price": trade.entry_price,
        "booked_exit_price": trade.exit_price,
        **booked_money(trade),
        "charges_due": sum(case.due) / 100 if case.due else math.nan,
        "priced": true is not None,
        "unpriced": judged.unpriced,
        "true_entry_ist": _ist(true.entry_ts) if true else None,
        "true_exit_ist": _ist(true.exit_ts) if true else None,
        "true_entry_price": true.entry_paise / 100 if true else math.nan,
        "true_exit_price": true.exit_paise / 100 if true else math.nan,
        "true_gross_pnl": true.gross_paise / 100 if true else math.nan,
        "true_charges": true.charges_paise / 100 if true else math.nan,
        "true_net_pnl": true.net_paise / 100 if true else math.nan,
        "difference": _difference(trade, judged),
        "faults": [fault._asdict() for fault in judged.faults],
    }


def booked_money(trade: BookedTrade) -> dict[str, float]:
    """Return what a ledger books; where it is silent, what its own prices make."""
    gross = booked_gross(trade) if math.isnan(trade.gross_pnl) else trade.gross_pnl
    charged = 0.0 if math.isnan(trade.charges) else trade.charges
    net = gross - charged if math.isnan(trade.net_pnl) else trade.net_pnl
    money = zip(_MONEY, (gross, trade.charges, net), strict=True)
    return {f"booked_{name}": round(amount, 2) for name, amount in money}


def worst_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows by how much they book above the truth, then by how many faults they have."""

    def badness(row: dict[str, Any]) -> tuple[bool, float, int, int]:
        unknown = math.isnan(row["difference"])
        above = 0.0 if unknown else -row["difference"]
        return (unknown, above, -len(row["faults"]), row["line"])

    return sorted(rows, key=badness)


def notes(judged: Judged) -> list[str]:
    """Return what a reader of the figures should know first."""
    clock, told = judged.clock, []
    if clock.word == "mixed":
        told.append(
            f"{clock.only_ist} times fit the session as Indian time only, {clock.only_utc} as UTC "
            "only: each trade is read as it fits; --tz settles it"
        )
    if untold := sum(not trade.case.clock_is_told for trade in judged.trades):
        told.append(
            f"{untold} trades may be in Indian time or UTC: read as Indian time; --tz settles it"
        )
    if not judged.ledger.has_charges:
        told.append("the ledger has no column of charges: those it booked are not judged")
    if torn := judged.ledger.torn:
        more = f" and {len(torn) - 1} other lines" if len(torn) > 1 else ""
        told.append(f"left out: line {torn[0].row_number} ({torn[0].reason}){more}")
    if judged.days_missing:
        first, *others = judged.days_missing
        more = f" and {len(others)} other days" if others else ""
        told.append(f"not stored: {first[0]} {first[1]}{more}; optiq ingest adds recordings")
    return told + [f"rests on {row}" for row in judged.unsure]


def write_judged(result: dict[str, Any], path: Path, ledger: str) -> None:
    """Write every judged trade as CSV, in the order of the ledger."""
    if path.exists() and Path(ledger).exists() and path.samefile(ledger):
        raise InputError(f"{path} is the ledger itself", "give another --out")
    rows = sorted(result["judged"], key=lambda row: row["line"])
    text = io.StringIO()
    heads = [name for name in rows[0] if name != "faults"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*heads, "flags", "evidence"])
    for row in rows:
        faults = row["faults"]
        flags = ";".join(fault["flag"] for fault in faults)
        evidence = " | ".join(f"{fault['flag']}: {fault['evidence']}" for fault in faults)
        writer.writerow([*(_cell(name, row[name]) for name in heads), flags, evidence])
    try:
        durable_write(path, text.getvalue())
    except (AccessError, CannotCreateError) as reason:
        raise type(reason)(str(reason), "give another --out") from reason


def _cell(name: str, value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:g}" if name in ("strike", "quantity") else f"{value:.2f}"
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _ist(utc: np.datetime64) -> dt.datetime | None:
    return None if np.isnat(utc) else ist(utc)


def _difference(trade: BookedTrade, judged: JudgedTrade) -> float:
    if judged.true is None:
        return math.nan
    return round(booked_money(trade)["booked_net_pnl"] - judged.true.net_paise / 100, 2)


def _sums(rows: list[dict[str, Any]], prefix: str) -> dict[str, float]:
    return {name: _sum(rows, f"{prefix}_{name}") for name in _MONEY}


def _sum(rows: list[dict[str, Any]], name: str) -> float:
    """Return an exact sum in rupees; what is unknown counts nothing."""
    paise = sum(round(100 * row[name]) for row in rows if not math.isnan(row[name]))
    return float(paise / 100)
