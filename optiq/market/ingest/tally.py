"""Every row of every source accounted for."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field

from optiq.errors import OptiqError
from optiq.market.ingest.sources import Source
from optiq.market.manifest import SourceEntry

Day = tuple[str, dt.date]


@dataclass
class Count:
    """Rows of one source on one day: in = kept + duplicates + quarantined once settled."""

    rows_in: int = 0
    rows_kept: int = 0
    duplicates: int = 0
    quarantined: int = 0


@dataclass
class SourceTally:
    """One source of a run: its counts by day, and under None those of no known day."""

    number: int
    source: Source
    format: str = ""
    sha256: str = ""
    left_out: int = 0
    failed: OptiqError | None = None
    is_repeat: bool = False
    lost_days: bool = False
    by_day: dict[Day | None, Count] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)

    def of(self, day: Day | None) -> Count:
        """Return the count of one day."""
        return self.by_day.setdefault(day, Count())

    def refuse(self, day: Day | None, reason: str, rows: int) -> None:
        """Count rows that go to quarantine."""
        self.of(day).quarantined += rows
        self.reasons[reason] += rows

    def repeat(self, rows: int) -> None:
        """Count a source whose bytes are in the store already."""
        self.is_repeat = True
        self.of(None).rows_in += rows
        self.of(None).duplicates += rows

    def total(self) -> Count:
        """Return the counts of all days together."""
        counts = self.by_day.values()
        return Count(
            rows_in=sum(count.rows_in for count in counts),
            rows_kept=sum(count.rows_kept for count in counts),
            duplicates=sum(count.duplicates for count in counts),
            quarantined=sum(count.quarantined for count in counts),
        )

    def entry(self, day: Day, *, merged: bool) -> SourceEntry:
        """Return what a manifest says of this source."""
        count = self.of(day)
        return SourceEntry(
            name=self.source.name,
            sha256=self.sha256,
            format=self.format,
            origin=self.source.origin,
            rows_in=count.rows_in,
            rows_kept=count.rows_kept,
            duplicates=count.duplicates,
            quarantined=count.quarantined,
            merged=merged,
        )

    @property
    def is_complete(self) -> bool:
        """Whether all its rows found their place, so that the same bytes need no second reading."""
        whole = self.failed is None and not self.lost_days and not self.left_out
        return whole and not self.is_repeat and bool(self.sha256)
