"""The panel of a day that is still coming in, row by row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import numpy as np

from optiq.market import calendar, contracts
from optiq.market.chain_row import ChainRow
from optiq.market.paisa import to_paisa
from optiq.market.panel import Panel
from optiq.market.read_only import read_only
from optiq.market.row_facts import ROWS_AT_FIRST, RowFacts
from optiq.market.schema import FIELDS, PRICES, AnyArray, FloatArray, IntArray, TimeArray

CONTRACTS_AT_FIRST = 256


class Buffer:
    """A growing (n_rows, n_contracts) field, laid out contract by contract, NaN where empty."""

    def __init__(self) -> None:
        self.all = np.full((CONTRACTS_AT_FIRST, ROWS_AT_FIRST), np.nan)

    def put(self, row: int, columns: IntArray, values: FloatArray) -> None:
        """Write one row's values; there is room for it."""
        self.all[columns, row] = values

    def make_room(self, n_rows: int, n_contracts: int) -> None:
        """Double what is too small."""
        have_contracts, have_rows = self.all.shape
        if n_contracts <= have_contracts and n_rows <= have_rows:
            return
        shape = _room(have_contracts, n_contracts), _room(have_rows, n_rows)
        grown = np.full(shape, np.nan)
        grown[:have_contracts, :have_rows] = self.all
        self.all = grown

    def copied(self, rows: slice, n_contracts: int) -> FloatArray:
        """Return a copy of some rows, (n_rows, n_contracts), contiguous per contract."""
        return self.all[:n_contracts, rows].copy().T


def _room(have: int, need: int) -> int:
    return have if need <= have else max(need, 2 * have)


class Contracts:
    """The contracts seen so far, in order of first appearance; a column never moves."""

    def __init__(self, underlying: str, date: dt.date) -> None:
        self._underlying, self._date = underlying, date
        self._column: dict[tuple[int, float, int], int] = {}
        self.expiry: TimeArray = np.empty(0, "datetime64[D]")
        self.strike: FloatArray = np.empty(0)
        self.right: IntArray = np.empty(0, np.int64)
        self.lot: IntArray = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._column)

    def columns_of(self, row: ChainRow) -> IntArray:
        """Return the column of each contract of a row, adding the new ones."""
        days = row.expiry.astype("datetime64[D]").astype(np.int64)
        keys = list(zip(days.tolist(), row.strike.tolist(), row.right.tolist(), strict=True))
        known = len(self._column)
        columns = [self._column.setdefault(key, len(self._column)) for key in keys]
        if len(self._column) > known:
            self._add(row, np.array(columns) >= known)
        return np.array(columns, np.int64)

    def _add(self, row: ChainRow, new: AnyArray) -> None:
        expiry = row.expiry[new].astype("datetime64[D]")
        self.expiry = np.append(self.expiry, expiry)
        self.strike = np.append(self.strike, row.strike[new])
        self.right = np.append(self.right, row.right[new])
        self.lot = np.append(self.lot, contracts.lot_sizes(self._underlying, expiry, self._date))


class Fields(Mapping[str, FloatArray]):
    """Chain rows, each field copied together when first asked for."""

    def __init__(self, buffers: Mapping[str, Buffer], rows: slice, n_contracts: int) -> None:
        self._buffers, self._rows, self._n_contracts = buffers, rows, n_contracts
        self._copied: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._copied:
            copied = self._buffers[name].copied(self._rows, self._n_contracts)
            self._copied[name] = read_only(copied)
        return self._copied[name]

    def last_rows(self, start: int) -> Fields:
        """Return the fields from row ``start`` on, of which no other row is copied."""
        rows = slice(self._rows.start + start, self._rows.stop)
        return Fields(self._buffers, rows, self._n_contracts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._buffers)

    def __len__(self) -> int:
        return len(self._buffers)


class SpreadFields(Mapping[str, FloatArray]):
    """The fields of all rows: prices of each, the others where a row is a chain snapshot."""

    def __init__(
        self,
        prices: Mapping[str, FloatArray],
        chain: Mapping[str, FloatArray],
        chain_rows: IntArray,
        n_rows: int,
    ) -> None:
        self._prices, self._chain = prices, chain
        self._chain_rows, self._n_rows = chain_rows, n_rows
        self._spread: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        if name in self._prices:
            return self._prices[name]
        if name not in self._spread:
            chain = self._chain[name]
            everywhere = np.full((chain.shape[1], self._n_rows), np.nan).T
            everywhere[self._chain_rows] = chain
            self._spread[name] = read_only(everywhere)
        return self._spread[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._chain)

    def __len__(self) -> int:
        return len(self._chain)


class GrowingPanel:
    """A session's rows as they arrive: prices of every row, all fields of the chain rows.

    Strategies and models see the chain rows alone, so monitor rows, of which there may be ten
    thousand a day, cost the walk three prices each and them nothing.
    """

    def __init__(self, underlying: str, date: dt.date, *, has_book: bool) -> None:
        self.underlying, self.date, self.has_book = underlying, date, has_book
        self.session = calendar.session(date, underlying)
        self.contracts = Contracts(underlying, date)
        self.prices = {name: Buffer() for name in PRICES}
        self.n_rows, self.n_chain_rows = 0, 0
        self.ts = np.empty(ROWS_AT_FIRST, "datetime64[us]")
        self.known = np.empty(ROWS_AT_FIRST, "datetime64[us]")
        self.is_chain = np.zeros(ROWS_AT_FIRST, np.bool_)
        self.spot = np.full(ROWS_AT_FIRST, np.nan)
        self._chain = {name: Buffer() for name in FIELDS}
        self._facts = RowFacts()

    def append(self, row: ChainRow) -> int:
        """Add a row and return its number; it must be later than the last."""
        if self.n_rows and row.ts <= self.ts[self.n_rows - 1]:
            raise ValueError(f"row of {row.ts} after one of {self.ts[self.n_rows - 1]}")
        number = self.n_rows
        columns = self.contracts.columns_of(row)
        self._make_room(number + 1)
        self.ts[number], self.known[number] = row.ts, max(row.known, row.ts)
        self.is_chain[number], self.spot[number] = row.is_chain, row.spot
        for name in PRICES:
            if name in row.fields:
                self.prices[name].put(number, columns, to_paisa(row.fields[name]))
        self.n_rows += 1
        if row.is_chain:
            self._append_chain(row, columns)
        return number

    def _append_chain(self, row: ChainRow, columns: IntArray) -> None:
        at = self.n_chain_rows
        for name, buffer in self._chain.items():
            buffer.make_room(at + 1, len(self.contracts))
            if name in row.fields:
                values = np.asarray(row.fields[name], np.float64)
                buffer.put(at, columns, to_paisa(values) if name in PRICES else values)
        self.n_chain_rows += 1
        self._facts.add(self._alone(at))

    def _make_room(self, n_rows: int) -> None:
        for buffer in self.prices.values():
            buffer.make_room(n_rows, len(self.contracts))
        if n_rows > len(self.ts):
            more = len(self.ts)
            self.ts = np.append(self.ts, np.empty(more, "datetime64[us]"))
            self.known = np.append(self.known, np.empty(more, "datetime64[us]"))
            self.is_chain = np.append(self.is_chain, np.zeros(more, np.bool_))
            self.spot = np.append(self.spot, np.full(more, np.nan))

    @property
    def chain_rows(self) -> IntArray:
        """The rows so far that are chain snapshots."""
        return np.flatnonzero(self.is_chain[: self.n_rows])

    def chain_panel(self) -> Panel:
        """Return the chain rows so far as the panel that strategies and models see."""
        panel = self._panel(self.chain_rows, self._chain_fields())
        self._facts.tell(panel)
        return panel

    def panel(self) -> Panel:
        """Return all rows so far; monitor rows have their prices and nothing else."""
        prices = Fields(self.prices, slice(0, self.n_rows), len(self.contracts))
        chain = self._chain_fields()
        everything = SpreadFields(prices, chain, self.chain_rows, self.n_rows)
        return self._panel(np.arange(self.n_rows), everything)

    def _panel(self, rows: IntArray, fields: Mapping[str, FloatArray]) -> Panel:
        return Panel(
            underlying=self.underlying,
            date=self.date,
            ts=self.ts[rows],
            known=self.known[rows],
            is_chain=self.is_chain[rows],
            spot=self.spot[rows],
            expiry=self.contracts.expiry,
            strike=self.contracts.strike,
            right=self.contracts.right,
            lot=self.contracts.lot,
            open_minute=self.session.open_minute,
            close_minute=self.session.close_minute,
            has_book=self.has_book,
            fields=fields,
        )

    def _chain_fields(self) -> Fields:
        return Fields(self._chain, slice(0, self.n_chain_rows), len(self.contracts))

    def _alone(self, at: int) -> Panel:
        """Return the last chain row as a panel of its own."""
        return self._panel(self.chain_rows[at:], self._chain_fields().last_rows(at))
