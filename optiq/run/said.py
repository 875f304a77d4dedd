"""What a strategy, a scorer or a feature says of a day, made comparable bit for bit.

Panels of the same morning differ in length and in the order of their columns; what is said of a
row must not. So statements name contracts by what they are, never by their column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.errors import StrategyError
from optiq.market.day_arrays import contract_key
from optiq.market.panel import Panel
from optiq.market.schema import CE, PE, RIGHT_NAMES, AnyArray, BoolArray, FloatArray, IntArray
from optiq.trade.order_checks import RULE
from optiq.trade.orders import MAX_LEGS, NO_LEG, Orders

_LEG = "leg"
_PAISE = 100_000_000
"""What a contract's key counts strikes by."""


@dataclass(frozen=True)
class Said:
    """Statements, ordered by row and first contract.

    Attributes
    ----------
    row : (n,) int
        The row each is about.
    contracts : (n, k) int
        Keys of the contracts each is about, -1 where there are fewer; k = 0 for what is said of
        a row as a whole.
    names : (w,)
        What each value is called.
    values : (n, w) float
    """

    row: IntArray
    contracts: IntArray
    names: tuple[str, ...]
    values: FloatArray

    def __len__(self) -> int:
        return len(self.row)

    def first_contract(self) -> IntArray:
        """Return (n,) the key each is ordered by within its row; 0 without a contract."""
        if not self.contracts.shape[1]:
            return np.zeros(len(self), np.int64)
        first: IntArray = self.contracts[:, 0]
        return first

    def same_as(self, other: Said, n: int) -> BoolArray:
        """Return (n,): which of the first ``n`` statements of both agree; NaN equals NaN."""
        same: BoolArray = (
            _equal(self.values[:n], other.values[:n]).all(axis=1)
            & (self.row[:n] == other.row[:n])
            & (self.contracts[:n] == other.contracts[:n]).all(axis=1)
        )
        return same

    def about(self, at: int) -> str:
        """Return the contracts of one statement in words; empty without one."""
        return " + ".join(words(int(key)) for key in self.contracts[at] if key >= 0)

    def spoken(self, at: int, unlike: FloatArray | None = None) -> str:
        """Return one statement in words: all its values, or those that differ from ``unlike``."""
        mine = self.values[at]
        chosen = ~np.isnan(mine) if unlike is None else ~_equal(mine, unlike)
        return ", ".join(
            _value(name, float(value))
            for name, value, shown in zip(self.names, mine, chosen, strict=True)
            if shown
        )


def _equal(one: FloatArray, other: FloatArray) -> BoolArray:
    """Return where two arrays hold the same bits, or NaN both."""
    equal: BoolArray = one.view(np.int64) == other.view(np.int64)
    return equal | (np.isnan(one) & np.isnan(other))


def ordered(row: IntArray, contracts: IntArray, names: tuple[str, ...], values: AnyArray) -> Said:
    """Return statements in the order that two panels of one morning share.

    Those of one row and first contract stay as given: there the walk goes by their order.
    """
    unordered = Said(row, contracts, names, np.asarray(values, np.float64))
    order = np.lexsort((unordered.first_contract(), row))
    return Said(
        np.ascontiguousarray(row[order]),
        np.ascontiguousarray(contracts[order]),
        names,
        np.ascontiguousarray(unordered.values[order]),
    )


def of_orders(panel: Panel, orders: Orders) -> Said:
    """Return what orders say: sides and ratios of their legs, strength and the exit rule."""
    legs = np.where(orders.legs == NO_LEG, np.nan, orders.side * orders.ratio)
    rest = [orders.strength, *(getattr(orders, name) for name in RULE)]
    names = (*(_LEG,) * MAX_LEGS, "strength", *RULE)
    return ordered(orders.row, _keys(panel, orders.legs), names, np.column_stack([legs, *rest]))


def of_scores(panel: Panel, orders: Orders, scores: AnyArray) -> Said:
    """Return what a scorer says of orders, one number each."""
    _check(scores.shape, (len(orders),), "scores", "one for each order")
    return ordered(orders.row, _keys(panel, orders.legs), ("score",), scores[:, None])


def of_rows(panel: Panel, names: tuple[str, ...], values: AnyArray) -> Said:
    """Return what an array (n_rows, len(names)) says of each row."""
    _check(values.shape, (panel.n_rows, len(names)), "values", "one line a row")
    return ordered(
        np.arange(panel.n_rows), np.empty((panel.n_rows, 0), np.int64), names, np.asarray(values)
    )


def of_cells(
    panel: Panel, row: IntArray, column: IntArray, names: tuple[str, ...], values: AnyArray
) -> Said:
    """Return what an array (n, len(names)) says of n pairs of a row and a contract."""
    _check(values.shape, (len(row), len(names)), "values", "one line a pair of row and contract")
    return ordered(row, _keys(panel, column[:, None]), names, values)


def _check(shape: tuple[int, ...], wanted: tuple[int, ...], what: str, why: str) -> None:
    if shape != wanted:
        raise StrategyError(f"{what} of shape {shape}, not {wanted}", why)


def _keys(panel: Panel, columns: IntArray) -> IntArray:
    """Return the keys of contract columns, -1 where there is no leg."""
    keys = contract_key({"expiry": panel.expiry, "strike": panel.strike, "right": panel.right})
    return np.where(columns == NO_LEG, -1, np.append(keys, -1)[columns])


def words(key: int) -> str:
    """Return the contract of a key of `optiq.market.day_arrays.contract_key` in words."""
    contract, is_put = divmod(key, 2)
    day, paise = divmod(contract, _PAISE)
    return f"{paise / 100:g} {RIGHT_NAMES[PE if is_put else CE]} of {np.datetime64(day, 'D')}"


def _value(name: str, value: float) -> str:
    if name == _LEG and not np.isnan(value):
        return f"{'buy' if value > 0 else 'sell'} {abs(value):g}"
    return f"{name} {value!r}"
