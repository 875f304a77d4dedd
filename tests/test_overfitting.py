"""The best of many tries is deflated by how many there were: published example, noise, skill."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from small_models import NOW, save

from optiq.errors import DamagedError, InputError
from optiq.learn import ledger_file, trials
from optiq.learn.overfitting import (
    best_of,
    deflated,
    effective_trials,
    expected_best,
    probability_of_overfitting,
)

A_YEAR = 250


def noise(seed: int, sessions: int = 500, tries: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((sessions, tries))


def with_skill(seed: int, a_year: float = 2.0) -> np.ndarray:
    daily = noise(seed)
    daily[:, 17] += a_year / np.sqrt(A_YEAR)
    return daily


def test_the_published_example():
    """Bailey and Lopez de Prado 2014: SR 2.5 a year, T 1250, skew -3, kurtosis 10, N 100."""
    benchmark = expected_best(0.5 / A_YEAR, 100)
    assert benchmark == pytest.approx(0.1132, abs=1e-4)
    assert deflated(2.5 / np.sqrt(A_YEAR), benchmark, 1250, -3, 10) == pytest.approx(
        0.9004, abs=1e-4
    )


def test_one_try_is_not_deflated():
    assert expected_best(0.002, 1) == 0
    alone = best_of(with_skill(0)[:, 17:18])
    assert (alone.trials, alone.expected_best, alone.sessions) == (1, 0, 500)
    assert alone.deflated > 0.95


def slow_probability(daily: np.ndarray, blocks: int) -> float:
    """Return the probability of overfitting by the letter of the paper, one choice at a time."""
    parts = np.array_split(daily, blocks)
    low = []
    for half in itertools.combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[n] for n in half])
        outside = np.concatenate([parts[n] for n in range(blocks) if n not in half])
        best = np.argmax(inside.mean(axis=0) / inside.std(axis=0))
        ratios = outside.mean(axis=0) / outside.std(axis=0)
        rank = (np.sort(ratios) < ratios[best]).sum() + 1
        share = rank / (len(ratios) + 1)
        low.append(np.log(share / (1 - share)) <= 0)
    return float(np.mean(low))


@pytest.mark.parametrize("seed", range(5))
def test_overfitting_by_sums_of_blocks_is_the_papers(seed):
    daily = noise(seed, sessions=103, tries=7)
    assert probability_of_overfitting(daily, 8) == pytest.approx(slow_probability(daily, 8))


def test_the_best_of_fifty_noises_is_rarely_believed():
    believed = [best_of(noise(seed)).deflated >= 0.95 for seed in range(100)]
    assert np.mean(believed) <= 0.05


def test_noise_overfits_half_the_time_and_skill_does_not():
    of_noise = [probability_of_overfitting(noise(seed), 12) for seed in range(20)]
    assert np.mean(of_noise) == pytest.approx(0.5, abs=0.1)
    of_skill = [probability_of_overfitting(with_skill(seed, 4.0), 12) for seed in range(20)]
    assert np.mean(of_skill) < 0.2


@pytest.mark.study
def test_overfitting_over_a_hundred_seeds(write_study):
    rows = []
    for name, make in (
        ("noise", noise),
        ("one of Sharpe 2 a year", with_skill),
        ("one of Sharpe 3 a year", lambda seed: with_skill(seed, 3.0)),
    ):
        drawn = [make(seed) for seed in range(100)]
        believed = np.mean([best_of(daily).deflated >= 0.95 for daily in drawn])
        overfit = np.mean([probability_of_overfitting(daily) for daily in drawn])
        rows.append((name, f"{believed:.2f}", f"{overfit:.3f}"))
    write_study(
        "overfitting",
        "50 tries over 500 sessions, 100 seeds: how often the best is believed (deflated Sharpe "
        "ratio of 0.95), and the mean probability of overfitting (16 blocks).",
        ["tries", "best believed", "probability of overfitting"],
        rows,
    )
    assert float(rows[0][1]) <= 0.05
    assert abs(float(rows[0][2]) - 0.5) <= 0.1
    assert float(rows[2][2]) < 0.2


def test_tries_that_are_all_the_same_count_once():
    one = noise(1, tries=1)
    assert effective_trials(np.repeat(one, 9, axis=1)) == pytest.approx(1)
    assert effective_trials(noise(2, sessions=20_000, tries=9)) == pytest.approx(9, abs=0.1)


def test_too_little_to_tell_overfitting_is_refused():
    with pytest.raises(InputError, match="1 tries over 500"):
        probability_of_overfitting(noise(1, tries=1))


def test_every_fit_is_written_down_with_its_configuration(tmp_path):
    for leaves, auc in ((15, 0.53), (31, 0.53), (15, 0.52), (15, 0.52)):
        config = {"num_leaves": leaves, "seed": 0}
        trials.record(
            tmp_path, "scorer", config, {"auc": auc}, daily={"2025-11-20": -120.5}, now=NOW
        )  # the last is the one before it, made again: no further try
    found = trials.trials(tmp_path, "scorer")
    assert (len(found), trials.distinct(found)) == (3, 2)
    assert found[1].config == {"num_leaves": 31, "seed": 0}
    assert found[0].daily == {"2025-11-20": -120.5}
    assert trials.trials(tmp_path, "policy") == []


def test_a_card_says_how_much_choosing_there_was(tmp_path):
    days = [f"2025-{month:02d}-{day:02d}" for month in (10, 11) for day in range(1, 26)]
    rng = np.random.default_rng(4)
    for leaves in range(12):
        daily = dict(zip(days, rng.normal(20, 100, len(days)).tolist(), strict=True))
        trials.record(tmp_path, "scorer", {"leaves": leaves}, {}, daily=daily, now=NOW)
    told = trials.selection(trials.trials(tmp_path, "scorer"))
    assert (told["fits"], told["configurations"], told["sessions"]) == (12, 12, 50)
    assert 10 < told["effective_trials"] <= 12
    assert 0 < told["deflated_sharpe"] < 1
    assert 0 < told["overfitting"] < 1
    save(tmp_path, trials=told)
    with pytest.raises(InputError, match="bare number for deflated_sharpe"):
        save(tmp_path, trials={"deflated_sharpe": 0.99})


def test_one_configuration_was_not_chosen(tmp_path):
    trials.record(tmp_path, "scorer", {"leaves": 15}, {}, daily={"2025-11-20": 1.0}, now=NOW)
    told = trials.selection(trials.trials(tmp_path, "scorer"))
    assert told == {"fits": 1, "configurations": 1} | dict.fromkeys(trials.SELECTION)
    assert trials.selection([])["fits"] == 0


def test_a_ledger_of_something_else_is_damaged(tmp_path):
    ledger_file.append(tmp_path / "scorer" / "trials.jsonl", {"n": 1})
    with pytest.raises(DamagedError, match="not a ledger of trials"):
        trials.trials(tmp_path, "scorer")
