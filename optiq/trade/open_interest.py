"""Open interest near the money, in whole units: the sum is the same in whatever order.

A contract counts from the first chain row that quotes it a price, as it does not exist before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray, IntArray


class BothSides(NamedTuple):
    """Open interest of calls and of puts near the money, each (n_rows,).

    Units, and on how many strikes there is any.
    """

    call: IntArray
    put: IntArray
    call_strikes: IntArray
    put_strikes: IntArray


def open_interest_by_side(panel: Panel, steps: FloatArray, strikes: int) -> BothSides:
    """Return the open interest within ``strikes`` of the money; ``steps`` says where that is."""
    return BothSides(*_by_side(panel.oi, steps, panel.right, panel.first_row, strikes))


def open_interest_then_and_now(
    panel: Panel, steps: FloatArray, strikes: int, earlier: IntArray
) -> tuple[IntArray, IntArray]:
    """Return the open interest at the row ``earlier`` and at each row, two of (n_rows,) units.

    The same contracts at both moments: those within ``strikes`` of the money now whose open
    interest is known at both. ``earlier`` is -1 where there is none: both are 0 there.
    """
    then, now = _then_and_now(panel.oi, steps, earlier, panel.first_row, strikes)
    return then, now


@compiled
def _units(quantity: float) -> int:
    return int(np.rint(quantity))


@compiled
def _by_side(
    oi: FloatArray, steps: FloatArray, right: IntArray, first: IntArray, strikes: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    n_rows, n_contracts = oi.shape
    units = np.zeros((2, n_rows), np.int64)
    count = np.zeros((2, n_rows), np.int64)
    for c in range(n_contracts):
        side = 0 if right[c] > 0 else 1
        for r in range(first[c], n_rows):
            if abs(steps[r, c]) <= strikes and oi[r, c] > 0.0:
                units[side, r] += _units(oi[r, c])
                count[side, r] += 1
    return units[0], units[1], count[0], count[1]


@compiled
def _then_and_now(
    oi: FloatArray, steps: FloatArray, earlier: IntArray, first: IntArray, strikes: int
) -> tuple[IntArray, IntArray]:
    n_rows, n_contracts = oi.shape
    then, now = np.zeros(n_rows, np.int64), np.zeros(n_rows, np.int64)
    for c in range(n_contracts):
        for r in range(first[c], n_rows):
            if earlier[r] >= 0 and abs(steps[r, c]) <= strikes:
                before, after = oi[earlier[r], c], oi[r, c]
                if before >= 0.0 and after >= 0.0:  # not where either is NaN
                    then[r] += _units(before)
                    now[r] += _units(after)
    return then, now
