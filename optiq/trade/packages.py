"""Packages of options by their names: straddle, strangle, vertical spread, iron condor.

Every builder is told the same things in the same order and returns orders:

``rows``
    Rows of the panel, as numbers or as a mask (n_rows,). Monitor rows decide nothing and are
    left out.
``expiry``
    Per panel row a place in ``panel.expiries`` (what `nearest_expiry` returns; -1 is none), or one
    date for all of them.
``side``
    +1 buys the package, -1 sells it.
``rule``, ``strength``
    When to leave; a number, or one for each row of the panel.
``among``
    (n_rows, n_contracts), the contracts it may be made of (what `tradable` returns); all of them
    where not given.

An order exists only where each of its legs exists by then, is quoted on that row and is ``among``
those allowed: no leg is replaced by its neighbour. Strikes are counted as
`strikes_from_the_money` does, 0 being the strike nearest the forward.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optiq.errors import StrategyError
from optiq.market.panel import Panel
from optiq.market.schema import CE, PE, AnyArray, BoolArray, FloatArray, IntArray
from optiq.trade.orders import NO_LEG, ExitRule, Orders
from optiq.trade.tradability import steps_of_expiry

Rows = IntArray | BoolArray
Expiry = IntArray | np.datetime64
Strength = FloatArray | float


def straddle(
    panel: Panel,
    rows: Rows,
    expiry: Expiry,
    *,
    side: int = +1,
    rule: ExitRule | None = None,
    strength: Strength = 50.0,
    among: BoolArray | None = None,
) -> Orders:
    """Return orders of the call and the put at the money."""
    chain = _chain(panel, rows, expiry)
    legs = [chain.at(CE, 0), chain.at(PE, 0)]
    return chain.orders(legs, [side, side], rule, strength, among)


def strangle(
    panel: Panel,
    rows: Rows,
    expiry: Expiry,
    delta: float = 0.20,
    *,
    side: int = +1,
    rule: ExitRule | None = None,
    strength: Strength = 50.0,
    among: BoolArray | None = None,
) -> Orders:
    """Return orders of the call and the put whose deltas, without sign, are nearest ``delta``.

    Of two as near the lower strike. None where the put's strike is not below the call's.
    """
    chain = _chain(panel, rows, expiry)
    call, put = chain.apart(chain.near_delta(CE, delta), chain.near_delta(PE, delta))
    return chain.orders([call, put], [side, side], rule, strength, among)


def vertical(
    panel: Panel,
    rows: Rows,
    expiry: Expiry,
    right: int,
    steps_out: int = 0,
    wing_steps: int = 4,
    *,
    side: int = +1,
    rule: ExitRule | None = None,
    strength: Strength = 50.0,
    among: BoolArray | None = None,
) -> Orders:
    """Return orders of two calls (``right`` +1) or two puts (-1) at different strikes.

    The first lies ``steps_out`` strikes out of the money (negative: in it), the second
    ``wing_steps`` further out. Bought, the first is bought and the second sold.
    """
    chain = _chain(panel, rows, expiry)
    first = chain.at(right, right * steps_out)
    legs = [first, chain.further_out(first, right, wing_steps)]
    return chain.orders(legs, [side, -side], rule, strength, among)


def iron_condor(
    panel: Panel,
    rows: Rows,
    expiry: Expiry,
    short_delta: float = 0.20,
    wing_steps: int = 4,
    *,
    side: int = -1,
    rule: ExitRule | None = None,
    strength: Strength = 50.0,
    among: BoolArray | None = None,
) -> Orders:
    """Return orders of a strangle and, ``wing_steps`` strikes further out, its protection.

    Sold, the usual way, the strangle at ``short_delta`` is sold and the wings are bought, for a
    credit; ``side=+1`` is the reverse. Legs: call, put, call further out, put further out.
    """
    chain = _chain(panel, rows, expiry)
    call, put = chain.apart(chain.near_delta(CE, short_delta), chain.near_delta(PE, short_delta))
    wings = [chain.further_out(call, CE, wing_steps), chain.further_out(put, PE, wing_steps)]
    return chain.orders([call, put, *wings], [side, side, -side, -side], rule, strength, among)


def _chain(panel: Panel, rows: Rows, expiry: Expiry) -> _Chain:
    """Count the strikes of the wanted expiry on the wanted rows, once for all legs."""
    row = _numbers(panel, rows)
    wanted = np.full(panel.n_rows, -1)
    wanted[row] = _place(panel, expiry) if isinstance(expiry, np.datetime64) else expiry[row]
    by_strike = np.argsort(panel.strike, kind="stable")
    column = by_strike[np.isin(panel.expiry_index[by_strike], np.unique(wanted))]
    return _Chain(panel, row, column, steps_of_expiry(panel, wanted)[np.ix_(row, column)])


def _numbers(panel: Panel, rows: Rows) -> IntArray:
    row = np.asarray(rows)
    if row.dtype == np.bool_:
        if row.shape != (panel.n_rows,):
            raise StrategyError(
                f"a mask of rows of shape {row.shape}, the panel has {panel.n_rows} rows",
                "give one truth value a row, or the rows' numbers",
            )
        row = np.flatnonzero(row)
    chain_rows: IntArray = row[panel.is_chain[row]]
    return chain_rows


def _place(panel: Panel, expiry: np.datetime64) -> int:
    """Return the place of a date in the panel's expiries, -1 while no row has quoted it."""
    place = np.flatnonzero(panel.expiries == expiry)
    return int(place[0]) if len(place) else -1


class _Chain(NamedTuple):
    """One expiry on each of n rows: its m contracts by strike, and where the money is.

    ``row`` (n,) and ``column`` (m,) are the panel's; ``steps`` (n, m) is as in
    `strikes_from_the_money`, NaN in another expiry than the row's. A leg is a place (n,) in
    ``column``, `NO_LEG` where there is none.
    """

    panel: Panel
    row: IntArray
    column: IntArray
    steps: FloatArray

    def at(self, right: int, steps: FloatArray | float) -> IntArray:
        """Return the call or put so many strikes above the money."""
        mine = self._of(right)
        there: BoolArray = np.equal(self.steps[:, mine], np.reshape(steps, (-1, 1)))
        return _place_of(there, there, mine)

    def near_delta(self, right: int, delta: float) -> IntArray:
        """Return the call or put with the nearest delta, of two the one with the lower strike."""
        mine = self._of(right)
        off = np.abs(np.abs(self.panel.delta[np.ix_(self.row, self.column[mine])]) - delta)
        known: BoolArray = ~(np.isnan(off) | np.isnan(self.steps[:, mine]))
        return _place_of(known, np.where(known, -off, -np.inf), mine)

    def further_out(self, leg: IntArray, right: int, steps: int) -> IntArray:
        """Return the same right so many strikes further out of the money."""
        if steps < 1:
            raise StrategyError(f"wing_steps of {steps}", "wings lie at least one strike out")
        return self.at(right, self.steps_of(leg) + right * steps)

    def apart(self, call: IntArray, put: IntArray) -> tuple[IntArray, IntArray]:
        """Return both where the put's strike lies below the call's, else none."""
        apart = self.steps_of(put) < self.steps_of(call)
        return np.where(apart, call, NO_LEG), np.where(apart, put, NO_LEG)

    def steps_of(self, leg: IntArray) -> FloatArray:
        """Return (n,) how many strikes above the money each leg lies; NaN for none."""
        steps = np.full(len(leg), np.nan)
        there = np.flatnonzero(leg != NO_LEG)
        steps[there] = self.steps[there, leg[there]]
        return steps

    def orders(
        self,
        legs: list[IntArray],
        side: list[int],
        rule: ExitRule | None,
        strength: Strength,
        among: BoolArray | None,
    ) -> Orders:
        """Return orders where all legs are there, quoted and among those allowed."""
        places = np.column_stack(legs)
        whole = (places != NO_LEG).all(axis=1)
        row, columns = self.row[whole], self.column[places[whole]]
        can = self.panel.observed[row[:, None], columns].all(axis=1)
        if among is not None:
            can &= among[row[:, None], columns].all(axis=1)
        each: AnyArray = np.broadcast_to(np.asarray(strength, np.float64), self.panel.n_rows)
        return Orders.packages(
            row[can], columns[can], np.array(side), rule or ExitRule(), strength=each[row[can]]
        )

    def _of(self, right: int) -> IntArray:
        """Return the places of the calls or of the puts."""
        return np.flatnonzero(self.panel.right[self.column] == right)


def _place_of(can: BoolArray, wish: AnyArray, places: IntArray) -> IntArray:
    """Return (n,) the first of ``places`` (m,) with the greatest ``wish`` (n, m) of those that can.

    ``wish`` is the least possible where ``can`` is false.
    """
    if not len(places):
        return np.full(len(can), NO_LEG)
    return np.where(can.any(axis=1), places[wish.argmax(axis=1)], NO_LEG)
