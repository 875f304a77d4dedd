"""The sessions a direction model learns from, and which of their rows train, calibrate and test."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from optiq.errors import EvidenceError
from optiq.learn.direction.labels import LabelRule, Unlabelled, variance_after
from optiq.learn.direction.width import learnt_law
from optiq.learn.direction.windows import LabelledDay, Scaler, SeenDay, seen_day
from optiq.learn.splits import Fold, walk_forward, within_session
from optiq.market.schema import FloatArray, IntArray, TimeArray
from optiq.market.store import Store

FEWEST_WINDOWS = 30
"""Below this not even the simplest model can be told from its prior."""
FEWEST_FOR_EMBARGO = 10
"""Sessions; with fewer, none can be spared between training and test."""


@dataclass(frozen=True)
class Sample:
    """The labelled windows of some sessions, oldest first; arrays are (n,) windows.

    ``day`` says which of ``days``, ``row`` which of its chain rows. ``sha256`` names the data,
    ``rule`` what the labels answer.
    """

    days: tuple[LabelledDay, ...]
    day: IntArray
    row: IntArray
    label: IntArray
    ts: TimeArray
    end: TimeArray
    sha256: str
    rule: LabelRule = field(default_factory=LabelRule)

    @property
    def session(self) -> TimeArray:
        """The session of each window, (n,)."""
        return np.array([day.session for day in self.days], "datetime64[D]")[self.day]

    def by_day(self, windows: IntArray) -> Iterator[tuple[LabelledDay, IntArray, IntArray]]:
        """Yield the days of some windows: the day, its chain rows and their labels."""
        for number in np.unique(self.day[windows]).tolist():
            own = windows[self.day[windows] == number]
            yield self.days[number], self.row[own], self.label[own]

    def unlabelled(self) -> dict[str, int]:
        """Return how many rows have no label, by reason."""
        counts = [day.labels.counts() for day in self.days]
        return {
            name: sum(count[name] for count in counts)
            for name in (r.name.lower() for r in Unlabelled if r != Unlabelled.LABELLED)
        }


def sample_of(days: Sequence[LabelledDay], sha256: str, rule: LabelRule | None = None) -> Sample:
    """Return the windows of labelled days; `EvidenceError` where they are too few."""
    kept = tuple(day for day in days if len(day.rows))
    counts = [len(day.rows) for day in kept]
    if sum(counts) < FEWEST_WINDOWS:
        raise EvidenceError(
            f"{sum(counts)} labelled windows in {len(days)} sessions; {FEWEST_WINDOWS} are needed",
            "store more sessions, or ask a shorter --horizon",
        )
    return Sample(
        kept,
        np.repeat(np.arange(len(kept)), counts),
        np.concatenate([day.rows for day in kept]),
        np.concatenate([day.labels.label[day.rows] for day in kept]),
        np.concatenate([day.ts[day.rows] for day in kept]),
        np.concatenate([day.labels.end[day.rows] for day in kept]),
        sha256,
        rule or LabelRule(),
    )


def stored_sample(
    store: Store,
    underlying: str,
    dates: Sequence[dt.date],
    rule: LabelRule,
    minutes_apart: float,
    advance: Callable[[int], None] = lambda _: None,
    learn_for_folds: int | None = None,
) -> Sample:
    """Return the windows of stored sessions; ``advance`` is told after each session.

    ``learn_for_folds`` learns how far a standard deviation is, on the windows that the first of so
    many folds trains on; without it the rule is taken as it is.
    """
    days = []
    for date in dates:
        days.append(seen_day(store.read_panel(underlying, date), store.context(underlying, date)))
        advance(1)
    sha256 = data_sha256(store, underlying, dates)
    if learn_for_folds is not None:
        rule = learnt_rule(days, rule, minutes_apart, learn_for_folds)
    return sample_of([day.labelled(rule, minutes_apart) for day in days], sha256, rule)


def learnt_rule(
    days: Sequence[SeenDay], rule: LabelRule, minutes_apart: float, n_folds: int
) -> LabelRule:
    """Return the rule with the law of its width learnt before the first window that is tested."""
    sample = sample_of([day.labelled(rule, minutes_apart) for day in days], "", rule)
    (first, *_), _ = folds_of(sample, n_folds)
    seen = {day.session: day.watched for day in days}
    learnt = [
        (seen[day.session].outlook, rows, variance_after(seen[day.session], rule, rows))
        for day, rows, _ in sample.by_day(first.train)
    ]
    return replace(rule, law=learnt_law(learnt))


def data_sha256(store: Store, underlying: str, dates: Sequence[dt.date]) -> str:
    """Return the hash of the stored content of some days."""
    ids = [f"{date} {store.manifest(underlying, date).content_id}" for date in dates]
    return hashlib.sha256("\n".join([underlying, *ids]).encode()).hexdigest()


def folds_of(sample: Sample, n_folds: int) -> tuple[list[Fold], str]:
    """Return the folds that these sessions allow, and in words how they were made.

    Under ten sessions there is one fold without an embargo, under three one split by time.
    """
    n = len(sample.days)
    if n < 3:
        return [within_session(sample.ts, sample.end)], "one split by time, purged by label end"
    few = n < FEWEST_FOR_EMBARGO
    folds, embargo = (1, 0) if few else (min(n_folds, n // 4), 1)
    made = walk_forward(
        sample.session, sample.end, sample.ts, n_folds=folds, embargo_sessions=embargo
    )
    return made, (
        f"walk-forward by session, {len(made)} fold{'s' * (len(made) > 1)}, purged by label end, "
        f"{'no embargo (too few sessions)' if few else '1 session of embargo'}, the last 20 % of "
        "what a fold learns from calibrates"
    )


def scaler_of(sample: Sample, windows: IntArray) -> Scaler:
    """Return the scaler of what training windows see: their days' rows up to the last of them."""
    seen: list[FloatArray] = [
        day.seen.features[: int(rows[-1]) + 1] for day, rows, _ in sample.by_day(windows)
    ]
    return Scaler.fitted(np.concatenate(seen))
