"""Small option chains for the tests of the store and of ingest: tables a person could check."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

DAY = dt.date(2025, 11, 20)
EXPIRY = dt.date(2025, 11, 25)
LOT = 75
"""NIFTY's in November 2025."""


def quotes(
    minutes: int = 4,
    strikes: tuple[int, ...] = (25900, 25950, 26000),
    *,
    day: dt.date = DAY,
    start: str = "10:20",
    expiry: dt.date = EXPIRY,
    lots: bool = False,
) -> pd.DataFrame:
    """Return a long table, one row per minute, strike and side; IST stamps, OI in units.

    The level rises by one point a minute from 25,950; ``lots`` counts contracts instead.
    """
    first = pd.Timestamp(f"{day} {start}")
    scale = 1 if lots else LOT
    rows = []
    before = int((first - pd.Timestamp(f"{day} 09:15")) / pd.Timedelta(minutes=1))
    for minute in range(minutes):
        level = 25_950 + minute
        for strike in strikes:
            for side, sign in (("CE", 1), ("PE", -1)):
                value = max(sign * (level - strike), 0) + 60.0 + 5 * minute % 3
                rows.append(
                    {
                        "timestamp": first + pd.Timedelta(minutes=minute),
                        "symbol": "NIFTY",
                        "expiry": expiry,
                        "strike_price": strike,
                        "option_type": side,
                        "ltp": value,
                        "bid": value - 0.5,
                        "ask": value + 0.5,
                        "volume": (10_000 + 7 * (before + minute) + strike % 11) * scale,
                        "oi": (300 + minute + strike % 7) * scale,
                        "oi_change": (minute - 2) * scale,
                        "spot_price": float(level),
                    }
                )
    return pd.DataFrame(rows)


def write(table: pd.DataFrame, path: Path) -> str:
    """Write a table as CSV and return its path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S")
    return str(path)
