"""A stored day a person can check, and ledgers of trades on it."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import numpy as np

from optiq.market.manifest import SourceEntry
from optiq.market.store import Store

DAY = dt.date(2026, 1, 19)
"""A Monday; NIFTY's lot is 65, and its weekly contract expires on the morrow."""
EXPIRY = dt.date(2026, 1, 20)
SOURCE = SourceEntry("here.csv", "0" * 64, "csv", "/data", rows_in=1, rows_kept=1)

CLEAN = {
    "trade_id": "T1",
    "entry_time": "2026-01-19 10:15:00",
    "exit_time": "2026-01-19 10:30:00",
    "symbol": "NIFTY",
    "instrument_type": "CE",
    "strike_price": "26000",
    "expiry_date": "2026-01-20",
    "entry_price": "110.00",
    "quantity": "65",
    "exit_price": "117.30",
    "exit_type": "TARGET",
    "gross_pnl": "474.50",
    "brokerage": "40.00",
    "taxes": "21.25",
    "net_pnl": "413.25",
    "strategy_name": "gamma_scalping",
    "signal_strength": "71.5",
    "ml_score": "",
    "model_version": "",
    "status": "CLOSED",
}
"""Bought at the ask of 10:16, sold at the bid of 10:31; 26.82 + 34.43 of charges, by hand."""


def hand_store(folder: Path, day: dt.date = DAY) -> Store:
    """A store of one day, 09:40 to 11:30 and 14:30 to 15:30, a row a minute.

    26000 CE: middle 109.40 at 10:15, half a rupee more each minute, 0.10 to each side; at half of
    that after 14:30. 26000 PE: 80 to 81, quoted to 10:16 and from 10:40 on. 26050 CE: 50 to 51;
    26050 PE the same, up to 10:16 only.
    """
    minutes = np.r_[580:691, 870:931]
    quoted = {
        (26000.0, 1): np.ones(len(minutes), bool),
        (26000.0, -1): (minutes <= 616) | (minutes >= 640),
        (26050.0, 1): np.ones(len(minutes), bool),
        (26050.0, -1): minutes <= 616,
    }
    call = 109.40 + 0.5 * (minutes - 615)
    middles = {
        (26000.0, 1): np.where(minutes < 870, call, call / 2),
        (26000.0, -1): np.full(len(minutes), 80.5),
        (26050.0, 1): np.full(len(minutes), 50.5),
        (26050.0, -1): np.full(len(minutes), 50.5),
    }
    spreads = {(26000.0, 1): 0.1, (26000.0, -1): 0.5, (26050.0, 1): 0.5, (26050.0, -1): 0.5}
    parts = []
    for key, there in quoted.items():
        middle = middles[key][there]
        parts.append(
            {
                "ts": np.datetime64(day, "us")
                + (minutes[there] - 330) * np.timedelta64(60_000_000, "us"),
                "expiry": np.full(there.sum(), EXPIRY, "datetime64[D]"),
                "strike": np.full(there.sum(), key[0]),
                "right": np.full(there.sum(), key[1], np.int8),
                "ltp": middle,
                "bid": middle - spreads[key],
                "ask": middle + spreads[key],
                "spot": np.full(there.sum(), 26_000.0),
            }
        )
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    store = Store(folder / "store")
    with store.lock():
        store.write_day("NIFTY", day, columns, sources=[SOURCE])
    return store


def write_ledger(path: Path, *changes: dict[str, str], drop: tuple[str, ...] = ()) -> str:
    """Write a ledger of the clean trade, once for each set of changes, and return its path."""
    lines = [CLEAN | change for change in changes or ({},)]
    heads = [name for name in {**CLEAN, **lines[0]} if name not in drop]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, heads, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    return str(path)
