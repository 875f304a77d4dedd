"""The figures beside the charts: the headline, where the money went, how orders filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optiq.market.schema import AnyArray, FloatArray
from optiq.report.grouping import by_day
from optiq.report.positions import Positions
from optiq.run.recorded import RecordedRun
from optiq.run.verdict import Interval, Verdict, daily_interval, verdict
from optiq.trade.book import PAISE
from optiq.trade.ledger import Columns

REFUSALS = {
    "day_over": ("the day's loss limit was reached", "limits.max_daily_loss"),
    "hours": (
        "too early or too late in the session",
        "limits.first_entry_minutes and last_entry_minutes",
    ),
    "min_score": ("the scorer gave too little", "limits.min_score"),
    "max_open": ("enough positions were open or pending", "limits.max_open"),
    "same_contract": ("the contract was held already", ""),
    "cooldown": ("the contract had just been left", "limits.cooldown_minutes"),
    "max_trades": ("the day's entries were used up", "limits.max_trades_per_day"),
    "capital": ("the capital was bound", "limits.capital"),
    "thin_basis": ("the legs' premiums nearly cancel", ""),
    "size": ("the size came to less than a lot", "sizing"),
    "strategy_day_over": ("the strategy's loss limit was reached", "its max_daily_loss"),
    "strategy_max_open": ("the strategy had enough open", "its max_open"),
    "strategy_cooldown": ("the strategy had just left a position", "its cooldown_minutes"),
    "strategy_max_trades": ("the strategy's entries were used up", "its max_trades_per_day"),
    "strategy_capital": ("the strategy's capital was bound", "its capital"),
}
"""What each refusal means, and the setting behind it."""


@dataclass(frozen=True, slots=True)
class Daily:
    """Net rupees a session, with its 95 % interval over sessions, and the extremes."""

    interval: Interval
    word: Verdict
    best: tuple[str, int] | None
    worst: tuple[str, int] | None
    """Day and paise; None without a trade."""


def daily(run: RecordedRun, positions: Positions) -> Daily:
    """Return what the sessions of a run came to; those without a trade count as 0."""
    days = by_day(positions)
    net, gross = (
        _padded([getattr(day, money) for day in days], run.summary["days"])
        for money in ("net", "gross")
    )
    interval = daily_interval(net)
    ordered = sorted(days, key=lambda day: day.net)
    return Daily(
        interval=interval,
        word=verdict(len(positions), daily_interval(gross), interval),
        best=(ordered[-1].label, ordered[-1].net) if days else None,
        worst=(ordered[0].label, ordered[0].net) if days else None,
    )


def _padded(paise: Sequence[int], days: int) -> FloatArray:
    rupees = np.zeros(max(days, len(paise)))
    rupees[: len(paise)] = np.array(paise, np.int64) / PAISE
    return rupees


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from a decision to its fill; NaN without trades."""

    median: float
    nineteen_of_twenty: float
    longest: float


def latency(decided: AnyArray, filled: AnyArray) -> Latency:
    """Return how long orders waited, from the moments of decisions and fills."""
    if not len(decided):
        return Latency(np.nan, np.nan, np.nan)
    seconds = (filled - decided) / np.timedelta64(1, "s")
    median, late = np.quantile(seconds, [0.5, 0.95], method="higher")
    return Latency(float(median), float(late), float(seconds.max()))


@dataclass(frozen=True, slots=True)
class Spread:
    """What half spreads took, in paise, and how many leg fills have none on record."""

    entry: int
    exit: int
    unknown: int

    @property
    def total(self) -> int:
        """Entries and exits together."""
        return self.entry + self.exit


def spread_paid(fills: Columns | None) -> Spread | None:
    """Return what crossing the spread took; None where the run did not record its fills."""
    if fills is None:
        return None
    entry, leave = (
        _floats(fills[f"{end}_half_spread"]) * fills["quantity"] for end in ("entry", "exit")
    )
    return Spread(
        entry=_in_paise(entry),
        exit=_in_paise(leave),
        unknown=int(np.isnan(entry).sum() + np.isnan(leave).sum()),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """What prices moved against orders between decision and fill, in paise; negative is for us.

    ``unknown`` counts the leg fills that had no price to be had at the decision.
    """

    entry: int
    exit: int
    unknown: int


def waiting_cost(fills: Columns | None) -> Waiting | None:
    """Return what waiting took; None where the run did not record its fills."""
    if fills is None:
        return None
    units = fills["side"] * fills["quantity"]
    entry = (fills["entry_price"] - _floats(fills["decided_entry_price"])) * units
    leave = (_floats(fills["decided_exit_price"]) - fills["exit_price"]) * units
    return Waiting(
        entry=_in_paise(entry),
        exit=_in_paise(leave),
        unknown=int(np.isnan(entry).sum() + np.isnan(leave).sum()),
    )


def _floats(values: AnyArray) -> FloatArray:
    return np.asarray(values, np.float64)


def _in_paise(rupees: FloatArray) -> int:
    return round(float(np.nansum(rupees)) * PAISE)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one strategy's orders."""

    strategy: str
    asked: int
    filled: int
    expired: int
    refused: int


def fates(counts: Mapping[tuple[str, str], int], strategies: Sequence[str]) -> list[Fate]:
    """Return a line a strategy; what was neither reached nor decided is only in ``asked``."""
    names = dict.fromkeys([*strategies, *(strategy for strategy, _ in counts)])

    def count(name: str, statuses: Sequence[str]) -> int:
        return sum(n for (who, what), n in counts.items() if who == name and what in statuses)

    open_ended = ("filled", "expired", "pending", "not_reached")
    every = dict.fromkeys(status for _, status in counts)
    refusing = [status for status in every if status not in open_ended]
    return [
        Fate(
            strategy=name,
            asked=count(name, list(every)),
            filled=count(name, ["filled"]),
            expired=count(name, ["expired"]),
            refused=count(name, refusing),
        )
        for name in names
    ]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One limit, how often it refused, and in words."""

    limit: str
    orders: int
    meaning: str
    setting: str


def refusals(counts: Mapping[str, int]) -> list[Refusal]:
    """Return the limits that refused orders, the busiest first."""
    return [
        Refusal(limit, orders, *REFUSALS.get(limit, (limit.replace("_", " "), "")))
        for limit, orders in sorted(counts.items(), key=lambda item: -item[1])
    ]
