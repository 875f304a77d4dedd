"""Older pages served again: snapshots whose traded volume is less than an earlier one's."""

from __future__ import annotations

import numpy as np

from optiq.market.day_arrays import Grid
from optiq.market.schema import BoolArray, FloatArray

_CLEARLY_LESS = 0.995
_MOST_REFUSED = 0.3
"""Where more snapshots than this would go, the volume itself is what cannot be trusted."""


def older_pages(grid: Grid, volume: FloatArray) -> BoolArray:
    """Return (n_rows, n_expiries): snapshots that show an older state of their expiry.

    Volume only grows over a session. Kept is the longest run of snapshots in which it does,
    compared over the contracts that both of two snapshots quote.
    """
    expiries, place = np.unique(grid.expiry, return_inverse=True)
    older = np.zeros((len(grid.ts), len(expiries)), np.bool_)
    for index in range(len(expiries)):
        older[:, index] = _older_rows(volume[:, place == index])
    return older


def _older_rows(volume: FloatArray) -> BoolArray:
    older = np.zeros(len(volume), np.bool_)
    quoted = np.isfinite(volume)
    rows = np.flatnonzero(quoted.any(axis=1))
    if len(rows) < 2 or not _falls_anywhere(volume[rows]):
        return older
    kept = _longest_growing(_may_follow(volume[rows], quoted[rows]))
    if len(rows) - len(kept) <= _MOST_REFUSED * len(rows):
        older[np.delete(rows, kept)] = True
    return older


def _falls_anywhere(volume: FloatArray) -> bool:
    change = np.nansum(np.diff(volume, axis=0), axis=1)
    return bool((change < (_CLEARLY_LESS - 1) * np.nansum(volume[:-1], axis=1)).any())


def _may_follow(volume: FloatArray, quoted: BoolArray) -> BoolArray:
    """Return (later, earlier): whether the later row's volume is no less than the earlier's."""
    amounts = np.where(quoted, volume, 0.0)
    common = amounts @ quoted.T.astype(np.float64)
    return common >= _CLEARLY_LESS * common.T


def _longest_growing(may_follow: BoolArray) -> list[int]:
    n_rows = len(may_follow)
    length = np.ones(n_rows, np.int64)
    previous = np.full(n_rows, -1)
    for row in range(1, n_rows):
        reachable = np.where(may_follow[row, :row], length[:row], 0)
        best = int(reachable[::-1].argmax())
        if reachable[row - 1 - best]:
            previous[row] = row - 1 - best
            length[row] = reachable[row - 1 - best] + 1
    row = int(length.argmax())
    kept = []
    while row >= 0:
        kept.append(row)
        row = int(previous[row])
    return kept[::-1]
