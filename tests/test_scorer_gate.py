"""The scorer's gate: luck does not pass it, a planted improvement does, and hand-worked tenths."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from optiq.learn.scorer.fit import NAMES, Examples, FitSettings
from optiq.learn.scorer.gate import GAIN, OWN, Unseen, demands, more_sessions, top_tenth
from optiq.learn.scorer.model import Question, trained
from optiq.trade.orders import ExitRule

ROWS = 60
SHARE = 0.65
HALF_SD = 0.076
"""So much chance a standard deviation of what can be known makes +0.5 sd a day of the gain."""
QUESTION = Question("gamma_scalping", ExitRule(target=0.15, stop=0.10), ("NIFTY",))
QUICK = FitSettings(max_rounds=30, patience=10, min_data_in_leaf=40, leaf_sessions=1)
BY_HEART = replace(QUICK, num_leaves=63, learning_rate=0.3, min_data_in_leaf=2, lambda_l2=0.0)


@dataclass(frozen=True)
class World:
    """Sessions in which the first feature tells ``strength`` of the chance, and days differ."""

    features: np.ndarray
    chance: np.ndarray
    won: np.ndarray
    r: np.ndarray
    session: np.ndarray

    def examples(self) -> Examples:
        return Examples(self.features, self.won, np.ones(len(self.won)), self.session[-1] + 1)


def world(rng: np.random.Generator, sessions: int = 40, strength: float = 0.0) -> World:
    n = sessions * ROWS
    features = rng.standard_normal((n, len(NAMES))).astype(np.float32)
    shock = np.repeat(rng.normal(0, 0.03, sessions), ROWS)
    chance = np.clip(SHARE + strength * features[:, 0], 0.02, 0.98)
    won = rng.random(n) < np.clip(chance + shock, 0, 1)
    r = np.where(won, 1.0, -1.0) * np.abs(rng.normal(1.0, 0.3, n))
    return World(features, chance, won, r, np.repeat(np.arange(sessions), ROWS))


def judged(of: World, mine: np.ndarray, rival: np.ndarray, *, champion: bool = True) -> Unseen:
    n_sessions = int(of.session[-1]) + 1
    won = of.won.astype(float)
    return Unseen(mine, rival, won, of.r, of.session, n_sessions, champion)


def passes(unseen: Unseen) -> bool:
    return all(one.met for one in demands(unseen))


def drawn(rng: np.random.Generator, n: int) -> np.ndarray:
    return SHARE + 0.005 * rng.standard_normal(n)


def lucky(seed: int) -> bool:
    """A challenger and a champion that rank at random, on sessions of their own."""
    rng = np.random.default_rng([1, seed])
    fresh = world(rng)
    n = len(fresh.won)
    return passes(judged(fresh, drawn(rng, n), drawn(rng, n)))


def retrained(rng: np.random.Generator, of: World, settings: FitSettings) -> np.ndarray:
    """What a scorer says of some rows, having learnt 60 sessions in which nothing can be known."""
    train, calibrate = (world(rng, n).examples() for n in (48, 12))
    return trained(QUESTION, train, calibrate, settings, threads=1)[0].chance(of.features)


def null_retrain(seed: int) -> bool:
    """The same process trained twice on noise, on sessions of their own."""
    rng = np.random.default_rng([2, seed])
    fresh = world(rng)
    return passes(judged(fresh, retrained(rng, fresh, BY_HEART), retrained(rng, fresh, QUICK)))


def planted(seed: int) -> bool:
    """A challenger that knows what can be known, against a champion that does not."""
    rng = np.random.default_rng([3, seed])
    fresh = world(rng, strength=HALF_SD)
    return passes(judged(fresh, fresh.chance, drawn(rng, len(fresh.won))))


def flattered(seed: int) -> tuple[bool, float]:
    """A challenger that knows its own sessions by heart and the rest the wrong way round.

    Returned with its share of right calls on the sessions it has learnt from.
    """
    rng = np.random.default_rng([4, seed])
    own, fresh = world(rng, 20, HALF_SD), world(rng, strength=HALF_SD)
    model, _ = trained(QUESTION, own.examples(), own.examples(), BY_HEART, threads=1)
    by_heart = float(((model.chance(own.features) > SHARE) == own.won).mean())
    inverted = 2 * SHARE - fresh.chance
    return passes(judged(fresh, inverted, drawn(rng, len(fresh.won)))), by_heart


def test_the_top_tenth_of_each_session_counts_ties_alike():
    chance = np.array([0.9, 0.1, *([0.5] * 18), *([0.4] * 10)])
    r = np.array([2.0, -1.0, *np.arange(18.0), *np.arange(10.0)])
    session = np.repeat([0, 1], [20, 10])
    rows = Unseen(chance, chance, r > 0, r, session, 2, has_champion=True)
    # of twenty: the first, and a share of one in eighteen equals; of ten equals: their mean
    assert top_tenth(rows, chance).tolist() == pytest.approx([(2.0 + 8.5) / 2, 4.5])


def test_what_is_demanded_with_and_without_a_champion():
    rng = np.random.default_rng(5)
    fresh = world(rng, 20, 0.2)
    champion = demands(judged(fresh, fresh.chance, drawn(rng, len(fresh.won))))
    assert [one.metric for one in champion] == [OWN, GAIN, "Brier less the champion's", "ECE"]
    base = np.full(len(fresh.won), SHARE)
    alone = demands(judged(fresh, fresh.chance, base, champion=False))
    assert [one.metric for one in alone] == [OWN, "Brier less the base rate's", "ECE"]
    assert all(one.met for one in (*champion, *alone))


def test_the_same_scores_as_the_champion_are_no_improvement():
    rng = np.random.default_rng(6)
    fresh = world(rng, strength=0.2)
    unmet = [one for one in demands(judged(fresh, fresh.chance, fresh.chance)) if not one.met]
    assert [one.metric for one in unmet] == [GAIN]
    assert "not above 0" in unmet[0].unmet
    assert more_sessions(judged(fresh, fresh.chance, fresh.chance)) is None


def test_chances_that_are_not_meant_are_refused_however_well_they_rank():
    fresh = world(np.random.default_rng(7), strength=0.2)
    boastful = np.clip(fresh.chance + 0.2, 0, 1)
    base = np.full(len(fresh.won), SHARE)
    unmet = [one.metric for one in demands(judged(fresh, boastful, base)) if not one.met]
    assert unmet == ["Brier less the champion's", "ECE"]


def test_a_session_of_which_nothing_is_known_counts_for_nothing():
    fresh = world(np.random.default_rng(8), 21, 0.2)
    silent = np.where(fresh.session == 3, np.nan, fresh.chance)
    found = demands(judged(fresh, silent, np.full(len(silent), SHARE)))
    assert {one.interval.sessions for one in found} == {20}


def test_a_gain_too_small_to_prove_tells_how_many_sessions_it_would_take():
    rng = np.random.default_rng(12)
    fresh = world(rng, 20, 0.04)
    unseen = judged(fresh, fresh.chance, drawn(rng, len(fresh.won)))
    assert not passes(unseen)
    assert more_sessions(unseen) > 10


def test_luck_rarely_passes_and_a_planted_improvement_mostly_does():
    assert sum(map(lucky, range(30))) <= 4  # 5 % + 2 standard errors of 30 are 3.9
    assert sum(map(planted, range(20))) >= 14  # 85 % less 2 standard errors of 20 are 13.8
    assert not any(null_retrain(seed) for seed in range(2))


def test_figures_of_its_own_sessions_help_nobody():
    passed, by_heart = flattered(0)
    assert by_heart > 0.75
    assert not passed


@pytest.mark.study
def test_the_gate_over_hundreds_of_candidates(write_study):
    n = 200
    luck, retrains = (sum(map(of, range(n))) for of in (lucky, null_retrain))
    improved = sum(map(planted, range(n)))
    worse = [flattered(seed) for seed in range(n)]
    write_study(
        "scorer-gate",
        f"{n} candidates a line, each judged on 40 sessions of its own, {ROWS} purchases a session "
        "whose winners share the day's mood. Buying anything pays there: only the comparison with "
        "the champion stands between luck and promotion.",
        ["challenger", "promoted"],
        [
            ("ranks at random, as the champion does", luck),
            ("trained anew on noise, as the champion was", retrains),
            ("knows +0.5 sd a day more than the champion", improved),
            ("knows its own sessions by heart, the rest wrongly", sum(p for p, _ in worse)),
        ],
    )
    at_most = n * (0.05 + 2 * np.sqrt(0.05 * 0.95 / n))
    assert luck <= at_most
    assert retrains <= at_most
    assert improved >= 0.85 * n
    assert not any(promoted for promoted, _ in worse)
