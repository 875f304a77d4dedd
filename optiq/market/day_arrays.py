"""A day's quotes between two shapes: long columns of the store, dense arrays of a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optiq.market.schema import AnyArray, FloatArray, IntArray, TimeArray

Columns = dict[str, AnyArray]
"""Equal-length arrays by the store's column names: ``ts`` and ``received_ts`` datetime64[us] UTC,
``expiry`` datetime64[D], ``right`` int8 (+1/-1), ``is_chain`` bool, the rest floats with NaN."""


@dataclass(frozen=True)
class Grid:
    """Where each quote of a sorted day belongs in arrays of (n_rows, n_contracts).

    Attributes
    ----------
    ts : (n_rows,) datetime64[us]
    expiry, strike, right : (n_contracts,)
    start : (n_contracts,) int
        First quote of each contract.
    quote_ts : (n_quotes,) datetime64[us]
    """

    ts: TimeArray
    expiry: TimeArray
    strike: FloatArray
    right: IntArray
    start: IntArray
    quote_ts: TimeArray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and contracts."""
        return len(self.ts), len(self.start)

    @cached_property
    def is_dense(self) -> bool:
        """Whether every contract has every row, so that a reshape is enough."""
        return len(self.quote_ts) == len(self.ts) * len(self.start)

    @cached_property
    def row(self) -> IntArray:
        """Row of each quote."""
        if self.is_dense:
            return np.tile(np.arange(len(self.ts)), len(self.start))
        return np.searchsorted(self.ts.view(np.int64), self.quote_ts.view(np.int64))

    @cached_property
    def contract(self) -> IntArray:
        """Column of each quote."""
        lengths = np.diff(np.append(self.start, len(self.quote_ts)))
        return np.repeat(np.arange(len(self.start)), lengths)

    @cached_property
    def _place(self) -> IntArray:
        return self.contract * len(self.ts) + self.row

    def spread(self, values: AnyArray) -> FloatArray:
        """Return quotes as (n_rows, n_contracts), contiguous per contract; NaN where none is."""
        n_rows, n_contracts = self.shape
        if self.is_dense:
            dense: FloatArray = values.astype(np.float64).reshape(n_contracts, n_rows)
            return dense.T
        flat = np.full(n_rows * n_contracts, np.nan)
        flat[self._place] = values
        return flat.reshape(n_contracts, n_rows).T

    def gather(self, field: FloatArray) -> FloatArray:
        """Return the quotes of a (n_rows, n_contracts) array in the store's order."""
        quotes: FloatArray = np.ascontiguousarray(field.T).reshape(-1)
        return quotes if self.is_dense else quotes[self._place]

    def latest_per_row(self, values: AnyArray) -> FloatArray:
        """Return (n_rows,) the value any quote of the row carries; NaN where none does."""
        per_row = np.full(len(self.ts), np.nan)
        known = np.isfinite(values)
        per_row[self.row[known]] = values[known]
        return per_row


def grid_of(columns: Mapping[str, AnyArray]) -> Grid:
    """Index columns sorted by (expiry, strike, right, ts)."""
    ts, strike, right = columns["ts"], columns["strike"], columns["right"]
    expiry = columns["expiry"].view(np.int64)
    changes = (np.diff(expiry) != 0) | (np.diff(strike) != 0) | (right[1:] != right[:-1])
    start = np.concatenate(([0], np.flatnonzero(changes) + 1))
    return Grid(
        ts=_row_times(ts, start),
        expiry=columns["expiry"][start],
        strike=strike[start].astype(np.float64),
        right=right[start].astype(np.int64),
        start=start,
        quote_ts=ts,
    )


def _row_times(ts: TimeArray, start: IntArray) -> TimeArray:
    first_contract = ts[: start[1] if len(start) > 1 else len(ts)]
    n_rows = len(first_contract)
    if len(ts) == n_rows * len(start):
        table = ts.reshape(len(start), n_rows)
        if np.array_equal(table, np.broadcast_to(first_contract, table.shape)):
            return first_contract
    return np.unique(ts.view(np.int64)).view(ts.dtype)


def sort_order(columns: Mapping[str, AnyArray]) -> IntArray | None:
    """Return the order by (expiry, strike, CE before PE, ts); None when it is that already."""
    expiry = columns["expiry"].astype("datetime64[D]").view(np.int64)
    side = (columns["right"] < 0).astype(np.int64)
    paise = np.round(columns["strike"].astype(np.float64) * 100).astype(np.int64)
    contract = (expiry * 100_000_000 + paise) * 2 + side
    ts = columns["ts"].view(np.int64)
    step = np.diff(contract)
    if bool(((step > 0) | ((step == 0) & (np.diff(ts) >= 0))).all()):
        return None
    return np.lexsort((ts, contract))


def take(columns: Mapping[str, AnyArray], chosen: AnyArray) -> Columns:
    """Return the rows a mask or an order names."""
    return {name: values[chosen] for name, values in columns.items()}


def n_quotes(columns: Mapping[str, AnyArray]) -> int:
    """Return the number of rows."""
    return len(columns["ts"])
