"""One small invented payload of each vintage of each source, as it is written."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optiq.market.chain_row import ChainRow
from optiq.market.ingest.session_journal import APPLICATION_ID


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

WEBSITE = """\
CALLS,,PUTS
,OI,CHNG IN OI,VOLUME,IV,LTP,CHNG,BID QTY,BID,ASK,ASK QTY,STRIKE,BID QTY,BID,ASK,ASK QTY,CHNG,\
LTP,IV,VOLUME,CHNG IN OI,OI,
,"20,17,860","-1,250",-,-,"1,210.50",-9.15,65,"1,210.00","1,211.00",130,"24,000.00",-,-,0.05,\
"6,500",-,-,106.67,"43,894",-,8,
"""
OLD_PAGE = """\
,CallOI,CallChnginOI,CallVolume,CallIV,CallLTP,CallNetChng,CallBidQty,CallBidPrice,CallAskPrice,\
CallAskQty,StrikePrice,PutBidQty,PutBidPrice,PutAskPrice,PutAskQty,PutNetChng,PutLTP,PutIV,\
PutVolume,PutChnginOI,PutOI,CurrentVal
0,7500,-75,15,12.50,140.00,-6.85,75,139.90,140.10,150,11900.00,-,-,3.35,75,0.45,-,-,-,-,150,11950.6
"""
FLAT = (
    "Fetch_Time,Symbol,Expiry_Date,CALLS_OI,CALLS_Chng_in_OI,CALLS_Volume,CALLS_IV,CALLS_LTP,"
    "CALLS_Net_Chng,CALLS_Bid_Qty,CALLS_Bid_Price,CALLS_Ask_Price,CALLS_Ask_Qty,Strike_Price,"
    "PUTS_OI,PUTS_Chng_in_OI,PUTS_Volume,PUTS_IV,PUTS_LTP,PUTS_Net_Chng,PUTS_Bid_Qty,"
    "PUTS_Bid_Price,PUTS_Ask_Price,PUTS_Ask_Qty,collection_timestamp\n"
    "29-Aug-2025 09:45:16,NIFTY,02-Sep-2025,120.5,-4,900,11.25,101.3,-1,75,101.1,101.5,150,24500,"
    "8,0,0,0,0,0,0,0,90,75,20250829_094624\n"
)


def flat_parquet(path: Path) -> None:
    names, cells = (line.split(",") for line in FLAT.splitlines())
    words = {"Fetch_Time", "Symbol", "Expiry_Date", "collection_timestamp"}
    row = {
        name: cell if name in words else float(cell)
        for name, cell in zip(names, cells, strict=True)
    }
    pq.write_table(pa.Table.from_pylist([row]), path)


def long_parquet(path: Path) -> None:
    row = {
        "ts": dt.datetime(2026, 8, 18, 10, 15),  # noqa: DTZ001 - a naive column is the case
        "underlying": "NIFTY",
        "expiry": dt.date(2026, 8, 25),
        "strike": 24000.0,
        "option_type": "CE",
        "ltp": 210.5,
    }
    pq.write_table(pa.Table.from_pylist([row]), path)


def database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as opened:
        opened.execute(
            "CREATE TABLE chain (timestamp TEXT, symbol TEXT, expiry TEXT, strike REAL,"
            " option_type TEXT, ltp REAL, oi INTEGER)"
        )
        row = ("202608181015", "NIFTY", "25-Aug-2026", 24000.0, "PE", 210.5, 1300)
        opened.execute("INSERT INTO chain VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        opened.commit()


def journal(path: Path) -> None:
    """The rows of a paper session, as its journal keeps them."""
    row = ChainRow(
        ts=np.datetime64("2026-08-18T04:45", "us"),
        known=np.datetime64("2026-08-18T04:45:01", "us"),
        is_chain=True,
        spot=24_512.5,
        expiry=np.array(["2026-08-25", "2026-08-25"], "datetime64[D]"),
        strike=np.array([24_500.0, 24_500.0]),
        right=np.array([1, -1]),
        fields={
            "ltp": np.array([101.5, 99.25], np.float32),
            "oi": np.array([1_500.0, 3_000.0], np.float32),
            "iv": np.array([0.12, 0.12], np.float32),
        },
    )
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute("CREATE TABLE event (seq, kind, row, body, sha)")
        events = [("session", b'{"underlying": "NIFTY"}'), ("row", row.to_bytes())]
        for seq, (kind, body) in enumerate(events, 1):
            database.execute("INSERT INTO event VALUES (?, ?, 0, ?, '')", (seq, kind, body))
        database.commit()
