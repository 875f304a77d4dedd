"""A day's quotes between two shapes: long columns of the store, dense arrays of a panel."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.paisa import to_paisa
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
    place : (n_quotes,) int
        Of each quote in an array laid out contract by contract: contract * n_rows + row.
    """

    ts: TimeArray
    expiry: TimeArray
    strike: FloatArray
    right: IntArray
    place: IntArray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and contracts."""
        return len(self.ts), len(self.strike)

    @property
    def is_dense(self) -> bool:
        """Whether every contract has every row, so that a reshape is enough."""
        return len(self.place) == len(self.ts) * len(self.strike)

    @cached_property
    def row(self) -> IntArray:
        """Row of each quote."""
        return self.place % len(self.ts)

    @cached_property
    def contract(self) -> IntArray:
        """Column of each quote."""
        return self.place // len(self.ts)

    def spread(self, values: AnyArray, *, to_the_paisa: bool = False) -> FloatArray:
        """Return quotes as (n_rows, n_contracts), contiguous per contract; NaN where none is.

        ``to_the_paisa`` rounds them on the way, as `optiq.market.paisa.to_paisa` does.
        """
        n_rows, n_contracts = self.shape
        flat = _spread(values, self.place, n_rows * n_contracts, to_the_paisa)
        return flat.reshape(n_contracts, n_rows).T

    def gather(self, field: FloatArray) -> FloatArray:
        """Return the quotes of a (n_rows, n_contracts) array in the store's order."""
        quotes: FloatArray = np.ascontiguousarray(field.T).reshape(-1)
        return quotes if self.is_dense else quotes[self.place]

    def per_row(self, values: AnyArray) -> FloatArray:
        """Return (n_rows,) what the quotes of a row carry; NaN where none carries it.

        Where they differ, as spots of pages fetched one after the other do, the first contract's
        stands: the nearest expiry's lowest strike.
        """
        per_row: FloatArray = _per_row(values, self.place, len(self.ts))
        return per_row


def grid_of(columns: Mapping[str, AnyArray]) -> Grid:
    """Index columns sorted by (expiry, strike, right, ts)."""
    strike, right = columns["strike"], columns["right"]
    ts = columns["ts"].view(np.int64)
    start = _contract_starts(columns["expiry"].view(np.int64), strike, right)
    times = _row_times(ts, start)
    return Grid(
        ts=times.view(columns["ts"].dtype),
        expiry=columns["expiry"][start],
        strike=strike[start].astype(np.float64),
        right=right[start].astype(np.int64),
        place=_places(ts, start, times),
    )


def packed(grid: Grid) -> bytes:
    """Return a grid as text for a file's footer: who has read it needs no key column."""
    present = np.zeros(len(grid.ts) * len(grid.strike), np.bool_)
    present[grid.place] = True
    parts = (
        np.array(grid.shape, "<i8"),
        grid.ts.astype("datetime64[us]").astype("<i8"),
        grid.expiry.astype("datetime64[D]").astype("<i8"),
        grid.strike.astype("<f8"),
        grid.right.astype("<i8"),
        np.packbits(present),
    )
    return base64.b64encode(zlib.compress(b"".join(part.tobytes() for part in parts), 6))


def unpacked(text: bytes) -> Grid:
    """Return the grid that `packed` wrote."""
    data = zlib.decompress(base64.b64decode(text))
    n_rows, n_contracts = np.frombuffer(data, "<i8", 2).tolist()
    ts, expiry, strike, right = np.split(
        np.frombuffer(data, "<i8", n_rows + 3 * n_contracts, 16),
        [n_rows, n_rows + n_contracts, n_rows + 2 * n_contracts],
    )
    bits = np.frombuffer(data, np.uint8, offset=16 + 8 * (n_rows + 3 * n_contracts))
    present = np.unpackbits(bits, count=n_rows * n_contracts)
    return Grid(
        ts=ts.astype("datetime64[us]"),
        expiry=expiry.astype("datetime64[D]"),
        strike=strike.view("<f8").astype(np.float64),
        right=right.astype(np.int64),
        place=np.flatnonzero(present),
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


@compiled
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


@compiled
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


@compiled
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


@compiled
def _spread(values: AnyArray, place: IntArray, size: int, to_the_paisa: bool) -> FloatArray:
    """Write each value, rounded or not, at its place, and NaN between: places ascend."""
    flat = np.empty(size)
    at = 0
    for i in range(len(values)):
        flat[at : place[i]] = np.nan
        at = place[i]
        flat[at] = to_paisa(values[i]) if to_the_paisa else values[i]
        at += 1
    flat[at:] = np.nan
    return flat


@compiled
def _per_row(values: AnyArray, place: IntArray, n_rows: int) -> FloatArray:
    per_row = np.full(n_rows, np.nan)
    unknown = n_rows
    for i in range(len(values)):
        row = place[i] % n_rows
        if np.isnan(per_row[row]) and not np.isnan(values[i]):
            per_row[row] = values[i]
            unknown -= 1
            if unknown == 0:
                break
    return per_row


def contract_key(columns: Mapping[str, AnyArray]) -> IntArray:
    """Return one integer a quote; contracts order by it: expiry, strike, CE before PE."""
    expiry = columns["expiry"].astype("datetime64[D]").view(np.int64)
    paise = np.round(columns["strike"].astype(np.float64) * 100).astype(np.int64)
    return (expiry * 100_000_000 + paise) * 2 + (columns["right"] < 0)


def sort_order(columns: Mapping[str, AnyArray]) -> IntArray | None:
    """Return the order by (expiry, strike, CE before PE, ts); None when it is that already."""
    contract, ts = contract_key(columns), columns["ts"].view(np.int64)
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
