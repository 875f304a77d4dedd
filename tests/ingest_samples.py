"""One tiny invented document per ingest format, and what every reading of it must give."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

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


def _nse_leg(**changes: object) -> dict[str, object]:
    leg: dict[str, object] = {
        "underlying": "NIFTY",
        "openInterest": 120.5,
        "changeinOpenInterest": -4,
        "totalTradedVolume": 900,
        "impliedVolatility": 11.25,
        "lastPrice": 101.3,
        "underlyingValue": 25010.6,
    }
    return leg | changes


NSE_OLD = {
    "records": {
        "timestamp": "20-Nov-2025 10:15:30",
        "underlyingValue": 25010.6,
        "data": [
            {
                "strikePrice": 25000,
                "expiryDate": "25-Nov-2025",
                "CE": _nse_leg(bidprice=101.1, bidQty=75, askPrice=101.5, askQty=150),
                "PE": _nse_leg(
                    lastPrice=0, impliedVolatility=0, bidprice=0, bidQty=0, askPrice=90, askQty=75
                ),
            },
            {
                "strikePrice": 25050,
                "expiryDate": "30-Dec-2025",
                "PE": _nse_leg(bidprice=140, bidQty=75, askPrice=0, askQty=0, underlyingValue=0),
            },
        ],
    },
    "filtered": {"data": [{"strikePrice": 25000, "expiryDate": "25-Nov-2025"}]},
}
NSE_V3 = {
    "records": {
        "timestamp": "20-Oct-2026 10:15:30",
        "underlyingValue": 25010.6,
        "data": [
            {
                "strikePrice": 25000,
                "expiryDates": "27-Oct-2026",
                "CE": _nse_leg(
                    buyPrice1=101.1, buyQuantity1=75, sellPrice1=101.5, sellQuantity1=150
                ),
                "PE": None,
            }
        ],
    }
}
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

UPSTOX = {
    "status": "success",
    "data": [
        {
            "expiry": "2026-08-25",
            "strike_price": 24000,
            "underlying_key": "NSE_INDEX|Nifty 50",
            "underlying_spot_price": 24033.2,
            "call_options": {
                "market_data": {
                    "ltp": 210.5,
                    "volume": 6500,
                    "oi": 1300,
                    "bid_price": 210,
                    "bid_qty": 65,
                    "ask_price": 211,
                    "ask_qty": 130,
                    "prev_oi": 1950,
                },
                "option_greeks": {
                    "vega": 20.5,
                    "theta": -9.5,
                    "gamma": 0.001,
                    "delta": 0.55,
                    "iv": 12.5,
                },
            },
            "put_options": {"market_data": {"ltp": 0, "oi": 65}, "option_greeks": None},
        }
    ],
}
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

DHAN = {
    "data": {
        "last_price": 24033.2,
        "oc": {
            "24000.000000": {
                "ce": {
                    "greeks": {"delta": 0.55, "theta": -9.5, "gamma": 0.001, "vega": 20.5},
                    "implied_volatility": 12.5,
                    "last_price": 210.5,
                    "oi": 1300,
                    "previous_oi": 1950,
                    "top_ask_price": 211,
                    "top_ask_quantity": 130,
                    "top_bid_price": 210,
                    "top_bid_quantity": 65,
                    "volume": 6500,
                },
                "pe": None,
            },
            "24050.000000": {"pe": {"last_price": 0, "oi": 65, "implied_volatility": 0}},
        },
    },
    "status": "success",
}
_DHAN_COLUMNS = _UPSTOX_COLUMNS | {"strike": [24000.0, 24050.0]}


def _depth(price: float, quantity: int) -> list[dict[str, float]]:
    empty = {"price": 0, "quantity": 0, "orders": 0}
    return [{"price": price, "quantity": quantity, "orders": 1}, empty]


KITE = {
    "status": "success",
    "data": {
        "NSE:NIFTY 50": {"last_price": 24033.2, "timestamp": "2026-08-18 10:15:09"},
        "NFO:NIFTY26AUG24000CE": {
            "timestamp": "2026-08-18 10:15:02",
            "last_price": 210.5,
            "volume": 6500,
            "oi": 1300,
            "depth": {"buy": _depth(210, 65), "sell": _depth(211, 130)},
        },
        "NFO:NIFTY2681824000PE": {
            "timestamp": "2026-08-18 10:15:07",
            "last_price": 0,
            "volume": 0,
            "oi": 65,
            "depth": {"buy": _depth(0, 0), "sell": _depth(0.05, 6500)},
        },
    },
}

NUBRA = {
    "chain": {
        "asset": "NIFTY",
        "expiry": "20260825",
        "ce": [
            {
                "timestamp": 1787028300000000000,  # 2026-08-18 04:45:00 UTC
                "strike_price": 2400000,
                "last_traded_price": 21050,
                "iv": 0.125,
                "delta": 0.55,
                "gamma": 0.001,
                "theta": -9.5,
                "vega": 20.5,
                "open_interest": 1300,
                "previous_open_interest": 1950,
                "volume": 6500,
            }
        ],
        "pe": [
            {
                "timestamp": 1787024700000000000,  # untraded: the open's stamp
                "strike_price": 2400000,
                "last_traded_price": None,
                "iv": None,
                "open_interest": None,
                "previous_open_interest": None,
                "volume": None,
            }
        ],
        "current_price": 2403320,
    }
}

UDIFF = """\
TradDt,BizDt,FinInstrmTp,TckrSymb,XpryDt,StrkPric,OptnTp,ClsPric,LastPric,UndrlygPric,\
OpnIntrst,ChngInOpnIntrst,TtlTradgVol,NewBrdLotQty
2026-08-18,2026-08-18,IDO,NIFTY,2026-08-25,24000.00,CE,211.00,210.50,24033.20,1300,-650,100,65
2026-08-18,2026-08-18,IDF,NIFTY,2026-08-25,,,24050.00,24051.00,24033.20,65000,650,9,65
2026-08-18,2026-08-18,STO,ABC,2026-08-25,350.00,PE,1.65,1.80,400.60,93000,18600,7,3100
2026-08-18,2026-08-18,IDO,NIFTY,2027-03-30,30000.00,PE,5754.50,5754.50,24033.20,130,0,0,65
"""
BHAVCOPY = """\
INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP,OPEN,HIGH,LOW,CLOSE,SETTLE_PR,CONTRACTS,\
VAL_INLAKH,OPEN_INT,CHG_IN_OI,TIMESTAMP,
FUTIDX,BANKNIFTY,25-Jan-2024,0,XX,1,2,1,2,2,12,94,2077,-10,29-DEC-2023,
OPTIDX,NIFTY,04-Jan-2024,21700,CE,110,140,90,120.55,120.55,200,1,5000,-250,29-DEC-2023,
"""

_WEBSITE = """\
CALLS,,PUTS
,OI,CHNG IN OI,VOLUME,IV,LTP,CHNG,BID QTY,BID,ASK,ASK QTY,STRIKE,BID QTY,BID,ASK,ASK QTY,CHNG,\
LTP,IV,VOLUME,CHNG IN OI,OI,
,"20,17,860","-1,250",-,-,"1,210.50",-9.15,65,"1,210.00","1,211.00",130,"24,000.00",-,-,0.05,\
"6,500",-,-,106.67,"43,894",-,8,
"""
_OLD_PAGE = """\
,CallOI,CallChnginOI,CallVolume,CallIV,CallLTP,CallNetChng,CallBidQty,CallBidPrice,CallAskPrice,\
CallAskQty,StrikePrice,PutBidQty,PutBidPrice,PutAskPrice,PutAskQty,PutNetChng,PutLTP,PutIV,\
PutVolume,PutChnginOI,PutOI,CurrentVal
0,7500,-75,15,12.50,140.00,-6.85,75,139.90,140.10,150,11900.00,-,-,3.35,75,0.45,-,-,-,-,150,11950.6
"""
_FLAT = (
    "Fetch_Time,Symbol,Expiry_Date,CALLS_OI,CALLS_Chng_in_OI,CALLS_Volume,CALLS_IV,CALLS_LTP,"
    "CALLS_Net_Chng,CALLS_Bid_Qty,CALLS_Bid_Price,CALLS_Ask_Price,CALLS_Ask_Qty,Strike_Price,"
    "PUTS_OI,PUTS_Chng_in_OI,PUTS_Volume,PUTS_IV,PUTS_LTP,PUTS_Net_Chng,PUTS_Bid_Qty,"
    "PUTS_Bid_Price,PUTS_Ask_Price,PUTS_Ask_Qty,collection_timestamp\n"
    "29-Aug-2025 09:45:16,NIFTY,02-Sep-2025,120.5,-4,900,11.25,101.3,-1,75,101.1,101.5,150,24500,"
    "8,0,0,0,0,0,0,0,90,75,20250829_094624\n"
)
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


def _flat_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, cells = (line.split(",") for line in _FLAT.splitlines())
    words = {"Fetch_Time", "Symbol", "Expiry_Date", "collection_timestamp"}
    row = {
        name: cell if name in words else float(cell)
        for name, cell in zip(names, cells, strict=True)
    }
    pq.write_table(pa.Table.from_pylist([row]), path)


def _long_parquet(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = {
        "ts": dt.datetime(2026, 8, 18, 10, 15),  # noqa: DTZ001 - a naive column is the case
        "underlying": "NIFTY",
        "expiry": dt.date(2026, 8, 25),
        "strike": 24000.0,
        "option_type": "CE",
        "ltp": 210.5,
    }
    pq.write_table(pa.Table.from_pylist([row]), path)


def _database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "CREATE TABLE chain (timestamp TEXT, symbol TEXT, expiry TEXT, strike REAL,"
            " option_type TEXT, ltp REAL, oi INTEGER)"
        )
        row = ("202608181015", "NIFTY", "25-Aug-2026", 24000.0, "PE", 210.5, 1300)
        database.execute("INSERT INTO chain VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()


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
            text(_WEBSITE),
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
            text(_OLD_PAGE),
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
        Document("day.csv", text(_FLAT), _FLAT_COLUMNS, units=_CONTRACTS),
        Document("day.parquet", _flat_parquet, _FLAT_COLUMNS, units=_CONTRACTS),
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
    "sqlite": (
        Document(
            "chain.db",
            _database,
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
            _long_parquet,
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
