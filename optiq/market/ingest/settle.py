"""One session's rows of all sources against each other and against what is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.day_arrays import Columns, Grid, contract_key, grid_of, n_quotes, take
from optiq.market.ingest.clock import snapshot_times
from optiq.market.ingest.stale import older_pages, repeated_pages
from optiq.market.schema import PRICES, QUANTITIES, AnyArray, BoolArray, IntArray

STORED = -1
"""The number of the source of rows that are in the store already."""

_COMPARED = (*PRICES, *QUANTITIES)
_TIMES = ("ts", "received_ts", "expiry")
_LOCAL = ("source", "row_number")


@dataclass(frozen=True)
class Settled:
    """What a day holds now, sorted, and what became of the new rows.

    ``columns`` still has ``source`` and ``row_number``; ``duplicate_sources`` is the source of
    every row that said what was known; ``refused`` are reason, rows and the values they contradict.
    """

    columns: Columns
    duplicate_sources: IntArray
    refused: list[tuple[str, Columns, Columns]]

    @property
    def n_new(self) -> int:
        """Rows that were not stored before."""
        return int((self.columns["source"] != STORED).sum())


def settle(stored: Columns | None, chunks: list[Columns]) -> Settled:
    """Merge rows by (expiry, strike, right, ts): equal values are duplicates, others conflicts."""
    superseded: list[IntArray] = []
    fresh = [_snapshots(rows, superseded) for rows in _per_source(chunks)]
    rows = concatenate([_labelled(stored), *fresh] if stored is not None else fresh)
    contract = contract_key(rows)
    order = np.lexsort((rows["ts"].view(np.int64), contract))
    rows, contract = take(rows, order), contract[order]
    leader = _leaders(contract, rows["ts"])
    repeated = leader != np.arange(len(leader))
    conflict = repeated.copy()
    conflict[repeated] = ~_equal_values(rows, leader[repeated], np.flatnonzero(repeated))
    refused = []
    if conflict.any():
        other = take({name: rows[name] for name in _COMPARED if name in rows}, leader[conflict])
        refused.append(("other values for the same quote", take(rows, conflict), other))
    duplicates: IntArray = rows["source"][repeated & ~conflict]
    kept = take(rows, ~repeated) if repeated.any() else rows
    kept = _without_stale(kept, refused)
    return Settled(kept, np.concatenate((duplicates, *superseded)), refused)


def concatenate(parts: list[Columns]) -> Columns:
    """Join columns; what one part lacks is missing there."""
    if len(parts) == 1:
        return parts[0]
    names = list(dict.fromkeys(name for part in parts for name in part))
    return {
        name: np.concatenate([part.get(name, _missing(name, n_quotes(part))) for part in parts])
        for name in names
    }


def _missing(name: str, length: int) -> AnyArray:
    if name in _TIMES:
        return np.full(length, np.datetime64("NaT", "us"))
    if name == "is_chain":
        return np.ones(length, np.bool_)
    return np.full(length, np.nan)


def _labelled(stored: Columns) -> Columns:
    rows = n_quotes(stored)
    return stored | {
        "source": np.full(rows, STORED, np.int64),
        "row_number": np.zeros(rows, np.int64),
    }


def _per_source(chunks: list[Columns]) -> list[Columns]:
    """Join the pieces a source came in."""
    by_source: dict[int, list[Columns]] = {}
    for chunk in chunks:
        by_source.setdefault(int(chunk["source"][0]), []).append(chunk)
    return [concatenate(pieces) for pieces in by_source.values()]


def _snapshots(rows: Columns, superseded: list[IntArray]) -> Columns:
    """Give the quotes of one poll one time, and let the last of several ticks of a second win."""
    contract = contract_key(rows)
    ts = snapshot_times(rows["ts"], contract)
    if ts is rows["ts"] or bool((ts == rows["ts"]).all()):
        return rows
    order = np.lexsort((rows["ts"].view(np.int64), ts.view(np.int64), contract))
    moved, contract = take(rows | {"ts": ts}, order), contract[order]
    same = (contract[1:] == contract[:-1]) & (moved["ts"][1:] == moved["ts"][:-1])
    last = np.append(~same, np.bool_(True))
    superseded.append(moved["source"][~last])
    return take(moved, last)


def _leaders(contract: IntArray, ts: AnyArray) -> IntArray:
    """Return for each sorted row the first row with the same key."""
    first = np.ones(len(ts), np.bool_)
    first[1:] = (contract[1:] != contract[:-1]) | (ts[1:] != ts[:-1])
    return np.maximum.accumulate(np.where(first, np.arange(len(ts)), 0))


def _equal_values(rows: Columns, leader: IntArray, row: IntArray) -> BoolArray:
    """Whether rows say what their leaders say, in the width of the store."""
    equal = np.ones(len(row), np.bool_)
    for name in _COMPARED:
        if name in rows and len(row):
            one, other = (rows[name][index].astype(np.float32) for index in (leader, row))
            equal &= (one == other) | (np.isnan(one) & np.isnan(other))
    return equal


def _without_stale(rows: Columns, refused: list[tuple[str, Columns, Columns]]) -> Columns:
    """Take out snapshots without any price, and pages served again: older ones or the last."""
    if not n_quotes(rows):
        return rows
    grid = grid_of(rows)
    is_new = rows["source"] != STORED
    for reason, stale in (
        ("a snapshot without any price", _unpriced(grid, rows)),
        ("an older page served again (volume falls)", _served_again(grid, rows, older=True)),
        ("the page before served again (nothing moves)", _served_again(grid, rows, older=False)),
    ):
        stale = stale & is_new
        if stale.any():
            refused.append((reason, take(rows, stale), {}))
            is_new = is_new & ~stale
    kept = is_new | (rows["source"] == STORED)
    return rows if kept.all() else take(rows, kept)


def _unpriced(grid: Grid, rows: Columns) -> BoolArray:
    priced = np.zeros(len(grid.ts), np.bool_)
    for name in PRICES:
        if name in rows:
            priced[grid.row[np.isfinite(rows[name])]] = True
    unpriced: BoolArray = ~priced[grid.row]
    return unpriced


def _served_again(grid: Grid, rows: Columns, *, older: bool) -> BoolArray:
    if "volume" not in rows:
        return np.zeros(n_quotes(rows), np.bool_)
    if "is_chain" in rows and not rows["is_chain"].all():
        # between two snapshots lie a few contracts' quotes, beside which a page always moves
        pages_alone, flags = take(rows, rows["is_chain"]), np.zeros(n_quotes(rows), np.bool_)
        flags[rows["is_chain"]] = _served_again(grid_of(pages_alone), pages_alone, older=older)
        return flags
    if older:
        pages = older_pages(grid, grid.spread(rows["volume"]))
    else:
        moving = [name for name in _COMPARED if name in rows]
        pages = repeated_pages(grid, {name: grid.spread(rows[name]) for name in moving})
    expiry = np.unique(grid.expiry, return_inverse=True)[1]
    flagged: BoolArray = pages[grid.row, expiry[grid.contract]]
    return flagged
