"""Orders as a struct of arrays, painted on a panel by a strategy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from optiq.errors import StrategyError
from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray

MAX_LEGS = 4
NO_LEG = -1


@dataclass(frozen=True, slots=True)
class ExitRule:
    """When to leave: fractions of the entry premium (0.15 is 15 %), minutes; NaN is off."""

    target: float = np.nan
    stop: float = np.nan
    trail_after: float = np.nan
    trail: float = np.nan
    max_hold_minutes: float = np.nan


@dataclass(frozen=True, slots=True)
class Orders:
    """Wishes to open positions.

    Attributes
    ----------
    row : (n,) int
        Row of the panel on which each was decided; a chain row.
    legs, side, ratio : (n, 4) int
        Contract columns padded with -1; +1 buy / -1 sell (0 where padded); multiples of the lot.
    strength : (n,) float
        0 to 100; ranks orders of one row where there is no scorer.
    target, stop, trail_after, trail, max_hold_minutes : (n,) float
        The exit rule, as in :class:`ExitRule`.
    """

    row: IntArray
    legs: IntArray
    side: IntArray
    ratio: IntArray
    strength: FloatArray
    target: FloatArray
    stop: FloatArray
    trail_after: FloatArray
    trail: FloatArray
    max_hold_minutes: FloatArray

    def __len__(self) -> int:
        return len(self.row)

    @classmethod
    def empty(cls) -> Orders:
        """Return no orders."""
        return cls.packages(np.empty(0, np.int64), np.empty((0, 1), np.int64), 1, ExitRule())

    @classmethod
    def packages(
        cls,
        row: AnyArray,
        legs: AnyArray,
        side: AnyArray | int,
        rule: ExitRule,
        ratio: AnyArray | int = 1,
        strength: AnyArray | float = 50.0,
    ) -> Orders:
        """Return orders of one to four legs.

        ``legs`` has shape (n, k) with k up to 4 and -1 for no leg; ``side`` and ``ratio`` are
        scalars or broadcast against it; ``strength`` is a scalar or (n,).
        """
        row = np.asarray(row, np.int64)
        given = np.asarray(legs, np.int64)
        shape = (len(row), MAX_LEGS)
        padded = np.full(shape, NO_LEG, np.int64)
        padded[:, : given.shape[1]] = given
        filled = padded != NO_LEG

        def per_leg(value: AnyArray | int) -> IntArray:
            wide = np.zeros(shape, np.int64)
            wide[:, : given.shape[1]] = value
            return np.where(filled, wide, 0)

        def per_order(value: AnyArray | float) -> FloatArray:
            each = np.empty(len(row))
            each[:] = value
            return each

        return cls(
            row=row,
            legs=padded,
            side=per_leg(side),
            ratio=per_leg(ratio),
            strength=per_order(strength),
            target=per_order(rule.target),
            stop=per_order(rule.stop),
            trail_after=per_order(rule.trail_after),
            trail=per_order(rule.trail),
            max_hold_minutes=per_order(rule.max_hold_minutes),
        )

    @classmethod
    def single(
        cls,
        panel: Panel,
        mask: BoolArray,
        side: int = +1,
        strength: AnyArray | float = 50.0,
        rule: ExitRule | None = None,
    ) -> Orders:
        """Return one single-leg order wherever ``mask`` (n_rows, n_contracts) is true.

        ``strength`` is a scalar or has the mask's shape. Monitor rows decide nothing, so the
        mask is dropped there. Orders come row by row, columns ascending.
        """
        if mask.shape != (panel.n_rows, panel.n_contracts):
            raise StrategyError(
                f"mask of shape {mask.shape}, the panel has {(panel.n_rows, panel.n_contracts)}",
                "paint orders on a boolean array of the panel's shape",
            )
        row, column = _painted(mask, panel.is_chain)
        if isinstance(strength, np.ndarray) and strength.ndim == 2:
            strength = strength[row, column]
        return cls.packages(row, column[:, None], side, rule or ExitRule(), strength=strength)

    @classmethod
    def joined(cls, *several: Orders) -> Orders:
        """Return several orders as one, in the order given."""
        names = (f.name for f in fields(cls))
        return cls(**{n: np.concatenate([getattr(one, n) for one in several]) for n in names})

    def by_row(self) -> Self:
        """Return the orders in ascending order of their rows; those of one row as they stand."""
        if (self.row[1:] >= self.row[:-1]).all():
            return self
        return self.take(np.argsort(self.row, kind="stable"))

    def take(self, chosen: AnyArray) -> Self:
        """Return the orders selected by an index or boolean array, in its order."""
        return type(self)(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


@compiled
def _painted(mask: BoolArray, is_chain: BoolArray) -> tuple[IntArray, IntArray]:
    """Return row and column of each true cell of the chain rows, row by row."""
    n_rows, n_columns = mask.shape
    row = np.empty(mask.sum(), np.int64)
    column = np.empty_like(row)
    count = 0
    for r in range(n_rows):
        if is_chain[r]:
            for c in range(n_columns):
                if mask[r, c]:
                    row[count], column[count] = r, c
                    count += 1
    return row[:count], column[:count]
