"""Which orders are refused as nonsense, whoever wrote the strategy that gave them."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from optiq.errors import StrategyError
from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray
from optiq.trade.orders import MAX_LEGS, NO_LEG, Orders

PER_LEG = ("legs", "side", "ratio")
WHOLE_NUMBERS = ("row", *PER_LEG)
RULE = ("target", "stop", "trail_after", "trail", "max_hold_minutes")
FIELDS = (*WHOLE_NUMBERS, "strength", *RULE)

FAULTS = (
    ("row", "a row the panel does not have"),
    ("row", "a monitor row, which decides nothing"),
    ("legs", "no first leg"),
    ("legs", "a contract the panel does not have"),
    ("legs", "the same contract twice"),
    ("side", "a side other than +1 or -1"),
    ("ratio", "a ratio below 1"),
    ("strength", "a strength outside 0 to 100"),
    ("target", "a target that is not above 0"),
    ("stop", "a stop that is not above 0"),
    ("trail_after", "a trail_after below 0"),
    ("trail", "a trail that is not above 0"),
    ("max_hold_minutes", "max_hold_minutes below 0"),
)
"""The array at fault and what is wrong with it, in the order they are asked."""


def check_orders(name: str, orders: object, panel: Panel) -> None:
    """Refuse, naming the strategy, whatever the walk could not make sense of."""
    if not isinstance(orders, Orders):
        given = "nothing" if orders is None else type(orders).__name__
        raise StrategyError(
            f"strategy {name!r} returned {given}, not Orders",
            "end `entries` with `return` and Orders.single(...), .packages(...) or .empty()",
        )
    _check_arrays(name, orders)
    fault, order, leg = _first_fault(
        _plain(orders.row, np.int64),
        _plain(orders.legs, np.int64),
        _plain(orders.side, np.int64),
        _plain(orders.ratio, np.int64),
        _plain(orders.strength, np.float64),
        (
            _plain(orders.target, np.float64),
            _plain(orders.stop, np.float64),
            _plain(orders.trail_after, np.float64),
            _plain(orders.trail, np.float64),
            _plain(orders.max_hold_minutes, np.float64),
        ),
        panel.is_chain,
        panel.n_contracts,
    )
    if fault >= 0:
        field, words = FAULTS[fault]
        values = getattr(orders, field)
        value = values[order, leg] if field in PER_LEG else values[order]
        raise StrategyError(
            f"strategy {name!r}: order {order} at row {int(orders.row[order])} has {words}: "
            f"{value.item()!r}",
            f"the panel has rows 0 to {panel.n_rows - 1} and contracts 0 to {panel.n_contracts - 1}"
            if field in ("row", "legs")
            else "NaN switches an exit off"
            if field in RULE
            else "",
        )


def _plain(values: AnyArray, dtype: DTypeLike) -> AnyArray:
    """Return the values as the one layout that the compiled check is compiled for."""
    return np.require(values, dtype, ("C", "W"))


def _check_arrays(name: str, orders: Orders) -> None:
    """Refuse anything but arrays of the right shape and kind of number."""
    for field in FIELDS:
        values = getattr(orders, field)
        whole = field in WHOLE_NUMBERS
        if not isinstance(values, np.ndarray):
            raise StrategyError(
                f"strategy {name!r} gave {field} as {type(values).__name__}, not an array",
                "Orders.packages(...) makes arrays of lists and numbers",
            )
        if field == "row" and values.ndim != 1:
            raise StrategyError(f"strategy {name!r} gave row of shape {values.shape}, not (n,)")
        n = len(orders.row)
        shape = (n, MAX_LEGS) if field in PER_LEG else (n,)
        if values.shape != shape:
            raise StrategyError(
                f"strategy {name!r} gave {field} of shape {values.shape}, not {shape}",
                f"row has {n} orders; legs, side and ratio are (n, {MAX_LEGS}), all else (n,)",
            )
        if values.dtype.kind not in ("iu" if whole else "fiu"):
            raise StrategyError(
                f"strategy {name!r} gave {field} as {values.dtype}, "
                f"not {'whole ' if whole else ''}numbers",
                f"make it {'np.int64' if whole else 'np.float64'}",
            )


@compiled
def _first_fault(
    row: IntArray,
    legs: IntArray,
    side: IntArray,
    ratio: IntArray,
    strength: FloatArray,
    rule: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    is_chain: BoolArray,
    n_contracts: int,
) -> tuple[int, int, int]:
    """Return the place in `FAULTS`, the first faulty order and its leg; -1 thrice if none."""
    target, stop, trail_after, trail, max_hold_minutes = rule
    for i in range(len(row)):
        if row[i] < 0 or row[i] >= len(is_chain):
            return 0, i, 0
        if not is_chain[row[i]]:
            return 1, i, 0
        if legs[i, 0] == NO_LEG:
            return 2, i, 0
        for k in range(MAX_LEGS):
            contract = legs[i, k]
            if contract == NO_LEG:
                continue
            if contract < 0 or contract >= n_contracts:
                return 3, i, k
            for other in range(k):
                if legs[i, other] == contract:
                    return 4, i, k
            if abs(side[i, k]) != 1:
                return 5, i, k
            if ratio[i, k] < 1:
                return 6, i, k
        if not 0.0 <= strength[i] <= 100.0:
            return 7, i, 0
        # NaN, an exit that is off, passes: every comparison with it is false.
        if target[i] <= 0.0:
            return 8, i, 0
        if stop[i] <= 0.0:
            return 9, i, 0
        if trail_after[i] < 0.0:
            return 10, i, 0
        if trail[i] <= 0.0:
            return 11, i, 0
        if max_hold_minutes[i] < 0.0:
            return 12, i, 0
    return -1, -1, -1
