"""Which sessions drift compares: a day, the sessions just before it, and the training sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from optiq.errors import MissingDataError
from optiq.learn.drift import TREND_SESSIONS, Moved, Reference
from optiq.learn.drift_sample import DaySample, sample
from optiq.market.store import Store
from optiq.run.stored import panels

FIELDS = ("ltp", "bid", "ask", "volume", "oi", "oi_change", "iv", "delta", "gamma", "theta", "vega")


@dataclass(frozen=True, slots=True)
class Drift:
    """A day against its training sessions; ``moved`` has every feature, in their order."""

    date: dt.date
    trained: tuple[dt.date, ...]
    recent: tuple[dt.date, ...]
    moved: tuple[Moved, ...]

    @property
    def alarms(self) -> list[Moved]:
        """Return what moved, farthest beyond its threshold first."""
        found = [moved for moved in self.moved if moved.is_alarm or moved.is_trend]
        return sorted(found, key=lambda moved: moved.excess, reverse=True)


def drift(
    store: Store,
    underlying: str,
    date: dt.date,
    sessions: int,
    trained_until: dt.date | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Drift:
    """Compare a stored day with ``sessions`` earlier ones.

    Those end at ``trained_until``, the last session a model has seen; without it, where the
    sessions that make the trend begin. `MissingDataError` where the day is not stored,
    `EvidenceError` where too few are before it.
    """
    stored = [day.date for day in store.days(underlying) if day.date <= date]
    if date not in stored:
        raise MissingDataError(f"{store.root} holds no {underlying} of {date}", "optiq data ls")
    trained, recent = chosen(stored, sessions, trained_until)
    samples = _samples(store, underlying, [*trained, *recent], advance)
    reference = Reference([next(samples) for _ in trained])
    return Drift(date, tuple(trained), tuple(recent), tuple(reference.compare(list(samples))))


def chosen(
    stored: Sequence[dt.date], sessions: int, trained_until: dt.date | None
) -> tuple[list[dt.date], list[dt.date]]:
    """Return the training sessions and the recent ones, of which the last is the day itself.

    A fifth of what there is makes the trend, at most 20 sessions, where no model says.
    """
    if trained_until is not None and trained_until < stored[-1]:
        trained = [date for date in stored if date <= trained_until]
        recent = [date for date in stored if date > trained_until]
    else:
        n_recent = max(1, min(TREND_SESSIONS, len(stored) // 5))
        trained, recent = list(stored[:-n_recent]), list(stored[-n_recent:])
    return trained[-sessions:], recent[-TREND_SESSIONS:]


def needed_sessions(sessions: int) -> int:
    """Return how many stored days `drift` reads at most, for a progress bar."""
    return sessions + TREND_SESSIONS


def _samples(
    store: Store, underlying: str, dates: list[dt.date], advance: Callable[[int], None]
) -> Iterator[DaySample]:
    for panel, context in panels(store, underlying, dates, FIELDS):
        yield sample(panel, context)
        advance(1)
