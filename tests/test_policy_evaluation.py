"""What a policy made beside its rivals, by hand, and nothing of it in sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from episode_tables import drawn, linear, table_of

from optiq.errors import EvidenceError, InputError
from optiq.learn.intervals import mean_interval
from optiq.learn.policy.demands import NET, OVER, demands, over_baselines, reasons
from optiq.learn.policy.evaluation import evaluate, folds_of, learnt
from optiq.learn.policy.fit import Plan, fit_policy
from optiq.learn.policy.results import (
    BASELINES,
    Results,
    joined,
    net_of,
    picks_of,
    place_in_session,
    results_of,
)
from optiq.learn.policy.sac import Training
from optiq.learn.policy.training import counts_of, is_enough, require_enough, to_learn

RULE = linear(0.4)
TABLE = drawn(RULE, 1_000, seed=1)
RIDGE = Plan("ridge")
NONE = -1


class Remembers:
    """Prefers whoever it chose last by 1, and strategy 0 over standing aside by a little."""

    name, remembers = "remembers", True

    def preferences(self, observation, last):
        return last[:, :-1] + np.where(np.arange(8) == 0, observation[:, :1], -0.5)


def by_hand(**changed) -> Results:
    """Two sessions of two decisions; what everybody made is written out."""
    values = {
        "session": np.array(["2025-01-01", "2025-01-01", "2025-01-02", "2025-01-02"], "M8[D]"),
        "hour": np.array([9, 10, 9, 10]),
        "made": {
            "sac": np.array([1.0, 0.0, 2.0, 1.0]),
            "sac seed 0": np.array([1.0, 1.0, 2.0, 1.0]),
            "sac seed 1": np.array([1.0, 0.0, 1.0, 1.0]),
            "ridge": np.array([0.0, 0.0, 2.0, 1.0]),
            "lightgbm": np.zeros(4),
            "oracle": np.array([2.0, 1.0, 2.0, 1.0]),
        },
        "picks": {"sac": np.array([0, NONE, 1, 1])},
        "chooser": "sac",
        "strategies": ("calls", "puts"),
    }
    return Results(**(values | changed))


def test_the_worst_seed_counts():
    results = by_hand()
    assert results.own == ("sac", "sac seed 0", "sac seed 1")
    assert results.worst == "sac seed 1"
    assert by_hand(chooser="ridge").worst == "ridge"
    assert results.spread().value == pytest.approx((5.0 - 3.0) / 4)


def test_means_and_shares_by_hand():
    results = by_hand()
    assert results.n_sessions == 2
    assert results.daily(results.made["sac"]).tolist() == [1.0, 3.0]
    assert results.mean(results.made["sac"]).value == 1.0
    assert results.share("sac").value == pytest.approx(4.0 / 6.0)
    assert results.share("ridge").value == pytest.approx(0.5)


def test_choices_are_counted_by_hour():
    rows = {row["strategy"]: row for row in by_hand().choices()}
    assert rows["calls"] == {"strategy": "calls", "share": 0.25, "09h": 0.5, "10h": 0.0}
    assert rows["puts"] == {"strategy": "puts", "share": 0.5, "09h": 0.5, "10h": 0.5}
    assert rows["stand aside"] == {"strategy": "stand aside", "share": 0.25, "09h": 0.0, "10h": 0.5}


def test_baselines_by_hand():
    """One decision: two possible strategies at +1 and -0.4, six impossible."""
    r = np.zeros((14, 8))
    r[:, 0], r[:, 1] = 1.0, -0.4
    table = table_of(np.random.default_rng(0).standard_normal((14, 3)), r)
    table = replace(table, mask=np.tile(np.arange(8) < 2, (14, 1)))
    results = results_of(fit_policy(TABLE.take(np.arange(24)), RIDGE).bundle, _seen_as(table))
    assert results.made["random"] == pytest.approx(np.full(14, 0.6 / 3))
    assert results.made["equal weights"] == pytest.approx(np.full(14, 0.3))
    assert results.made["oracle"] == pytest.approx(np.ones(14))


def _seen_as(table):
    """The same decisions with as many observations as the taught table has."""
    return replace(table, observation=np.zeros((len(table), 12)), observed=TABLE.observed)


def test_changing_is_paid_for_and_a_session_begins_aside():
    table = table_of(np.zeros((6, 2)), np.ones((6, 8)), a_session=3)
    assert place_in_session(table).tolist() == [0, 1, 2, 0, 1, 2]
    picks = np.array([0, 0, 1, NONE, NONE, 1])
    paid = [0.75, 1.0, 0.75, 0.0, 0.0, 0.75]
    assert net_of(picks, table, 0.25).tolist() == paid
    assert net_of(picks, table, 0.0).tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 1.0]


def test_random_and_equal_weights_pay_for_changing_too():
    bundle = fit_policy(TABLE, replace(RIDGE, training=Training(switching_cost=0.1))).bundle
    costly, free = results_of(bundle, TABLE), results_of(fit_policy(TABLE, RIDGE).bundle, TABLE)
    paid = {name: free.made[name] - costly.made[name] for name in ("random", "equal weights")}
    first = place_in_session(TABLE) == 0
    assert paid["random"] == pytest.approx(np.full(len(TABLE), 0.1 * 8 / 9))
    assert paid["equal weights"] == pytest.approx(np.where(first, 0.1, 0.0))
    assert np.array_equal(free.made["oracle"], costly.made["oracle"])


def test_who_remembers_is_asked_one_decision_after_another():
    seen = np.array([[0.2], [-5.0], [-0.9], [-1.5]])
    table = table_of(seen, np.ones((4, 8)), a_session=2)
    # each session begins aside: 0.2 is above it; 1 - 5 is not; then never
    assert picks_of(Remembers(), table).tolist() == [0, NONE, NONE, NONE]
    held = table_of(np.array([[0.2], [-0.9], [-0.9], [-0.9]]), np.ones((4, 8)), a_session=4)
    assert picks_of(Remembers(), held).tolist() == [0, 0, 0, 0]


def test_holm_asks_most_of_the_clearest_difference():
    rng = np.random.default_rng(4)
    days = np.repeat(np.datetime64("2025-01-01") + np.arange(30), 2)
    mine = rng.standard_normal(60) + 0.3
    rivals = {name: np.full(60, at) for name, at in zip(BASELINES, (-0.5, 0.1, -0.1), strict=True)}
    results = by_hand(
        session=days, hour=np.zeros(60, int), made={"ridge": mine, **rivals}, chooser="ridge"
    )
    found = over_baselines(results, "ridge")
    levels = {name: round(1 - (1 - one.level) / 2, 4) for name, one in found.items()}
    assert levels == {
        BASELINES[0]: round(1 - 0.05 / 3, 4),
        BASELINES[2]: 0.975,
        BASELINES[1]: 0.95,
    }
    sums = (mine + 0.5).reshape(-1, 2).sum(axis=1)
    by_itself = mean_interval(sums, np.full(30, 2.0), level=1 - 0.10 / 3)
    assert found[BASELINES[0]].low == pytest.approx(by_itself.low)


def test_a_policy_must_not_fall_behind_ridge():
    days = np.repeat(np.datetime64("2025-01-01") + np.arange(30), 2)
    noise = np.random.default_rng(4).standard_normal(60) * 0.1
    base = {name: np.zeros(60) for name in (*BASELINES, "oracle")}
    for gap, met in ((0.019, True), (0.021, False)):
        made = {
            **base,
            "lightgbm": noise,
            "ridge": 0.5 + noise,
            "sac": 0.5 - gap + noise,
        }
        results = by_hand(session=days, hour=np.zeros(60, int), made=made)
        asked = {one.metric: one for one in demands(results, "sac")}
        assert asked[NET].met
        assert asked[OVER.format("ridge")].met == met
        words = reasons(results, list(asked.values()))
        advice = "ridge is better and meets every demand; serve ridge? --chooser ridge"
        assert (advice in words) == (not met)


def test_folds_learn_from_nothing_they_test():
    folds, how = folds_of(TABLE, 4)
    assert how.startswith("walk-forward by session, 4 folds")
    for fold in folds:
        assert TABLE.end[learnt(fold)].max() < TABLE.ts[fold.test].min()
    with pytest.raises(EvidenceError, match=r"^3 sessions of episodes: nothing can be tested"):
        folds_of(TABLE.of_sessions(TABLE.sessions[:3]), 4)


def test_a_planted_rule_passes_out_of_sample_and_says_what_it_was_measured_on():
    found = evaluate(TABLE, replace(RIDGE, folds=2))
    assert found.would_pass
    assert found.evidence.sessions == 54
    assert found.results.n_sessions == 54
    assert all(one.evidence == found.evidence for one in found.figures["ridge"])
    assert set(found.daily) == {str(day) for day in TABLE.sessions[-54:]}
    assert np.sum(list(found.daily.values())) == pytest.approx(found.results.made["ridge"].sum())


def test_folds_are_joined_in_order():
    bundle = fit_policy(TABLE, RIDGE).bundle
    parts = [TABLE.take(np.arange(600)), TABLE.take(np.arange(600, 1_000))]
    whole, pieces = results_of(bundle, TABLE), joined([results_of(bundle, p) for p in parts])
    for name, made in whole.made.items():
        assert np.array_equal(pieces.made[name], made)
    assert np.array_equal(pieces.hour, whole.hour)


def test_too_few_are_counted():
    few = TABLE.take(np.arange(812))
    assert counts_of(few) == "812 of 1000 episodes, 68 of 60 sessions"
    with pytest.raises(EvidenceError, match="812 of 1000 episodes, 68 of 60 sessions"):
        require_enough(few)
    assert is_enough(TABLE)
    require_enough(TABLE)


def test_the_last_sessions_stay_unseen_where_enough_are_left():
    many = drawn(RULE, 1_300, seed=1)
    rest, locked = to_learn(many, 20)
    assert len(locked) == 20
    assert str(rest.sessions[-1]) < locked[0]
    assert to_learn(TABLE, 20) == (TABLE, []), "64 sessions would be left, but not 1,000 episodes"


@pytest.mark.parametrize(
    "wrong",
    [{"chooser": "oracle"}, {"rewards": "dense"}, {"training": Training(switching_cost=-0.1)}],
)
def test_a_plan_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError):
        Plan(**wrong)
