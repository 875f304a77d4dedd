"""Old ledgers for the tests: one clean trade on a chain a person can check, and changes to it.

The chain is that of `chains.quotes` from 09:15 on: m minutes later the call at 25,900 is worth
110 + m + (5 m mod 3), half a rupee less at the bid, half a rupee more at the ask.
"""

from __future__ import annotations

import csv
from pathlib import Path

import chains
from ingests import add

from optiq.market.store import Store
from optiq.run.judged import Judged, Repriced
from optiq.run.ledger_clock import Reading
from optiq.run.old_ledger import read_ledger
from optiq.run.reprice import reprice
from optiq.trade.charges import USUAL_BROKER
from optiq.trade.fills import WalkSettings

CLEAN = {
    "trade_id": "1",
    "entry_time": "2025-11-20 10:24:59",  # filled at 10:25, m = 70: worth 182, ask 182.50
    "exit_time": "2025-11-20 10:29:59",  # filled at 10:30, m = 75: worth 185, bid 184.50
    "symbol": "NIFTY",
    "instrument_type": "CE",
    "strike_price": "25900",
    "expiry_date": "2025-11-25",
    "entry_price": "182.50",
    "quantity": "75",
    "exit_price": "184.50",
    "exit_type": "TARGET",
    "gross_pnl": "150.00",
    "brokerage": "40.00",
    "taxes": "33.03",
    "net_pnl": "76.97",
    "strategy_name": "momentum",
    "status": "CLOSED",
}
"""Charges by hand, of the rates of 2025-11-20.

To buy for 13,687.50: 20 + 0.03503 % 4.79473 + 0.0005 % 0.06844 + 0.0001 % 0.01369 = 24.87686,
GST 18 % of it 4.47783, stamp 0.003 % 0.41063: 29.77. To sell for 13,837.50: 20 + 4.84728 + 0.06919
+ 0.01384 = 24.93030, GST 4.48745, STT 0.1 % 13.83750: 43.26. Together 73.03.
"""
AS_UTC = {"entry_time": "2025-11-20 04:54:59", "exit_time": "2025-11-20 04:59:59"}
"""The same moments, written in UTC."""


def full_day(folder: Path) -> Store:
    """A store that holds 2025-11-20 from open to close."""
    store = Store(folder / "store")
    add(store, chains.write(chains.quotes(375, start="09:15"), folder / "quotes.csv"))
    return store


def write(path: Path, *rows: dict[str, str]) -> str:
    """Write a ledger as CSV and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def judge(
    source: str, store: Store, tz: Reading | None = None, settings: WalkSettings | None = None
) -> Repriced:
    return reprice(read_ledger(source), store, settings or WalkSettings(), USUAL_BROKER, tz)


def judge_beside_clean(
    folder: Path, store: Store, tz: Reading | None = None, **changes: str
) -> Judged:
    """The verdict on the clean trade with some cells changed, with unchanged ones beside it."""
    path = write(folder / "ledger.csv", CLEAN | changes, CLEAN, CLEAN, CLEAN)
    return judge(path, store, tz).trades[0]


def names(judged: Judged) -> set[str]:
    return {fault.name for fault in judged.faults}
