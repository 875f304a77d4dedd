"""Contracts or units, percent or fraction: told apart from the numbers themselves."""

from __future__ import annotations

import numpy as np

from optiq.market.ingest.batch import Unit, Volatility
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray

_ENOUGH = 5
_PERCENT_FROM = 2.0
"""A median volatility above 200 % is a percentage; index options do not trade there."""


def counts_contracts(
    values: FloatArray, lot: IntArray, snapshot: AnyArray, stated: Unit
) -> BoolArray:
    """Return per quote whether its snapshot counts contracts rather than units.

    Units are multiples of the lot; a contract count is one only by chance (1 in 65 or so).
    Snapshots with fewer than five numbers follow the majority of the day, if there is one.
    """
    if stated != "unknown":
        return np.full(len(values), stated == "contracts")
    n_snapshots = int(snapshot.max()) + 1 if len(snapshot) else 0
    told = np.isfinite(values) & (values > 0)
    multiple = told & (np.mod(values, lot, where=told, out=np.ones(len(values))) == 0)
    known = np.bincount(snapshot[told], minlength=n_snapshots)
    multiples = np.bincount(snapshot[multiple], minlength=n_snapshots)
    in_units = multiples * 2 > known
    _follow_majority(in_units, known)
    _share_a_divisor(in_units, values, told, snapshot)
    verdict: BoolArray = ~in_units[snapshot]
    return verdict & told


def _follow_majority(in_units: BoolArray, known: IntArray) -> None:
    clear = known >= _ENOUGH
    if clear.any() and not clear.all():
        in_units[~clear] = in_units[clear].mean() > 0.5


def _share_a_divisor(
    in_units: BoolArray, values: FloatArray, told: BoolArray, snapshot: AnyArray
) -> None:
    """Call it units, too, where all numbers share a divisor: the lot table may be the wrong one."""
    if not told.any():
        return
    order = np.argsort(snapshot[told], kind="stable")
    numbers = values[told][order]
    index, start, known = np.unique(snapshot[told][order], return_index=True, return_counts=True)
    is_whole = np.logical_and.reduceat(numbers % 1 == 0, start)
    divisor = np.gcd.reduceat(numbers.astype(np.int64), start)
    in_units[index] |= (known >= 4 * _ENOUGH) & is_whole & (divisor >= _ENOUGH)


def volatility_fraction(iv: FloatArray, stated: Volatility) -> FloatArray:
    """Return volatilities as annualised fractions; 0 means none."""
    quoted = np.where(iv > 0, iv, np.nan)
    if stated == "unknown":
        known = quoted[np.isfinite(quoted)]
        in_percent = len(known) > 0 and float(np.median(known)) > _PERCENT_FROM
    else:
        in_percent = stated == "percent"
    return quoted / 100.0 if in_percent else quoted
