"""A scorer's figures by hand, beside scikit-learn, and their intervals by session."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from optiq.learn.measured import Evidence
from optiq.learn.scorer.metrics import (
    Scored,
    auc_of,
    bins_of,
    brier_skill,
    buying_everything,
    calibration_error,
    deciles,
    figures,
    reliability,
    top_decile_lift,
    top_rows,
)

ONCE = np.ones((1, 3), np.int64)


def scored(n: int, n_sessions: int, seed: int, edge: float = 1.0) -> Scored:
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.1, 0.9, n)
    won = rng.random(n) < edge * chance + (1 - edge) * 0.5
    return Scored(
        chance=np.round(chance, 2),  # with ties
        margin=chance,
        won=won,
        net_pnl=np.where(won, 900.0, -650.0),
        base=np.full(n, 0.5),
        session=np.sort(rng.integers(n_sessions, size=n)),
        n_sessions=n_sessions,
    )


def by_hand(chance, won, session, n_sessions=3) -> Scored:
    won = np.array(won, bool)
    return Scored(
        np.array(chance),
        np.array(chance),
        won,
        np.where(won, 10.0, -5.0),
        np.full(len(won), 0.5),
        np.array(session),
        n_sessions,
    )


EVIDENCE = Evidence(
    *("walk-forward", 3_000, 30, dt.date(2025, 1, 1), dt.date(2025, 3, 1)),
    *(np.datetime64("2024-12-31T10:00"), np.datetime64("2025-01-01T04:00")),
    *("data", "model", "code"),
)


@given(seed=st.integers(0, 10_000), n=st.integers(20, 400))
def test_the_auc_is_scikit_learns_however_often_sessions_count(seed, n):
    rows = scored(n, 3, seed)
    times = np.random.default_rng(seed).multinomial(3, [1 / 3] * 3, size=6)
    found = auc_of(rows.chance, rows.won, rows.session, 3)(times)
    for k, often in enumerate(times):
        repeated = np.repeat(np.arange(n), often[rows.session])
        won = rows.won[repeated]
        if won.all() or not won.any():
            assert np.isnan(found[k])
        else:
            assert found[k] == pytest.approx(roc_auc_score(won, rows.chance[repeated]))


def test_rows_that_a_scorer_cannot_judge_are_not_ranked():
    """They once kept the count of pairs from ever ending."""
    whole = scored(60, 3, 5)
    chance = np.where(np.arange(60) % 4 == 0, np.nan, whole.chance)
    known = ~np.isnan(chance)
    found = auc_of(chance, whole.won, whole.session, 3)(ONCE)[0]
    assert found == pytest.approx(roc_auc_score(whole.won[known], chance[known]))


def test_brier_and_log_loss_are_scikit_learns():
    rows = scored(3_000, 30, 1)
    named = {one.metric: one.interval.value for one in figures(rows, EVIDENCE)}
    assert named["Brier"] == pytest.approx(brier_score_loss(rows.won, rows.chance))
    assert named["log loss"] == pytest.approx(log_loss(rows.won, rows.chance))
    assert named["Brier skill"] == pytest.approx(1 - named["Brier"] / 0.25)
    everything = {one.metric: one.interval.value for one in buying_everything(rows, EVIDENCE)}
    assert everything["Brier"] == pytest.approx(0.25)
    assert everything["win rate"] == pytest.approx(rows.won.mean())
    assert everything["net P&L per trade"] == pytest.approx(rows.net_pnl.mean())


def test_the_days_top_ten_are_its_highest_ties_by_margin():
    chance = [0.9] * 12 + [0.8] * 3 + [0.1]
    rows = by_hand(chance, [0] * 16, [0] * 15 + [2])
    rows.margin[:] = np.arange(16.0)
    assert sorted(top_rows(rows).tolist()) == [*range(2, 12), 15]


def test_calibration_error_by_hand():
    """Two rows a tenth; in the lowest 0.1 is said and half come, elsewhere what is said comes."""
    chance = np.repeat([0.1, *np.linspace(0.2, 1.0, 9)], 2)
    won = np.tile([0, 1], 10)
    rows = by_hand(chance, won, np.zeros(20, int))
    expected = np.mean([abs(said - 0.5) for said in chance[::2]])
    assert calibration_error(rows)(ONCE)[0] == pytest.approx(expected)


def test_bins_are_tenths_and_lift_is_of_the_highest():
    rows = by_hand(np.linspace(0, 1, 20), [0] * 10 + [0, 1] * 4 + [1, 1], np.zeros(20, int))
    assert bins_of(rows).tolist() == np.repeat(np.arange(10), 2).tolist()
    assert top_decile_lift(rows)(ONCE)[0] == pytest.approx(1.0 / (6 / 20))
    assert [row["net"] for row in deciles(rows)][-1] == 10.0
    assert [row["observed"] for row in reliability(rows)][-2:] == [0.5, 1.0]


def test_skill_is_none_at_the_base_rate():
    rows = by_hand([0.5] * 4, [0, 1, 0, 1], [0, 0, 1, 2])
    assert brier_skill(rows)(ONCE)[0] == 0.0


def test_rows_without_a_chance_count_against_coverage_alone():
    rows = scored(3_000, 30, 2)
    part = rows.take(np.arange(0, 3_000))
    part.chance[::3] = np.nan
    named = {one.metric: one.interval.value for one in figures(part, EVIDENCE)}
    assert named["coverage"] == pytest.approx(2 / 3)
    kept = rows.take(np.arange(3_000) % 3 != 0)
    assert named["AUC"] == pytest.approx(roc_auc_score(kept.won, kept.chance))


def test_a_scorer_that_knows_nothing_has_an_interval_around_a_half():
    """Twenty markets without any edge: of the nominal 95 % at most two may miss."""
    missed = 0
    for seed in range(20):
        named = {one.metric: one for one in figures(scored(1_500, 30, seed, 0.0), EVIDENCE)}
        auc = named["AUC"].interval
        assert auc.sessions == 30
        missed += not auc.low <= 0.5 <= auc.high
    assert missed <= 3
