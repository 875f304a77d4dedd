"""Which rows train, which calibrate, which test: by session, and purged by label end.

A label looks ahead: that of a row is known only at its ``label_end``. A row may train only if its
label ended before the first row that is calibrated or tested on; splitting by the rows' own times
would let the answer in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.errors import InputError
from optiq.market.schema import AnyArray, BoolArray, IntArray, TimeArray

LOCKBOX_SESSIONS = 20
"""Sessions nobody may look at until a model asks to be promoted."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Row numbers, ascending, of one split; no label of one part ends within a later part."""

    train: IntArray
    calibrate: IntArray
    test: IntArray


def walk_forward(
    session: TimeArray,
    label_end: TimeArray,
    ts: TimeArray,
    *,
    n_folds: int = 4,
    train_sessions: int | None = None,
    test_sessions: int | None = None,
    calibrate_share: float = 0.2,
    embargo_sessions: int = 1,
) -> list[Fold]:
    """Return folds in time order: each tests a block of sessions and learns from those before it.

    ``session`` (n,) are Indian dates, ``ts`` and ``label_end`` (n,) the moments a row and its label
    were known, UTC, in any order of rows. The last ``n_folds x test_sessions`` sessions are tested
    (without ``test_sessions`` a block is ``1 / (n_folds + 1)`` of them). A fold learns from all
    earlier sessions, or the last ``train_sessions``; the last ``embargo_sessions`` before a test
    block are left out, for the sake of features that remember the day before; the last
    ``calibrate_share`` of the sessions it learns from calibrate. Rows of train whose label
    ends at or after the first row of calibrate, and of both at or after the first row of test, are
    purged. `InputError` where there are too few sessions or a label has no end.
    """
    _check(session, label_end, ts)
    if n_folds < 1:
        raise InputError(f"{n_folds} folds", "one at least")
    days: TimeArray = np.unique(session)
    block = test_sessions or max(1, (len(days) - embargo_sessions) // (n_folds + 1))
    first_test = len(days) - n_folds * block
    if first_test - embargo_sessions < 2:
        raise InputError(
            f"{len(days)} sessions are too few for {n_folds} folds of {block} to test, "
            f"{embargo_sessions} embargoed and two to learn from",
            "take more sessions or fewer folds",
        )
    folds = []
    for start in range(first_test, len(days), block):
        learnt = days[: start - embargo_sessions][-(train_sessions or len(days)) :]
        fold = _fold(session, label_end, ts, learnt, days[start : start + block], calibrate_share)
        folds.append(fold)
    return folds


def within_session(
    ts: TimeArray,
    label_end: TimeArray,
    *,
    test_share: float = 0.3,
    calibrate_share: float = 0.2,
) -> Fold:
    """Return one split inside a single day, by time, purged by label end as in `walk_forward`.

    The last ``test_share`` of the moments test; of those before, the last ``calibrate_share``
    calibrate. It is one session whatever its rows: a figure from it has no interval.
    """
    _check(ts, label_end, ts)
    moments: TimeArray = np.unique(ts)
    n_test = max(1, round(test_share * len(moments)))
    n_calibrate = max(1, round(calibrate_share * (len(moments) - n_test)))
    if len(moments) - n_test - n_calibrate < 1:
        raise InputError(f"{len(moments)} moments are too few to split a day into three parts")
    calibrated_from, tested_from = moments[-n_test - n_calibrate], moments[-n_test]
    is_test = ts >= tested_from
    return _purged(ts, label_end, ts < calibrated_from, (ts >= calibrated_from) & ~is_test, is_test)


def final_fold(
    session: TimeArray,
    label_end: TimeArray,
    ts: TimeArray,
    *,
    calibrate_share: float = 0.2,
) -> Fold:
    """Return the split of a model that is to serve: train and calibrate on all, test on nothing."""
    _check(session, label_end, ts)
    return _fold(session, label_end, ts, np.unique(session), session[:0], calibrate_share)


def fitted_until(fold: Fold, label_end: TimeArray) -> np.datetime64:
    """Return the last moment a fold's fit has seen: its latest label end, for `Evidence`."""
    return np.datetime64(label_end[np.concatenate([fold.train, fold.calibrate])].max())


def lockbox(sessions: TimeArray, n_sessions: int = LOCKBOX_SESSIONS) -> tuple[TimeArray, TimeArray]:
    """Return the sessions to learn from and the last ``n_sessions``, which stay shut."""
    days: TimeArray = np.unique(sessions)
    return days[:-n_sessions], days[-n_sessions:]


def _fold(
    session: TimeArray,
    label_end: TimeArray,
    ts: TimeArray,
    learnt: TimeArray,
    tested: TimeArray,
    calibrate_share: float,
) -> Fold:
    if len(learnt) < 2:
        raise InputError(f"{len(learnt)} sessions to learn from; two are needed")
    n_calibrate = min(len(learnt) - 1, max(1, round(calibrate_share * len(learnt))))
    return _purged(
        ts,
        label_end,
        np.isin(session, learnt[:-n_calibrate]),
        np.isin(session, learnt[-n_calibrate:]),
        np.isin(session, tested),
    )


def _purged(
    ts: TimeArray,
    label_end: TimeArray,
    train: BoolArray,
    calibrate: BoolArray,
    test: BoolArray,
) -> Fold:
    """Drop what would let an answer in: labels that end at or after a later part's first row."""
    tested_from = _first(ts, test)
    calibrate = calibrate & (label_end < tested_from)
    train = train & (label_end < min(_first(ts, calibrate), tested_from))
    parts = [np.flatnonzero(part) for part in (train, calibrate, test)]
    if not len(parts[0]) or not len(parts[1]):
        raise InputError(
            "no rows are left to train or calibrate on: their labels end in a later part",
            "take more sessions",
        )
    return Fold(*parts)


def _first(ts: TimeArray, rows: BoolArray) -> np.datetime64:
    """Return the first moment of some rows; the end of time where there are none."""
    return np.datetime64(ts[rows].min()) if rows.any() else np.datetime64(2**62, "us")


def _check(session: AnyArray, label_end: TimeArray, ts: TimeArray) -> None:
    if not len(session) == len(label_end) == len(ts):
        raise InputError(
            f"{len(session)} sessions, {len(label_end)} label ends and {len(ts)} times: one a row"
        )
    if np.isnat(label_end).any() or np.isnat(ts).any():
        raise InputError("a row or a label without a time", "drop rows whose label never ended")
    if (label_end < ts).any():
        raise InputError("a label that ends before its row")
