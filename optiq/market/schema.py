"""What a snapshot row is: column names, units and the two clocks."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
TimeArray = NDArray[np.datetime64]
"""``datetime64[us]``, always UTC (numpy carries no zone); days are ``datetime64[D]``."""
AnyArray = NDArray[Any]

IST = ZoneInfo("Asia/Kolkata")
IST_OFFSET = np.timedelta64(330, "m")
"""India keeps one offset and no summer time."""

UNDERLYINGS = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX", "BANKEX")

KEY = ("expiry", "strike", "right", "ts")
"""What makes a quote unique within one underlying and session; also the sort order of a file."""

PRICES = ("ltp", "bid", "ask")
"""Rupees; missing is null or NaN, never 0."""

QUANTITIES = ("bid_qty", "ask_qty", "volume", "oi", "oi_change")
"""Units (contracts x lot); volume cumulative, ``oi_change`` against the previous session."""

GREEKS = ("iv", "delta", "gamma", "theta", "vega")
"""Ours, by Black-76 on the parity forward; theta per calendar day, vega per 1.00 of volatility."""

FIELDS = (*PRICES, *QUANTITIES, *GREEKS)
"""The per-quote fields a panel can hold, one array of shape (n_rows, n_contracts) each."""

COLUMNS = ("ts", "expiry", "strike", "right", *FIELDS, "spot", "received_ts")
"""The columns of the store; a file may add ``*_vendor`` Greeks and ``is_chain``."""

CE, PE = 1, -1
RIGHT_NAMES = {CE: "CE", PE: "PE"}

TICK_RUPEES = 0.05
MINUTES_PER_YEAR = 525_600
