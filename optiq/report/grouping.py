"""Profit by strategy, reason, hour, days to expiry, regime and day: each adds up to the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optiq.market.schema import AnyArray, IntArray
from optiq.report.positions import Positions

FEW = 10
"""Groups with fewer trades than this are marked: one lucky trade can make their sign."""
MINUTES_PER_HOUR = 60
DAYS_TO_EXPIRY = (0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 31)
"""Lower ends of the groups: single days within a week, then wider."""


@dataclass(frozen=True, slots=True)
class Group:
    """Some of a run's trades; money in paise."""

    label: str
    trades: int
    wins: int
    gross: int
    charges: int
    net: int

    @property
    def is_small(self) -> bool:
        """Whether there are too few trades to conclude anything."""
        return self.trades < FEW

    @property
    def win_rate(self) -> float:
        """Share of trades with a net profit; NaN without trades."""
        return self.wins / self.trades if self.trades else float("nan")

    @property
    def per_trade(self) -> float:
        """Net paise per trade; NaN without trades."""
        return self.net / self.trades if self.trades else float("nan")


def grouped(
    positions: Positions, labels: Sequence[str], codes: IntArray, *, keep_empty: bool = False
) -> list[Group]:
    """Return one group a label, in their order.

    ``codes`` (n,) is the place of each trade's label. Labels without trades are left out unless
    ``keep_empty``.
    """

    def sums(values: AnyArray) -> list[int]:
        total = np.zeros(len(labels), np.int64)  # integers: a group adds up exactly
        np.add.at(total, codes, values)
        result: list[int] = total.tolist()
        return result

    columns = (
        sums(np.ones(len(positions), np.int64)),
        sums(positions.net > 0),
        sums(positions.gross),
        sums(positions.charges),
        sums(positions.net),
    )
    groups = [Group(*figures) for figures in zip(labels, *columns, strict=True)]
    return [group for group in groups if group.trades or keep_empty]


def everything(positions: Positions) -> Group:
    """Return all trades as one group."""
    return grouped(positions, ["all"], np.zeros(len(positions), np.int64), keep_empty=True)[0]


def by_strategy(positions: Positions, strategies: Sequence[str]) -> list[Group]:
    """Return a group a strategy of the run, those that never traded too."""
    names = list(dict.fromkeys([*strategies, *positions.strategy.tolist()]))
    place = {name: code for code, name in enumerate(names)}
    codes = np.array([place[name] for name in positions.strategy], np.int64)
    return grouped(positions, names, codes, keep_empty=True)


def by_reason(positions: Positions) -> list[Group]:
    """Return a group a reason to leave, the most frequent first."""
    names, codes = np.unique(positions.reason.astype(str), return_inverse=True)
    return sorted(grouped(positions, names.tolist(), codes), key=lambda group: -group.trades)


def by_hour(positions: Positions) -> list[Group]:
    """Return a group an hour of the day in India in which trades were entered."""
    labels = [f"{hour:02d}:00–{hour:02d}:59" for hour in range(24)]
    codes = (positions.entry_minute // MINUTES_PER_HOUR).astype(np.int64)
    return grouped(positions, labels, codes)


def by_days_to_expiry(positions: Positions) -> list[Group]:
    """Return a group a number of calendar days from the entry to the earliest expiry."""
    days = (positions.expiry - positions.day) // np.timedelta64(1, "D")
    codes = np.searchsorted(DAYS_TO_EXPIRY, np.maximum(days, 0), side="right") - 1
    return grouped(positions, _spans(DAYS_TO_EXPIRY), codes)


def by_day(positions: Positions) -> list[Group]:
    """Return a group a day with trades, ascending."""
    days, codes = np.unique(positions.day, return_inverse=True)
    return grouped(positions, days.astype(str).tolist(), codes)


def _spans(starts: Sequence[int]) -> list[str]:
    """Return what spans of days are called, given their lower ends.

    >>> _spans((0, 1, 2, 8, 15))
    ['0, expiry day', '1', '2 to 7', '8 to 14', '15 and more']
    """
    ends = [after - 1 for after in starts[1:]]
    names = [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=False)]
    names[0] += ", expiry day"
    return [*names, f"{starts[-1]} and more"]
