"""Quotes of one poll as the row that the store would keep: its widths, our volatilities."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from optiq.market.chain_row import ChainRow, Contract
from optiq.market.day_arrays import Columns, contract_key, grid_of, take
from optiq.market.pricing import price_day
from optiq.market.schema import FIELDS, GREEKS, PRICES, AnyArray, BoolArray
from optiq.market.stored_panel import panel_from_columns


def snapshot_row(
    underlying: str, date: dt.date, quotes: Columns, known: np.datetime64, *, has_book: bool
) -> ChainRow:
    """Return a chain snapshot with volatilities and Greeks computed from its prices.

    ``quotes`` are in the store's units, each contract once; the row's time is their latest. The
    numbers are those that an ingest of the same quotes gives: prices go through the store's width
    before they are priced.
    """
    columns = _as_stored(quotes)
    panel = panel_from_columns(underlying, date, columns, has_book=has_book)
    priced = price_day(panel)
    columns |= {name: priced[name][0].astype(np.float32) for name in GREEKS}
    return _row(columns, known, FIELDS, is_chain=True)


def monitor_row(
    contracts: Sequence[Contract], quotes: Columns, known: np.datetime64
) -> ChainRow | None:
    """Return the prices of some contracts; None where not one of them is quoted."""
    columns = _as_stored(quotes)
    wanted = {
        "expiry": np.array([one.expiry for one in contracts], "datetime64[D]"),
        "strike": np.array([one.strike for one in contracts], np.float64),
        "right": np.array([one.right for one in contracts], np.int64),
    }
    chosen = np.isin(contract_key(columns), contract_key(wanted))
    row = _row(take(columns, chosen), known, PRICES, is_chain=False) if chosen.any() else None
    return row if row is not None and len(row) else None


def _as_stored(quotes: Columns) -> Columns:
    """Return sorted quotes of one moment, in float32."""
    key = contract_key(quotes)
    order = np.unique(key, return_index=True)[1]
    columns = take({name: quotes[name] for name in ("expiry", "right")}, order)
    columns["ts"] = np.full(len(order), quotes["ts"].max())
    for name in ("strike", "spot", *FIELDS):
        if name in quotes and name not in GREEKS:
            columns[name] = quotes[name][order].astype(np.float32)
    return columns


def _row(
    columns: Columns, known: np.datetime64, names: Sequence[str], *, is_chain: bool
) -> ChainRow:
    """Return the row of what is quoted; a contract or a field without a number is not."""
    fields = {name: columns[name] for name in names if name in columns}
    quoted: BoolArray = np.zeros(len(columns["ts"]), np.bool_)
    for values in fields.values():
        quoted |= ~np.isnan(values)
    picked: dict[str, AnyArray] = {name: values[quoted] for name, values in fields.items()}
    ts = columns["ts"][0]
    return ChainRow(
        ts=ts,
        known=max(known, ts),
        is_chain=is_chain,
        spot=_spot(columns),
        expiry=columns["expiry"][quoted].astype("datetime64[D]"),
        strike=columns["strike"][quoted].astype(np.float64),
        right=columns["right"][quoted].astype(np.int64),
        fields={name: values for name, values in picked.items() if not np.isnan(values).all()},
    )


def _spot(columns: Columns) -> float:
    """Return the level of a moment by the store's rule where its quotes carry several."""
    if "spot" not in columns:
        return float("nan")
    return float(grid_of(columns).per_row(columns["spot"])[0])
