"""Which sessions drift compares: a day, the sessions just before it, and the training sessions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from optiq.errors import MissingDataError
from optiq.learn.drift.moved import Moved
from optiq.learn.drift.reference import TREND_SESSIONS, Reference
from optiq.learn.drift.sample import DaySample, Score, sample
from optiq.learn.drift.scores import ScoreDrift, Serving, chosen_unseen, score_drift
from optiq.market.store import Store
from optiq.run.stored import panels

FIELDS = ("ltp", "bid", "ask", "volume", "oi", "oi_change", "iv", "delta", "gamma", "theta", "vega")


@dataclass(frozen=True, slots=True)
class Drift:
    """A day against its training sessions; ``moved`` has every feature, in their order.

    ``scores`` is what the scorer says of the day, None where no scorer was given.
    """

    date: dt.date
    trained: tuple[dt.date, ...]
    recent: tuple[dt.date, ...]
    moved: tuple[Moved, ...]
    scores: ScoreDrift | None = None

    @property
    def everything(self) -> tuple[Moved, ...]:
        """Return the features and, last, the scores."""
        score = self.scores.moved if self.scores else None
        return (*self.moved, *([score] if score else []))

    @property
    def alarms(self) -> list[Moved]:
        """Return what moved, farthest beyond its threshold first."""
        found = [moved for moved in self.everything if moved.is_alarm or moved.is_trend]
        return sorted(found, key=lambda moved: moved.excess, reverse=True)


def drift(
    store: Store,
    underlying: str,
    date: dt.date,
    sessions: int,
    scorer: Serving | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Drift:
    """Compare a stored day with ``sessions`` earlier ones, and what a scorer says of it.

    The earlier ones end at the last session that ``scorer`` has seen; without it, where the
    sessions that make the trend begin. `MissingDataError` where the day is not stored,
    `EvidenceError` where too few are before it.
    """
    stored = [day.date for day in store.days(underlying) if day.date <= date]
    if date not in stored:
        raise MissingDataError(f"{store.root} holds no {underlying} of {date}", "optiq data ls")
    trained, recent = chosen(stored, sessions, scorer.seen_until if scorer else None)
    unseen, lately = _scored(stored, sessions, scorer, underlying)
    wanted = sorted({*trained, *recent, *unseen, *lately})
    score = scorer.model.score if lately and scorer else None
    taken = dict(zip(wanted, _samples(store, underlying, wanted, score, advance), strict=True))
    usual, after, now = ([taken[day] for day in days] for days in (trained, recent, lately))
    moved = Reference(usual).compare(after)
    scores = None
    if scorer and lately:
        scores = score_drift(scorer, [taken[day] for day in unseen], now)
    return Drift(date, tuple(trained), tuple(recent), tuple(moved), scores)


def _scored(
    stored: Sequence[dt.date], sessions: int, scorer: Serving | None, underlying: str
) -> tuple[list[dt.date], list[dt.date]]:
    """Return the sessions whose scores are compared, none where the scorer knows no such index."""
    if scorer is None or underlying not in scorer.model.question.underlyings:
        return [], []
    return chosen_unseen(stored, sessions, scorer.seen_until)


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


def needed_sessions(sessions: int, scorer: Serving | None = None) -> int:
    """Return how many stored days `drift` reads at most, for a progress bar."""
    return (1 if scorer is None else 2) * (sessions + TREND_SESSIONS)


def _samples(
    store: Store,
    underlying: str,
    dates: list[dt.date],
    score: Score | None,
    advance: Callable[[int], None],
) -> Iterator[DaySample]:
    for panel, context in panels(store, underlying, dates, FIELDS):
        yield sample(panel, context, score)
        advance(1)
