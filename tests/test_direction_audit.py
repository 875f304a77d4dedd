"""The audit passes an honest training and catches each lie by its name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from planted_directions import planted

from optiq.learn.direction.audit import (
    DUPLICATES,
    FUTURE,
    SCOPE,
    SHIFTED,
    SPLIT,
    Suspect,
    audited,
    failures,
)
from optiq.learn.direction.labels import BUY, SELL, LabelRule
from optiq.learn.direction.sample import Sample, folds_of
from optiq.learn.direction.windows import NAMES, Scaler
from optiq.learn.splits import Fold


@cache
def honest() -> Suspect:
    sample, _ = planted(30, seed=4, strength=0.8)
    return Suspect(sample, folds_of(sample, 1)[0][0], LabelRule())


def shuffled(sample: Sample) -> Fold:
    order = np.random.default_rng(0).permutation(len(sample.label))
    train, calibrate, test = np.split(order, [len(order) // 2, len(order) * 3 // 4])
    return Fold(np.sort(train), np.sort(calibrate), np.sort(test))


def over_all_rows(sample: Sample, windows: np.ndarray) -> Scaler:
    return Scaler.fitted(np.concatenate([day.seen.features for day in sample.days]))


def with_future(sample: Sample) -> Sample:
    """Whether it rises or falls, told by a column with a little noise on it."""
    rng, days = np.random.default_rng(1), []
    for day in sample.days:
        features = day.seen.features.copy()
        told = (day.labels.label == BUY) * 1.0 - (day.labels.label == SELL)
        features[:, 5] = told + rng.normal(0.0, 0.5, len(features))
        days.append(replace(day, seen=replace(day.seen, features=features)))
    return replace(sample, days=tuple(days))


def test_an_honest_training_passes() -> None:
    assert list(failures(audited(honest()))) == []


@pytest.mark.parametrize(
    ("lie", "caught"),
    [
        (lambda s: replace(s, fold=shuffled(s.sample)), SPLIT),
        (lambda s: replace(s, scale=over_all_rows), SCOPE),
        (lambda s: replace(s, sample=with_future(s.sample)), FUTURE),
    ],
)
def test_each_lie_is_caught_by_its_name(lie, caught: str) -> None:
    assert caught in list(failures(audited(lie(honest()))))


def test_a_feature_known_on_a_handful_of_rows_is_not_accused() -> None:
    """Snapshots a quarter of an hour apart have a return of five minutes four times a year."""
    suspect, days, left = honest(), [], 4
    for day in suspect.sample.days:
        features = day.seen.features.copy()
        told = (day.labels.label == BUY) * 1.0 - (day.labels.label == SELL)
        features[:, 5] = np.nan
        shown = day.rows[(told[day.rows] != 0)][: max(left, 0)]
        left -= len(shown)
        features[shown, 5] = told[shown]
        days.append(replace(day, seen=replace(day.seen, features=features)))
    sparse = replace(suspect, sample=replace(suspect.sample, days=tuple(days)))
    assert FUTURE not in failures(audited(sparse))


def test_all_three_at_once_are_each_named() -> None:
    suspect = honest()
    leaky = replace(
        suspect,
        sample=with_future(suspect.sample),
        fold=shuffled(suspect.sample),
        scale=over_all_rows,
    )
    checks = audited(leaky)
    assert {SPLIT, SCOPE, FUTURE} <= set(failures(checks))
    assert NAMES[5] in next(check.says for check in checks if check.check == FUTURE)


def test_a_session_that_comes_twice_is_caught() -> None:
    suspect = honest()
    day = suspect.sample.days[0]
    days = (*suspect.sample.days[:-1], replace(suspect.sample.days[-1], seen=day.seen))
    assert DUPLICATES in failures(
        audited(replace(suspect, sample=replace(suspect.sample, days=days)))
    )


def test_features_that_come_a_row_late_are_caught() -> None:
    """The label follows a quick feature now; shown a row too late, older features tell more."""
    sample, _ = planted(30, seed=4, strength=0.8)
    days = []
    rng = np.random.default_rng(3)
    for day in sample.days:
        features = day.seen.features.copy()
        quick = rng.standard_normal(len(features))
        label = np.where(quick > 0.5, BUY, np.where(quick < -0.5, SELL, 1))
        features[:-1, 2] = quick[1:]  # each row shows what the next should
        features[-1, 2] = 0.0
        drawn = np.where(rng.random(len(features)) < 0.4, label, rng.integers(0, 3, len(features)))
        labels = replace(day.labels, label=drawn)
        days.append(replace(day, seen=replace(day.seen, features=features), labels=labels))
    label = np.concatenate([d.labels.label[d.rows] for d in days])
    late = replace(honest(), sample=replace(sample, days=tuple(days), label=label))
    assert SHIFTED in failures(audited(late))
