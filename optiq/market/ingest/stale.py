"""Pages served again: an older state of an expiry, or the very same one under a new stamp."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.day_arrays import Grid
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray

_MOST_REFUSED = 0.3
"""Where more snapshots than this would go, the volume itself is what cannot be trusted."""
_LIVELY_CONTRACTS = 20
"""Where so many contracts of an expiry ordinarily move, they do not all stand still at once."""
_STANDSTILL = np.timedelta64(60, "s")

OLDER, SAME, NEWER = -1, 0, 1


def older_pages(grid: Grid, volume: FloatArray) -> BoolArray:
    """Return (n_rows, n_expiries): snapshots that show an older state of their expiry.

    A contract's volume only grows over a session. A snapshot is older than another where more of
    their common contracts fall than rise; a fall to 0 is a vendor's gap and does not count. Kept
    is the run of snapshots with most rises, so neither yesterday's page at the open nor a cached
    one at noon drives out the fresh ones.
    """
    expiries, place = np.unique(grid.expiry, return_inverse=True)
    older = np.zeros((len(grid.ts), len(expiries)), np.bool_)
    for index in range(len(expiries)):
        older[:, index] = _older_rows(np.ascontiguousarray(volume[:, place == index]))
    return older


def repeated_pages(grid: Grid, fields: Mapping[str, FloatArray]) -> BoolArray:
    """Return (n_rows, n_expiries): snapshots that repeat the one before, a minute ago or more.

    ``fields`` are (n_rows, n_contracts). A page in which nothing at all moved was served again
    where ordinarily, by the median of the day, at least twenty contracts of the expiry move.
    """
    expiries, place = np.unique(grid.expiry, return_inverse=True)
    repeated = np.zeros((len(grid.ts), len(expiries)), np.bool_)
    late = np.diff(grid.ts) >= _STANDSTILL
    for index in range(len(expiries)):
        own = [values[:, place == index] for values in fields.values()]
        quoted = np.logical_or.reduce([np.isfinite(values) for values in own]).any(axis=1)
        moved = np.logical_or.reduce([_moves(values) for values in own]).sum(axis=1)
        both = quoted[1:] & quoted[:-1]
        if both.any() and np.median(moved[both]) >= _LIVELY_CONTRACTS:
            repeated[1:, index] = late & both & (moved == 0)
    return repeated


def is_older(later: FloatArray, earlier: FloatArray) -> bool:
    """Return whether of the same contracts' volumes, (n,) each, more fell than rose.

    >>> is_older(np.array([5.0, 4.0, 0.0]), np.array([5.0, 6.0, 9.0]))
    True
    """
    return bool(_compare(later, earlier) == OLDER)


def _moves(values: FloatArray) -> BoolArray:
    """Return (n_rows - 1, n_contracts): whether a value differs from the row before."""
    before, now = values[:-1], values[1:]
    moves: BoolArray = (before != now) & ~(np.isnan(before) & np.isnan(now))
    return moves


def _older_rows(volume: FloatArray) -> BoolArray:
    older = np.zeros(len(volume), np.bool_)
    rows = np.flatnonzero(np.isfinite(volume).any(axis=1))
    seen = volume[rows]
    if not any(_compare(seen[k], seen[k - 1]) == OLDER for k in range(1, len(rows))):
        return older
    kept = _longest_growing(_comparisons(seen))
    if len(rows) - len(kept) <= _MOST_REFUSED * len(rows):
        older[np.delete(rows, kept)] = True
    return older


@compiled
def _compare(later: FloatArray, earlier: FloatArray) -> int:
    """Return whether the later snapshot's volumes are older, the same or newer on balance."""
    balance = 0
    for c in range(len(later)):
        if later[c] > earlier[c]:
            balance += 1
        elif 0 < later[c] < earlier[c]:
            balance -= 1
    return NEWER if balance > 0 else OLDER if balance < 0 else SAME


@compiled
def _comparisons(volume: FloatArray) -> IntArray:
    """Return (later, earlier): how each snapshot compares with each before it."""
    n_rows = len(volume)
    compared = np.full((n_rows, n_rows), OLDER)
    for later in range(n_rows):
        for earlier in range(later):
            compared[later, earlier] = _compare(volume[later], volume[earlier])
    return compared


def _longest_growing(compared: AnyArray) -> list[int]:
    """Return the rows of the run with most rises; among equals the one that keeps most rows."""
    n_rows = len(compared)
    rises, kept_rows = np.zeros(n_rows, np.int64), np.ones(n_rows, np.int64)
    previous = np.full(n_rows, -1)
    for row in range(1, n_rows):
        may = np.flatnonzero(compared[row, :row] != OLDER)
        if len(may):
            total = rises[may] + compared[row, may]
            best = may[
                np.lexsort((-may, kept_rows[may], total))[-1]
            ]  # at a tie the later is cached
            previous[row] = best
            rises[row] = rises[best] + compared[row, best]
            kept_rows[row] = kept_rows[best] + 1
    row = int(np.lexsort((kept_rows, rises))[-1])
    kept = []
    while row >= 0:
        kept.append(row)
        row = int(previous[row])
    return kept[::-1]
