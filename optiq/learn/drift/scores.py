"""What a scorer said of a day's contracts, against what it said of sessions it had not seen.

Not against its training sessions: trees know the rows they grew on, and spread their scores wider
there than on any later day. The first sessions after the last it has seen are those its gate judged
it on; what it said of them is what it was promoted for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optiq.learn import registry
from optiq.learn.drift.day import Group
from optiq.learn.drift.moved import Moved
from optiq.learn.drift.reference import TREND_SESSIONS, Reference
from optiq.learn.drift.sample import DaySample
from optiq.learn.scorer.model import KIND, ScorerModel

NAME = "score"
LEAST_UNSEEN = 15
"""Sessions below which the worst of them says too little of what is ordinary."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The scorer that serves on a session, and the last session it has seen."""

    version: str
    model: ScorerModel
    seen_until: dt.date


@dataclass(frozen=True, slots=True)
class ScoreDrift:
    """What was compared and what it says; ``moved`` is None where it could not be, for ``why``."""

    version: str
    unseen: tuple[dt.date, ...]
    recent: tuple[dt.date, ...]
    moved: Moved | None
    why: str = ""


def serving(models: Path, date: dt.date) -> Serving | None:
    """Return who serves on a session, None where nobody does; `DamagedError` if it is not whole."""
    version = registry.at(models, KIND, date)
    if version is None:
        return None
    stored = registry.load(models, KIND, version)
    return Serving(version, ScorerModel.from_files(stored.files), registry.seen_until(stored))


def chosen_unseen(
    stored: Sequence[dt.date], sessions: int, seen_until: dt.date
) -> tuple[list[dt.date], list[dt.date]]:
    """Return the first sessions that a scorer had not seen, and the recent ones.

    A fifth of those it has not seen make the trend, at most 20.
    """
    unseen = [date for date in stored if date > seen_until]
    n_recent = max(1, min(TREND_SESSIONS, len(unseen) // 5))
    return unseen[:-n_recent][:sessions], unseen[-n_recent:]


def scores_in(sample: DaySample) -> list[Group]:
    """Return the one group that scores are."""
    known = sample.bucket >= 0
    return [(sample.score[known][:, None], sample.bucket[known])]


def score_drift(
    scorer: Serving, usual: Sequence[DaySample], recent: Sequence[DaySample]
) -> ScoreDrift:
    """Compare what a scorer says of the last of ``recent`` with what it said of ``usual``."""
    unseen, lately = _dates(usual), _dates(recent)
    if len(usual) < LEAST_UNSEEN:
        many = f"{len(usual)} of {LEAST_UNSEEN}"
        why = f"too few: {many} sessions before them that it had not seen"
        return ScoreDrift(scorer.version, unseen, lately, None, why)
    (moved,) = Reference(usual, scores_in, (NAME,)).compare(recent)
    return ScoreDrift(scorer.version, unseen, lately, moved)


def _dates(samples: Sequence[DaySample]) -> tuple[dt.date, ...]:
    return tuple(np.array([one.session for one in samples], "datetime64[D]").tolist())
