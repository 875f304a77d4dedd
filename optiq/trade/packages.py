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
    return _Chain(panel, row, steps_of_expiry(panel, wanted)[row])


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
    """One expiry on each of n rows; legs are contract columns (n,), `NO_LEG` where there is none.

    ``steps`` (n, n_contracts) is as in `strikes_from_the_money`, NaN outside the expiry.
    """

    panel: Panel
    row: IntArray
    steps: FloatArray

    def at(self, right: int, steps: FloatArray | float) -> IntArray:
        """Return the call or put so many strikes above the money."""
        there = self.steps == np.reshape(steps, (-1, 1))
        return _first(there & (self.panel.right == right))

    def near_delta(self, right: int, delta: float) -> IntArray:
        """Return the call or put with the nearest delta, of two the one with the lower strike."""
        by_strike = np.argsort(self.panel.strike, kind="stable")
        off = np.abs(np.abs(self.panel.delta[self.row]) - delta)
        candidate = ~np.isnan(self.steps) & (self.panel.right == right) & ~np.isnan(off)
        off = np.where(candidate, off, np.inf)[:, by_strike]
        nearest = _first((off == off.min(axis=1, initial=np.inf)[:, None]) & np.isfinite(off))
        return np.append(by_strike, NO_LEG)[nearest]

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
        or_none = np.append(self.steps, np.full((len(leg), 1), np.nan), axis=1)
        steps: FloatArray = or_none[np.arange(len(leg)), leg]  # NO_LEG is the last column
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
        legs_of = np.column_stack(legs)
        whole = (legs_of != NO_LEG).all(axis=1)
        row, legs_of = self.row[whole], legs_of[whole]
        can = self.panel.observed[row[:, None], legs_of].all(axis=1)
        if among is not None:
            can &= among[row[:, None], legs_of].all(axis=1)
        each: AnyArray = np.broadcast_to(np.asarray(strength, np.float64), self.panel.n_rows)
        return Orders.packages(
            row[can], legs_of[can], np.array(side), rule or ExitRule(), strength=each[row[can]]
        )


def _first(mask: BoolArray) -> IntArray:
    """Return (n,) the first true column of each row, `NO_LEG` without one."""
    if not mask.shape[1]:
        return np.full(len(mask), NO_LEG)
    return np.where(mask.any(axis=1), mask.argmax(axis=1), NO_LEG)
