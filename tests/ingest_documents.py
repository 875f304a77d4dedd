"""The samples as files, by format: how each is written and the quotes that it holds."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ingest_samples import (
    BHAVCOPY,
    DHAN,
    FLAT,
    KITE,
    NSE_OLD,
    NSE_V3,
    NUBRA,
    OLD_PAGE,
    UDIFF,
    UPSTOX,
    WEBSITE,
    database,
    flat_parquet,
    journal,
    long_parquet,
)

from optiq.market.ingest.batch import ReadOptions

NAN = float("nan")


@dataclass(frozen=True)
class Document:
    """A file to write, the options it needs, and the quotes that it holds, in the file's order."""

    name: str
    write: Callable[[Path], None]
    columns: dict[str, list[Any]]
    underlying: str = "NIFTY"
    clock: str = "IST"
    units: tuple[str, str, str] = ("units", "units", "unknown")
    """Of open interest, volume and volatility."""
    options: ReadOptions = field(default_factory=ReadOptions)


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content, encoding="utf-8")


def packed(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(gzip.compress(content.encode(), mtime=0))


def days(*values: str) -> list[np.datetime64]:
    return [np.datetime64(value, "D") for value in values]


def moments(value: str, count: int) -> list[np.datetime64]:
    return [np.datetime64(value, "us")] * count


_NSE_COLUMNS = {
    "expiry": days("2025-11-25", "2025-11-25", "2025-12-30"),
    "strike": [25000.0, 25000.0, 25050.0],
    "right": [1, -1, -1],
    "ts": moments("2025-11-20T10:15:30", 3),
    "ltp": [101.3, NAN, 101.3],
    "bid": [101.1, NAN, 140.0],
    "ask": [101.5, 90.0, NAN],
    "bid_qty": [75.0, 0.0, 75.0],
    "ask_qty": [150.0, 75.0, 0.0],
    "volume": [900.0, 900.0, 900.0],
    "oi": [120.5, 120.5, 120.5],
    "oi_change": [-4.0, -4.0, -4.0],
    "iv": [11.25, NAN, 11.25],
    "spot": [25010.6, 25010.6, 25010.6],
}
_NSE_V3_COLUMNS = {name: values[:1] for name, values in _NSE_COLUMNS.items()} | {
    "expiry": days("2026-10-27"),
    "ts": moments("2026-10-20T10:15:30", 1),
}
_CONTRACTS = ("contracts", "contracts", "percent")

_UPSTOX_COLUMNS = {
    "expiry": days("2026-08-25", "2026-08-25"),
    "strike": [24000.0, 24000.0],
    "right": [1, -1],
    "ts": moments("2026-08-18T10:15", 2),
    "ltp": [210.5, NAN],
    "bid": [210.0, NAN],
    "ask": [211.0, NAN],
    "bid_qty": [65.0, NAN],
    "ask_qty": [130.0, NAN],
    "volume": [6500.0, NAN],
    "oi": [1300.0, 65.0],
    "oi_change": [-650.0, NAN],
    "iv": [12.5, NAN],
    "delta": [0.55, NAN],
    "gamma": [0.001, NAN],
    "theta": [-9.5, NAN],
    "vega": [20.5, NAN],
    "spot": [24033.2, 24033.2],
}

_DHAN_COLUMNS = _UPSTOX_COLUMNS | {"strike": [24000.0, 24050.0]}


_FLAT_COLUMNS = {name: values[:2] for name, values in _NSE_COLUMNS.items() if name != "spot"} | {
    "expiry": days("2025-09-02", "2025-09-02"),
    "strike": [24500.0, 24500.0],
    "ts": moments("2025-08-29T09:45:16", 2),
    "received_ts": moments("2025-08-29T09:46:24", 2),
    "volume": [900.0, 0.0],
    "oi": [120.5, 8.0],
    "oi_change": [-4.0, 0.0],
    "underlying": ["NIFTY", "NIFTY"],
}

_SAID = ReadOptions(at="2026-08-18 10:15", expiry="25-Aug-2026", underlying="NIFTY")

DOCUMENTS: dict[str, tuple[Document, ...]] = {
    "nse": (
        Document("chain.json", text(json.dumps(NSE_OLD)), _NSE_COLUMNS, units=_CONTRACTS),
        Document(
            "2025-11-20T04-46-17+00-00_ab12.json.gz",
            packed(json.dumps(NSE_OLD)),
            _NSE_COLUMNS,
            units=_CONTRACTS,
        ),
        Document("v3.json", text(json.dumps(NSE_V3)), _NSE_V3_COLUMNS, units=_CONTRACTS),
    ),
    "upstox": (
        Document(
            "chain.json",
            text(json.dumps(UPSTOX)),
            _UPSTOX_COLUMNS,
            units=("units", "units", "percent"),
            options=ReadOptions(at="2026-08-18 10:15"),
        ),
        Document(
            "chain_2026-08-18T04-45-00Z.json",
            text(json.dumps(UPSTOX)),
            _UPSTOX_COLUMNS | {"ts": moments("2026-08-18T04:45", 2)},
            clock="UTC",
            units=("units", "units", "percent"),
        ),
        Document(
            "chain_2026-08-18_10-15.json",
            text(json.dumps(UPSTOX)),
            _UPSTOX_COLUMNS,
            clock="unknown",
            units=("units", "units", "percent"),
        ),
        Document(
            "day.jsonl",
            text(
                "".join(
                    json.dumps({"received_at": f"2026-08-18 10:1{minute}", "payload": UPSTOX})
                    + "\n"
                    for minute in (5, 6)
                )
            ),
            {name: values * 2 for name, values in _UPSTOX_COLUMNS.items()}
            | {"ts": moments("2026-08-18T10:15", 2) + moments("2026-08-18T10:16", 2)},
            units=("units", "units", "percent"),
        ),
    ),
    "dhan": (
        Document(
            "chain.json",
            text(json.dumps(DHAN)),
            _DHAN_COLUMNS,
            units=("units", "units", "percent"),
            options=_SAID,
        ),
        Document(
            "BANKNIFTY_expiry_2026-08-25_at_2026-08-18_10-15-00+05-30.json",
            text(json.dumps(DHAN)),
            _DHAN_COLUMNS | {"ts": moments("2026-08-18T04:45", 2)},
            underlying="BANKNIFTY",
            clock="UTC",
            units=("units", "units", "percent"),
        ),
    ),
    "kite": (
        Document(
            "quote.json",
            text(json.dumps(KITE)),
            {
                "expiry": days("2026-08-25", "2026-08-18"),
                "strike": [24000.0, 24000.0],
                "right": [1, -1],
                "ts": moments("2026-08-18T04:45:07", 2),
                "ltp": [210.5, NAN],
                "bid": [210.0, NAN],
                "ask": [211.0, 0.05],
                "bid_qty": [65.0, 0.0],
                "ask_qty": [130.0, 6500.0],
                "volume": [6500.0, 0.0],
                "oi": [1300.0, 65.0],
                "spot": [24033.2, 24033.2],
                "underlying": ["NIFTY", "NIFTY"],
            },
            clock="UTC",
        ),
    ),
    "nubra": (
        Document(
            "chain.json",
            text(json.dumps(NUBRA)),
            {
                name: values
                for name, values in _UPSTOX_COLUMNS.items()
                if name not in ("bid", "ask", "bid_qty", "ask_qty")
            }
            | {
                "ts": moments("2026-08-18T04:45", 2),
                "oi": [1300.0, NAN],
                "iv": [0.125, NAN],
            },
            clock="UTC",
            units=("units", "units", "fraction"),
        ),
    ),
    "bhavcopy": (
        Document(
            "BhavCopy_NSE_FO_0_0_0_20260818_F_0000.csv",
            text(UDIFF),
            {
                "expiry": days("2026-08-25", "2027-03-30"),
                "strike": [24000.0, 30000.0],
                "right": [1, -1],
                "ts": moments("2026-08-18T10:10", 2),  # 15:40 IST
                "ltp": [210.5, NAN],  # the second was not traded
                "volume": [100.0, 0.0],
                "oi": [1300.0, 130.0],
                "oi_change": [-650.0, 0.0],
                "spot": [24033.2, 24033.2],
                "underlying": ["NIFTY", "NIFTY"],
            },
            clock="UTC",
            units=("units", "contracts", "unknown"),
        ),
        Document(
            "fo29DEC2023bhav.csv",
            text(BHAVCOPY),
            {
                "expiry": days("2024-01-04"),
                "strike": [21700.0],
                "right": [1],
                "ts": moments("2023-12-29T10:00", 1),  # 15:30 IST
                "ltp": [120.55],
                "volume": [200.0],
                "oi": [5000.0],
                "oi_change": [-250.0],
                "spot": [NAN],
                "underlying": ["NIFTY"],
            },
            clock="UTC",
            units=("units", "contracts", "unknown"),
        ),
    ),
    "nse_csv": (
        Document(
            "option-chain-ED-NIFTY-25-Aug-2026.csv",
            text(WEBSITE),
            {
                "expiry": days("2026-08-25", "2026-08-25"),
                "strike": [24000.0, 24000.0],
                "right": [1, -1],
                "ts": moments("2026-08-18T10:15", 2),
                "ltp": [1210.5, NAN],
                "bid": [1210.0, NAN],
                "ask": [1211.0, 0.05],
                "bid_qty": [65.0, NAN],
                "ask_qty": [130.0, 6500.0],
                "volume": [NAN, 43894.0],
                "oi": [2017860.0, 8.0],
                "oi_change": [-1250.0, NAN],
                "iv": [NAN, 106.67],
            },
            units=_CONTRACTS,
            options=ReadOptions(at="2026-08-18 10:15"),
        ),
        Document(
            "13JUN2019/NIFTY_12-06-2019_09-15.csv",
            text(OLD_PAGE),
            {
                "expiry": days("2019-06-13", "2019-06-13"),
                "strike": [11900.0, 11900.0],
                "right": [1, -1],
                "ts": moments("2019-06-12T09:15", 2),
                "ltp": [140.0, NAN],
                "bid": [139.9, NAN],
                "ask": [140.1, 3.35],
                "bid_qty": [75.0, NAN],
                "ask_qty": [150.0, 75.0],
                "volume": [15.0, NAN],
                "oi": [7500.0, 150.0],
                "oi_change": [-75.0, NAN],
                "iv": [12.5, NAN],
                "spot": [11950.6, 11950.6],
            },
            units=("units", "contracts", "percent"),
        ),
    ),
    "flat": (
        Document("day.csv", text(FLAT), _FLAT_COLUMNS, units=_CONTRACTS),
        Document("day.parquet", flat_parquet, _FLAT_COLUMNS, units=_CONTRACTS),
    ),
    "csv": (
        Document(
            "quotes.csv",
            text(
                "timestamp,symbol,expiry,strike,option_type,ltp,volume,oi\n"
                "2026-08-18 10:15:00,NIFTY,2026-08-25,24000,CE,210.5,6500,1300\n"
                '2026-08-18 10:15:00,NIFTY,25-Aug-2026,24000,PUT,-,"1,00,000",65\n'
            ),
            {
                "expiry": days("2026-08-25", "2026-08-25"),
                "strike": [24000.0, 24000.0],
                "right": [1, -1],
                "ts": moments("2026-08-18T10:15", 2),
                "ltp": [210.5, NAN],
                "volume": [6500.0, 100000.0],
                "oi": [1300.0, 65.0],
                "underlying": ["NIFTY", "NIFTY"],
            },
            clock="unknown",
            units=("unknown", "unknown", "unknown"),
        ),
    ),
    "session": (
        Document(
            "journal.db",
            journal,
            {
                "ts": moments("2026-08-18T04:45", 2),
                "received_ts": moments("2026-08-18T04:45:01", 2),
                "expiry": days("2026-08-25", "2026-08-25"),
                "strike": [24_500.0, 24_500.0],
                "right": [1, -1],
                "ltp": [101.5, 99.25],
                "oi": [1_500.0, 3_000.0],
                "spot": [24_512.5, 24_512.5],
                "is_chain": [True, True],
            },
            clock="UTC",
            units=("units", "units", "fraction"),
        ),
    ),
    "sqlite": (
        Document(
            "chain.db",
            database,
            {
                "expiry": days("2026-08-25"),
                "strike": [24000.0],
                "right": [-1],
                "ts": moments("2026-08-18T10:15", 1),
                "ltp": [210.5],
                "oi": [1300.0],
                "underlying": ["NIFTY"],
            },
            clock="unknown",
            units=("unknown", "unknown", "unknown"),
        ),
    ),
    "parquet": (
        Document(
            "quotes.parquet",
            long_parquet,
            {
                "expiry": days("2026-08-25"),
                "strike": [24000.0],
                "right": [1],
                "ts": moments("2026-08-18T10:15", 1),
                "ltp": [210.5],
                "underlying": ["NIFTY"],
            },
            clock="unknown",
            units=("unknown", "unknown", "unknown"),
        ),
    ),
}
