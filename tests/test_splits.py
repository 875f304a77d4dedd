"""Splits by session: no label of a part ends within a later part, whatever the labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optiq.errors import InputError
from optiq.learn.splits import Fold, final_fold, fitted_until, lockbox, walk_forward, within_session

FIRST = np.datetime64("2025-10-01")


def rows_of(days: int, a_day: int, minutes: list[int]) -> tuple[np.ndarray, ...]:
    """Return session, label end and time of rows spread over each day, labels taking minutes."""
    session = np.repeat(FIRST + np.arange(days), a_day)
    clock = np.tile(np.arange(a_day) * 370 // a_day, days)
    ts = session.astype("datetime64[us]") + (225 + clock) * np.timedelta64(1, "m")
    takes = np.resize(np.array(minutes), len(ts)) * np.timedelta64(1, "m")
    return session, ts + takes, ts


def overlaps(early: np.ndarray, late: np.ndarray, ts: np.ndarray, label_end: np.ndarray) -> int:
    """Count pairs of rows whose time-to-label-end intervals touch."""
    if not len(early) or not len(late):
        return 0
    starts, ends = ts[late][None], label_end[late][None]
    return int(((ts[early][:, None] <= ends) & (label_end[early][:, None] >= starts)).sum())


def all_overlaps(fold: Fold, ts: np.ndarray, label_end: np.ndarray) -> int:
    pairs = (
        (fold.train, fold.calibrate),
        (fold.train, fold.test),
        (fold.calibrate, fold.test),
    )
    return sum(overlaps(early, late, ts, label_end) for early, late in pairs)


@st.composite
def labelled(draw):
    days, a_day = draw(st.integers(8, 16)), draw(st.integers(1, 8))
    # Up to three days: labels of held positions cross the night, and with it sessions.
    minutes = draw(st.lists(st.integers(0, 4_500), min_size=1, max_size=40))
    session, label_end, ts = rows_of(days, a_day, minutes)
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(ts))
    return session[order], label_end[order], ts[order], draw(st.integers(0, 2))


@given(labelled())
@settings(max_examples=200)
def test_no_label_of_a_part_touches_a_later_part(case):
    session, label_end, ts, embargo = case
    try:
        folds = walk_forward(session, label_end, ts, n_folds=3, embargo_sessions=embargo)
    except InputError as refused:
        assert "no rows are left" in str(refused)  # noqa: PT017 - long labels may leave nothing
        return
    for fold in folds:
        assert all_overlaps(fold, ts, label_end) == 0
        assert fitted_until(fold, label_end) < ts[fold.test].min()
        assert not set(session[fold.train]) & set(session[fold.test])
        learnt = session[np.concatenate([fold.train, fold.calibrate])].max()
        assert session[fold.test].min() - learnt > np.timedelta64(embargo, "D")


@given(st.integers(10, 60), st.lists(st.integers(0, 200), min_size=1, max_size=20))
def test_a_single_day_is_split_by_time_and_purged(rows, minutes):
    _, label_end, ts = rows_of(1, rows, minutes)
    try:
        fold = within_session(ts, label_end)
    except InputError as refused:
        assert "no rows are left" in str(refused)  # noqa: PT017
        return
    assert all_overlaps(fold, ts, label_end) == 0
    assert ts[fold.train].max() < ts[fold.calibrate].min() <= ts[fold.calibrate].max()
    assert ts[fold.calibrate].max() < ts[fold.test].min()


def test_folds_by_hand():
    session, label_end, ts = rows_of(days=12, a_day=2, minutes=[30])
    folds = walk_forward(session, label_end, ts, n_folds=2, test_sessions=3)
    days = [
        [sorted({int(row) // 2 for row in part}) for part in (f.train, f.calibrate, f.test)]
        for f in folds
    ]
    assert days == [
        [[0, 1, 2, 3], [4], [6, 7, 8]],  # five to learn from, day 5 embargoed
        [[0, 1, 2, 3, 4, 5], [6, 7], [9, 10, 11]],
    ]


def test_a_rolling_window_forgets():
    session, label_end, ts = rows_of(days=12, a_day=1, minutes=[30])
    (fold,) = walk_forward(session, label_end, ts, n_folds=1, test_sessions=2, train_sessions=5)
    assert [fold.train.tolist(), fold.calibrate.tolist(), fold.test.tolist()] == [
        [4, 5, 6, 7],
        [8],
        [10, 11],
    ]


def test_only_rows_whose_labels_reach_over_are_purged():
    session, label_end, ts = rows_of(days=5, a_day=4, minutes=[30])
    label_end[3] = ts[16]  # day 0's last row: resolved on the tested day
    label_end[13] = ts[16] - np.timedelta64(1, "us")  # the last moment that is allowed
    (fold,) = walk_forward(
        session, label_end, ts, n_folds=1, test_sessions=1, embargo_sessions=0, calibrate_share=0.25
    )
    assert fold.train.tolist() == [0, 1, 2, *range(4, 12)]
    assert fold.calibrate.tolist() == [12, 13, 14, 15]
    label_end[13] = ts[16]
    (fold,) = walk_forward(
        session, label_end, ts, n_folds=1, test_sessions=1, embargo_sessions=0, calibrate_share=0.25
    )
    assert fold.calibrate.tolist() == [12, 14, 15]


def test_the_model_that_serves_learns_from_all_and_tests_on_nothing():
    session, label_end, ts = rows_of(days=10, a_day=2, minutes=[30])
    fold = final_fold(session, label_end, ts)
    assert (len(fold.train), len(fold.calibrate), len(fold.test)) == (16, 4, 0)


def test_the_lockbox_is_the_last_sessions():
    days = FIRST + np.arange(50)
    early, shut = lockbox(np.repeat(days, 3))
    assert early.tolist() == days[:30].tolist()
    assert shut.tolist() == days[30:].tolist()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda end, ts: end.__setitem__(4, np.datetime64("NaT")), "without a time"),
        (lambda end, ts: end.__setitem__(4, ts[3]), "ends before its row"),
    ],
)
def test_labels_without_an_end_or_before_their_row_are_refused(spoil, words):
    session, label_end, ts = rows_of(days=10, a_day=2, minutes=[30])
    spoil(label_end, ts)
    with pytest.raises(InputError, match=words):
        walk_forward(session, label_end, ts)


def test_too_few_sessions_are_refused_with_what_is_needed():
    session, label_end, ts = rows_of(days=4, a_day=2, minutes=[30])
    with pytest.raises(InputError, match="4 sessions are too few for 4 folds"):
        walk_forward(session, label_end, ts)
