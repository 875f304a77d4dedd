"""Panels from long columns: in memory at ingest, lazily from a chain file afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from optiq.market import calendar, contracts
from optiq.market.chain_file import ChainFile
from optiq.market.day_arrays import Columns, Grid, grid_of
from optiq.market.panel import Panel
from optiq.market.read_only import read_only
from optiq.market.schema import (
    FIELDS,
    GREEKS,
    PRICES,
    AnyArray,
    BoolArray,
    FloatArray,
    TimeArray,
)

_ROW_COLUMNS = ("spot", "received_ts", "is_chain")
_TOGETHER = (PRICES, ("volume", "oi", "oi_change"), ("bid_qty", "ask_qty"), GREEKS)


class StoredFields(Mapping[str, FloatArray]):
    """The per-quote arrays of a day, read when first asked for.

    Fields used together are read together: prices, activity, sizes, Greeks.
    """

    def __init__(self, file: ChainFile, grid: Grid) -> None:
        self._file = file
        self._grid = grid
        self._loaded: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._loaded:
            if name not in FIELDS:
                raise KeyError(name)
            self.load(next(group for group in _TOGETHER if name in group))
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(FIELDS)

    def __len__(self) -> int:
        return len(FIELDS)

    def load(self, names: Iterable[str]) -> None:
        """Read several fields in one go."""
        missing = [name for name in names if name not in self._loaded]
        self.keep(missing, self._file.read(missing) if missing else {})

    def keep(self, names: Iterable[str], columns: Mapping[str, AnyArray]) -> None:
        """Spread columns already read; what the file lacks is NaN everywhere."""
        for name in names:
            self._loaded[name] = read_only(spread_field(self._grid, name, columns.get(name)))


def spread_field(grid: Grid, name: str, values: AnyArray | None) -> FloatArray:
    """Return one field as (n_rows, n_contracts); prices are rounded to the paisa, once."""
    if values is None:
        return np.full(grid.shape[::-1], np.nan).T
    return grid.spread(values, to_the_paisa=name in PRICES)


def panel_from_columns(
    underlying: str, date: dt.date, columns: Columns, *, has_book: bool | None = None
) -> Panel:
    """Build a panel from sorted columns in memory; a book is there when any quote has one."""
    grid = grid_of(columns)
    fields = {name: spread_field(grid, name, columns.get(name)) for name in FIELDS}
    if has_book is None:
        has_book = any(bool(np.isfinite(fields[side]).any()) for side in ("bid", "ask"))
    return assemble(underlying, date, grid, columns, fields, has_book=has_book, notes=())


def panel_from_file(
    underlying: str,
    date: dt.date,
    file: ChainFile,
    names: Iterable[str],
    *,
    has_book: bool,
    notes: tuple[str, ...],
) -> Panel:
    """Build a panel from a chain file, reading ``names`` at once and the rest when asked for."""
    names = tuple(names)
    columns = file.read((*_ROW_COLUMNS, *names))
    grid = file.grid
    fields = StoredFields(file, grid)
    fields.keep(names, columns)
    return assemble(underlying, date, grid, columns, fields, has_book=has_book, notes=notes)


def assemble(
    underlying: str,
    date: dt.date,
    grid: Grid,
    columns: Columns,
    fields: Mapping[str, FloatArray],
    *,
    has_book: bool,
    notes: tuple[str, ...],
) -> Panel:
    """Put a day's rows, contracts and fields together."""
    session = calendar.session(date, underlying)
    return Panel(
        underlying=underlying,
        date=date,
        ts=grid.ts,
        known=_known(grid, columns.get("received_ts")),
        is_chain=_is_chain(grid, columns.get("is_chain")),
        spot=_spot(grid, columns.get("spot")),
        expiry=grid.expiry,
        strike=grid.strike,
        right=grid.right,
        lot=contracts.lot_sizes(underlying, grid.expiry, date),
        open_minute=session.open_minute,
        close_minute=session.close_minute,
        has_book=has_book,
        fields=fields,
        notes=notes,
    )


def _spot(grid: Grid, quoted: AnyArray | None) -> FloatArray:
    if quoted is None:
        return np.full(len(grid.ts), np.nan)
    return grid.per_row(quoted)


def _known(grid: Grid, received: TimeArray | None) -> TimeArray:
    known = grid.ts.copy()
    if received is None or np.isnat(received).all():
        return known
    there = ~np.isnat(received)
    np.maximum.at(known.view(np.int64), grid.row[there], received[there].view(np.int64))
    return known


def _is_chain(grid: Grid, flags: AnyArray | None) -> BoolArray:
    if flags is None or bool(flags.all()):
        return np.ones(len(grid.ts), np.bool_)
    is_chain = np.zeros(len(grid.ts), np.bool_)
    is_chain[grid.row[flags.astype(np.bool_)]] = True
    return is_chain
