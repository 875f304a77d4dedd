"""The page's tables of profit by group: what each is called, and what a reader must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optiq.report.grouping import (
    Group,
    by_days_to_expiry,
    by_hour,
    by_reason,
    by_strategy,
    everything,
)
from optiq.report.positions import Positions
from optiq.report.regime import Regimes, by_regime
from optiq.report.spot_paths import SpotPaths
from optiq.report.template import percent

BY_REASON = (
    "STOP and TARGET are judged at a snapshot and filled after it, so a loss can be larger than "
    "the stop. EOD leaves before the close; RISK is the day's loss limit."
)
BY_DAYS = "Calendar days from the entry to the earliest expiry of the trade."


@dataclass(frozen=True, slots=True)
class Bar:
    """Where a bar starts and how long it is, as fractions of the width."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class GroupTable:
    """Groups that together are all trades of the run; ``note`` says how they were made."""

    name: str
    title: str
    heading: str
    groups: list[Group]
    total: Group
    note: str = ""

    @property
    def bars(self) -> list[Bar]:
        """The bar of each group's net, from the common zero."""
        zero, width = self._zero_and_width
        if not width:
            return [Bar(0.0, 0.0) for _ in self.groups]
        return [
            Bar((zero + min(group.net, 0)) / width, abs(group.net) / width) for group in self.groups
        ]

    @property
    def zero(self) -> float:
        """Where zero lies, as a fraction of the width."""
        zero, width = self._zero_and_width
        return zero / width if width else 0.0

    @property
    def _zero_and_width(self) -> tuple[int, int]:
        lowest = min((group.net for group in self.groups), default=0)
        highest = max((group.net for group in self.groups), default=0)
        zero = -min(lowest, 0)
        return zero, zero + max(highest, 0)


def group_tables(
    positions: Positions, strategies: Sequence[str], paths: SpotPaths
) -> list[GroupTable]:
    """Return the tables in the order of the page."""
    total = everything(positions)
    return [
        GroupTable(
            "strategy", "By strategy", "strategy", by_strategy(positions, strategies), total
        ),
        GroupTable(
            "reason", "Exits by reason", "left because", by_reason(positions), total, BY_REASON
        ),
        GroupTable("hour", "By hour of entry", "entered, IST", by_hour(positions), total),
        GroupTable(
            "expiry", "By days to expiry", "days", by_days_to_expiry(positions), total, BY_DAYS
        ),
        _regime_table(positions, paths, total),
    ]


def _regime_table(positions: Positions, paths: SpotPaths, total: Group) -> GroupTable:
    regimes = by_regime(positions, paths.by_date)
    known, trouble = regimes.known, paths.trouble and f"Not known: {paths.trouble}."
    note = _in_words(regimes, len(positions)) if known else trouble
    groups = regimes.groups if known else []
    return GroupTable("regime", "By market regime", "the hour before", groups, total, note)


def _in_words(regimes: Regimes, trades: int) -> str:
    words = (
        "The hour of stored spot before each entry, never later: how much it moved (realised "
        "volatility) and whether it ended higher or lower. Where the session is younger than an "
        "hour, since its start. Quiet, medium and wild are thirds of this run's own "
        f"{regimes.known:,} entries: up to {percent(regimes.low, 2)} an hour, up to "
        f"{percent(regimes.high, 2)}, above. They are known only afterwards: a description, not "
        "a rule to trade by."
    )
    unknown = trades - regimes.known
    return words + (f" Not known for {unknown:,}: under 15 minutes of spot." if unknown else "")
