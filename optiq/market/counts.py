"""Quantities of contracts: whole numbers, which add up to the same in whatever order."""

from __future__ import annotations

import math

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray, IntArray

NOT_A_COUNT = -1
LARGEST_COUNT = 2.0**40
"""Beyond it nothing is a quantity; sums of all contracts and rows stay within 63 bits."""


def relative_change(now: FloatArray, change: FloatArray) -> FloatArray:
    """Return a change as a fraction of what there was before it; NaN where there was nothing."""
    before = now - change
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(before > 0, change / before, np.nan)


@compiled
def first_value(field: FloatArray) -> int:
    """Return the first row on which a field (n_rows, n_contracts) has a value; n_rows if none."""
    first: int = field.shape[0]
    for contract in range(field.shape[1]):
        for row in range(first):
            if not math.isnan(field[row, contract]):
                first = row
                break
    return first


@compiled
def units(quantity: float) -> int:
    """Return a quantity as a whole number of units; `NOT_A_COUNT` where it cannot be one."""
    if 0.0 <= quantity < LARGEST_COUNT:
        return int(quantity + 0.5)
    return NOT_A_COUNT


def units_traded(panel: Panel) -> IntArray:
    """Return (n_rows,) what all contracts together traded since the chain row before."""
    volume = panel.volume.T
    if not panel.is_chain.all():
        volume = np.where(panel.is_chain, volume, np.nan)
    none_yet = np.full(panel.n_contracts, NOT_A_COUNT)
    return traded_units(np.ascontiguousarray(volume, np.float64), panel.first_row, none_yet)


@compiled
def traded_units(volume: FloatArray, first: IntArray, highest: IntArray) -> IntArray:
    """Return (n_rows,) what the whole chain traded since the row before.

    ``volume`` is (n_contracts, n_rows), cumulative; only what it rises over its highest so far
    counts, so that a vendor's gap is no trade. A contract's first volume is no trade either.
    ``highest`` (n_contracts,) is that of the rows before, `NOT_A_COUNT` where none had one; it is
    brought up to date.
    """
    n_contracts, n_rows = volume.shape
    traded = np.zeros(n_rows, np.int64)
    for contract in range(n_contracts):
        for row in range(first[contract], n_rows):
            now = units(volume[contract, row])
            if now > highest[contract]:
                if highest[contract] != NOT_A_COUNT:
                    traded[row] += now - highest[contract]
                highest[contract] = now
    return traded


@compiled
def units_near(
    quantity: FloatArray, side: IntArray, first: IntArray, steps: FloatArray, reach: float
) -> IntArray:
    """Return (2, n_rows) the units of calls and of puts within ``reach`` strikes of the money.

    `NOT_A_COUNT` where none is known.
    """
    total = np.full((2, quantity.shape[1]), NOT_A_COUNT)
    for contract in range(len(quantity)):
        right = side[contract]
        for row in range(first[contract], quantity.shape[1]):
            count = units(quantity[contract, row])
            if abs(steps[contract, row]) <= reach and count != NOT_A_COUNT:
                total[right, row] = max(total[right, row], 0) + count
    return total


@compiled
def growth_near(
    oi: FloatArray,
    side: IntArray,
    first: IntArray,
    steps: FloatArray,
    back: IntArray,
    reach: float,
) -> tuple[IntArray, IntArray]:
    """Return the change since row ``back`` and the units then, (2, n_rows) each: calls, puts.

    Of the contracts within ``reach`` strikes of the money now and known on both rows.
    """
    grown = np.zeros((2, oi.shape[1]), np.int64)
    base = np.zeros((2, oi.shape[1]), np.int64)
    for contract in range(len(oi)):
        for row in range(first[contract], oi.shape[1]):
            if back[row] >= first[contract] and abs(steps[contract, row]) <= reach:
                now, before = units(oi[contract, row]), units(oi[contract, back[row]])
                if now != NOT_A_COUNT and before != NOT_A_COUNT:
                    grown[side[contract], row] += now - before
                    base[side[contract], row] += before
    return grown, base
