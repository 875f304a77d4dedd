"""Check strategies for looking ahead on the days of a store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from optiq.market.store import Store
from optiq.run.mismatch import Mismatch
from optiq.run.prefix import Checked, check, of_contracts, of_the_market, orders_of, readiness_of
from optiq.run.stored import fields_of, panels
from optiq.trade.strategies import Strategy


@dataclass(slots=True)
class StrategyCheck:
    """What the days checked so far say of one strategy; it stops at the first mismatch."""

    strategy: str
    days: int = 0
    cuts: int = 0
    rows: int = 0
    orders: int = 0
    mismatch: Mismatch | None = field(default=None)

    def add(self, day: Checked) -> None:
        """Count a day's comparisons."""
        self.days += 1
        self.cuts += day.cuts
        self.rows += day.rows
        self.orders += day.statements
        self.mismatch = day.mismatch

    @property
    def verdict(self) -> str:
        """Return ``ok``, ``mismatch``, or ``silent`` where there was nothing to compare."""
        return "mismatch" if self.mismatch else "ok" if self.orders else "silent"

    def as_result(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "strategy": self.strategy,
            "verdict": self.verdict,
            "days": self.days,
            "cuts": self.cuts,
            "rows_compared": self.rows,
            "orders_compared": self.orders,
            "mismatch": self.mismatch,
        }


def check_stored(
    store: Store,
    underlying: str,
    dates: Sequence[dt.date],
    strategies: Sequence[Strategy],
    cuts: int,
    seed: int,
    advance: Callable[[int], None],
    *,
    features: bool = False,
) -> list[StrategyCheck]:
    """Check each strategy on each day until it contradicts itself; ``advance`` is told of days.

    With ``features`` what models see is checked alike.
    """
    every = {strategy.name: orders_of(strategy) for strategy in strategies}
    silent = [strategy for strategy in strategies if strategy.silent_because is not None]
    every |= {f"{one.name}, when it is silent": readiness_of(one) for one in silent}
    if features:
        every |= {subject.name: subject for subject in (of_the_market(), of_contracts())}
    results = [StrategyCheck(name) for name in every]
    for panel, context in panels(store, underlying, list(dates), fields_of(list(strategies))):
        going = [place for place, result in enumerate(results) if result.mismatch is None]
        subjects = [every[results[place].strategy] for place in going]
        for place, day in zip(going, check(subjects, panel, context, cuts, seed), strict=True):
            results[place].add(day)
        advance(1)
    return results
