"""A day's quotes between two shapes: long columns of the store, dense arrays of a panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

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
        return self.place - self.contract * len(self.ts)

    @cached_property
    def contract(self) -> IntArray:
        """Column of each quote."""
        lengths = np.diff(np.append(self.start, len(self.quote_ts)))
        return np.repeat(np.arange(len(self.start)), lengths)

    @cached_property
    def place(self) -> IntArray:
        """Where each quote lies in an array laid out contract by contract."""
        times = self.ts.view(np.int64)
        place: IntArray = _places(self.quote_ts.view(np.int64), self.start, times)
        return place

    def spread(self, values: AnyArray) -> FloatArray:
        """Return quotes as (n_rows, n_contracts), contiguous per contract; NaN where none is."""
        n_rows, n_contracts = self.shape
        if self.is_dense:
            flat = values.astype(np.float64)
        else:
            flat = _scattered(values, self.place, n_rows * n_contracts)
        return flat.reshape(n_contracts, n_rows).T

    def gather(self, field: FloatArray) -> FloatArray:
        """Return the quotes of a (n_rows, n_contracts) array in the store's order."""
        quotes: FloatArray = np.ascontiguousarray(field.T).reshape(-1)
        return quotes if self.is_dense else quotes[self.place]

    def latest_per_row(self, values: AnyArray) -> FloatArray:
        """Return (n_rows,) the value any quote of the row carries; NaN where none does."""
        place = np.arange(len(values)) if self.is_dense else self.place
        per_row: FloatArray = _latest_per_row(values, place, len(self.ts))
        return per_row


def grid_of(columns: Mapping[str, AnyArray]) -> Grid:
    """Index columns sorted by (expiry, strike, right, ts)."""
    ts, strike, right = columns["ts"], columns["strike"], columns["right"]
    expiry = columns["expiry"].view(np.int64)
    start: IntArray = _contract_starts(expiry, strike, right)
    return Grid(
        ts=_row_times(ts.view(np.int64), start).view(ts.dtype),
        expiry=columns["expiry"][start],
        strike=strike[start].astype(np.float64),
        right=right[start].astype(np.int64),
        start=start,
        quote_ts=ts,
    )


def _row_times(ts: IntArray, start: IntArray) -> IntArray:
    """Return the distinct times of all contracts, ascending.

    The contract with most quotes mostly has them all; what others add is few.
    """
    ends = np.append(start[1:], len(ts))
    longest = int(np.argmax(ends - start))
    times = ts[start[longest] : ends[longest]]
    while len(missing := _missing(ts, start, times)):
        times = np.union1d(times, missing)
    return times


@njit(cache=True)
def _contract_starts(expiry: IntArray, strike: AnyArray, right: AnyArray) -> IntArray:
    starts = np.empty(len(strike), np.int64)
    count = 0
    for i in range(len(strike)):
        if (
            i == 0
            or strike[i] != strike[i - 1]
            or right[i] != right[i - 1]
            or expiry[i] != expiry[i - 1]
        ):
            starts[count] = i
            count += 1
    return starts[:count].copy()


@njit(cache=True)
def _missing(ts: IntArray, start: IntArray, times: IntArray) -> IntArray:
    """Return quote times that are not among ``times``, with repeats; both ascend by contract."""
    missing = np.empty(len(ts), np.int64)
    count, row, contract = 0, 0, 0
    for i in range(len(ts)):
        if contract < len(start) and i == start[contract]:
            row = 0
            contract += 1
        while row < len(times) and times[row] < ts[i]:
            row += 1
        if row == len(times) or times[row] != ts[i]:
            missing[count] = ts[i]
            count += 1
    return missing[:count].copy()


@njit(cache=True)
def _places(ts: IntArray, start: IntArray, times: IntArray) -> IntArray:
    place = np.empty(len(ts), np.int64)
    row, contract = 0, 0
    for i in range(len(ts)):
        if contract < len(start) and i == start[contract]:
            row = 0
            contract += 1
        while times[row] < ts[i]:
            row += 1
        place[i] = (contract - 1) * len(times) + row
    return place


@njit(cache=True)
def _scattered(values: AnyArray, place: IntArray, size: int) -> FloatArray:
    flat = np.full(size, np.nan)
    for i in range(len(values)):
        flat[place[i]] = values[i]
    return flat


@njit(cache=True)
def _latest_per_row(values: AnyArray, place: IntArray, n_rows: int) -> FloatArray:
    per_row = np.full(n_rows, np.nan)
    for i in range(len(values)):
        if not np.isnan(values[i]):
            per_row[place[i] % n_rows] = values[i]
    return per_row


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
