"""The soft actor-critic learns what can be learnt, the same way every time."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from episode_tables import drawn, linear, worth
from simulated_run import UNDERLYING, stored

from optiq.errors import DamagedError
from optiq.learn.direction.fit import saved
from optiq.learn.policy.actor import saturation
from optiq.learn.policy.choosers import Ridge, Single, Trees
from optiq.learn.policy.fit import Plan, fit_policy
from optiq.learn.policy.results import net_of, picks_of, results_of
from optiq.learn.policy.rewards import cross_fitted, rewards_named
from optiq.learn.policy.sac import CHUNK, Places, Training, train_actor
from optiq.run.backtest import Settings
from optiq.run.choosing import RANDOM, chooser_named
from optiq.run.episodes import build_day
from optiq.trade.charges import Broker
from optiq.trade.strategies import BUILT_IN, built_in

RULE = linear()
TABLE = drawn(RULE, 1_000, seed=1)
STATISTICS = Ridge.fitted(TABLE).statistics


def plan(steps: int, **how) -> Plan:
    return Plan(seeds=1, workers=1, training=Training(timesteps=steps), **how)


def sha256(state: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(saved(state)).hexdigest()


def test_a_planted_linear_rule_is_learnt_as_well_as_ridge_learns_it():
    """Less than half a training; the study asks the worst of five whole ones for 0.95."""
    made = fit_policy(TABLE, plan(1_000))
    mine, of_ridge = worth(made.bundle, RULE), worth(made.fitted.ridge, RULE)
    assert made.rewards == "ridge"
    assert of_ridge > 0.17
    assert mine >= 0.85 * of_ridge
    assert saturation(made.bundle.preferences(TABLE.observation)) <= 0.2


def test_one_strategy_that_is_always_best_is_chosen_always():
    def rule(seen):
        return np.where(np.arange(8) == 2, 0.3, -0.1) * np.ones((len(seen), 1))

    made = fit_policy(drawn(rule, 1_000, seed=1), plan(300))
    picks = picks_of(made.bundle, drawn(rule, 500, seed=2))
    assert (picks == 2).mean() >= 0.95
    assert made.fitted.single.place == 2


def test_an_observation_of_the_future_is_used_to_the_full():
    """So that no failure to find an edge is a failure to learn."""

    def seeing(seed: int, n: int):
        table = drawn(lambda seen: np.zeros((len(seen), 8)), n, seed=seed)
        return replace(table, observation=np.hstack([table.observation[:, :4], table.r]))

    results = results_of(
        fit_policy(seeing(1, 1_000), plan(1_000, rewards="raw")).bundle, seeing(2, 500)
    )
    assert results.made["sac"].sum() >= 0.9 * results.made["oracle"].sum()


def test_trees_see_what_no_line_can():
    def rule(seen):
        sign = np.sign(seen[:, 0] * seen[:, 1])[:, None]
        return np.where(
            np.arange(8) == 0, 0.4 * sign, np.where(np.arange(8) == 1, -0.4 * sign, 0.0)
        )

    table, test = drawn(rule, 2_400, seed=1), drawn(rule, 1_200, seed=2)
    results = results_of(fit_policy(table, plan(1, chooser="lightgbm")).bundle, test)
    gain = results.mean(results.made["lightgbm"] - results.made["ridge"])
    assert gain.low > 0


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    short = Training(timesteps=60)
    one, again, other = (
        sha256(train_actor(TABLE, TABLE.r, STATISTICS, short, seed)) for seed in (3, 3, 4)
    )
    assert one == again
    assert one != other


@pytest.mark.parametrize("cost", [0.0, 0.2])
def test_an_interrupted_training_ends_in_the_weights_of_one_that_was_not(tmp_path, cost):
    training = Training(timesteps=CHUNK + 20, switching_cost=cost)
    whole = train_actor(TABLE, TABLE.r, STATISTICS, training, 0)
    places, told = Places(checkpoints=tmp_path), []

    def stop(steps: int) -> None:
        if steps == CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_actor(TABLE, TABLE.r, STATISTICS, training, 0, places, stop)
    resumed = train_actor(TABLE, TABLE.r, STATISTICS, training, 0, places, told.append)
    assert told == [CHUNK, 20], "what was done is not done again"
    assert sha256(resumed) == sha256(whole)


def test_a_checkpoint_that_is_not_one_is_refused(tmp_path):
    training, places = Training(timesteps=20), Places(checkpoints=tmp_path)
    train_actor(TABLE, TABLE.r, STATISTICS, training, 0, places)
    (kept,) = tmp_path.glob("*.pt")
    kept.write_bytes(saved({"done": 3}))
    with pytest.raises(DamagedError, match="another training"):
        train_actor(TABLE, TABLE.r, STATISTICS, training, 0, places)
    kept.write_bytes(b"gone")
    with pytest.raises(DamagedError, match="not what was written"):
        train_actor(TABLE, TABLE.r, STATISTICS, training, 0, places)


def test_a_training_is_told_to_tensorboard(tmp_path):
    places = Places(tensorboard=tmp_path)
    train_actor(TABLE, TABLE.r, STATISTICS, Training(timesteps=20), 0, places)
    (events,) = tmp_path.glob("*/events.out.tfevents.*")
    assert events.stat().st_size > 200


def test_randomness_elsewhere_is_left_alone():
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(1).item(), np.random.rand()
    torch.manual_seed(5)
    np.random.seed(5)
    train_actor(TABLE, TABLE.r, STATISTICS, Training(timesteps=5), 0)
    assert (torch.rand(1).item(), np.random.rand()) == expected


def test_expected_rewards_of_a_session_come_from_other_sessions():
    """A result that changes moves no expectation of its own block of sessions."""
    told = cross_fitted(TABLE, Ridge.fitted)
    changed = replace(TABLE, r=TABLE.r.copy())
    changed.r[:12] += 3.0  # the first session
    moved = cross_fitted(changed, Ridge.fitted) != told
    first_block = TABLE.session < TABLE.sessions[16]
    assert not moved[first_block].any()
    assert moved[~first_block].any()


def test_rewards_by_name():
    kind, rewards = rewards_named("raw", TABLE)
    assert (kind, rewards is TABLE.r) == ("raw", True)
    assert rewards_named("ridge", TABLE)[0] == "ridge"


def results_at(brokerage: float) -> np.ndarray:
    """R of the eight strategies over the decisions of a simulated day."""
    store, strategies = stored(), [built_in(name) for name in BUILT_IN]
    chooser = chooser_named(RANDOM, strategies, 0)
    settings = Settings(broker=Broker(brokerage_per_order=brokerage))
    date = store.days(UNDERLYING)[-1].date
    panel, context = store.read_panel(UNDERLYING, date), store.context(UNDERLYING, date)
    lines = build_day(panel, context, strategies, settings, chooser)
    return np.array([[line[f"{name}_r"] for name in BUILT_IN] for line in lines])


def test_higher_charges_never_raise_the_reward_of_any_choice():
    """So they never raise that of a fixed policy, which chooses whatever is charged."""
    cheap, usual, dear = (results_at(rupees) for rupees in (0.0, 20.0, 200.0))
    traded = cheap != 0.0
    assert traded.any(axis=1).sum() > 20
    assert (usual <= cheap).all()
    assert (dear <= usual).all()
    assert (dear[traded] < cheap[traded]).all()


def test_a_change_never_costs_less_at_a_higher_price():
    for picks in (picks_of(Trees.fitted(TABLE), TABLE), picks_of(Single(4, 8), TABLE)):
        assert (net_of(picks, TABLE, 0.2) <= net_of(picks, TABLE, 0.1)).all()
