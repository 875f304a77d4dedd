"""The environment keeps Gymnasium's contract, and pays what the logged results say."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from episode_tables import drawn, linear, table_of
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_of_sb3

from optiq.errors import InputError
from optiq.learn import env as envs
from optiq.learn.env import StrategyEnv, weights_of
from optiq.learn.policy.observed import Statistics
from optiq.market.feature_table import MARKET_FEATURES

TABLE = drawn(linear(), 60, seed=1)
COSTS = [0.0, 0.1]


def made(cost: float = 0.0, **how) -> gymnasium.Env:
    return gymnasium.make(envs.ID, table=TABLE, switching_cost=cost, **how)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("choose", ["softmax", "argmax"])
def test_both_checkers_are_content_without_a_warning(cost, choose):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_env(made(cost, choose=choose).unwrapped)
        check_env_of_sb3(made(cost, choose=choose), warn=True)
    assert [str(one.message) for one in said] == []


def test_every_decision_is_an_episode():
    env = made()
    env.reset(seed=3)
    for _ in range(20):
        env.reset()
        *_, terminated, truncated, info = env.step(env.action_space.sample())
        assert terminated
        assert not truncated
        assert info["weights"].sum() == pytest.approx(1.0)


def test_with_a_switching_cost_a_session_is_an_episode():
    env = made(0.5)
    seen, info = env.reset(options={"row": 12})
    assert (len(seen), info["row"]) == (12 + 9, 12)
    assert seen[-9:].tolist() == [0.0] * 8 + [1.0], "a session begins aside"
    up = np.full(8, -1.0, np.float32)
    up[2] = 1.0
    rows, ends, rewards = [12], [], []
    for _ in range(12):
        seen, reward, terminated, truncated, info = env.step(up)
        rows.append(info["row"])
        ends.append(terminated)
        rewards.append(reward)
        assert not truncated
    assert rows[:-1] == list(range(12, 24))
    assert ends == [False] * 11 + [True], "it terminates at the close"
    weights = info["weights"]
    paid = [float(weights[:-1] @ TABLE.r[row]) for row in range(12, 24)]
    assert rewards[0] == pytest.approx(paid[0] - 0.5 * (1.0 - weights[-1])), "moving in costs"
    assert rewards[1:] == pytest.approx(paid[1:]), "staying does not"
    assert np.allclose(seen[-9:], weights)


@pytest.mark.parametrize(
    ("action", "mask", "weights"),
    [
        ([0.5, 0.9, -1.0], [1, 1, 1], [0, 1, 0, 0]),
        ([0.5, 0.9, -1.0], [1, 0, 1], [1, 0, 0, 0]),  # the best is impossible
        ([-0.1, -0.9, -1.0], [1, 1, 1], [0, 0, 0, 1]),  # nothing beats standing aside
        ([0.0, 0.0, 0.0], [1, 1, 1], [0, 0, 0, 1]),  # it must beat it, not tie
        ([0.7, 0.7, 0.0], [1, 1, 1], [1, 0, 0, 0]),  # the first of equals
        ([0.7, 0.7, 0.7], [0, 0, 0], [0, 0, 0, 1]),
    ],
)
def test_serving_takes_the_most_preferred_of_the_possible(action, mask, weights):
    found = weights_of(np.array([action]), np.array([mask], bool), "argmax")
    assert found.tolist() == [weights]


def test_training_weighs_softly_and_never_the_impossible():
    (weights,) = weights_of(np.array([[1.0, -1.0, 0.0]]), np.array([[True, True, False]]))
    raised = np.exp([3.0, -3.0, 0.0])
    assert weights == pytest.approx([*(raised[:2] / raised.sum()), 0.0, raised[2] / raised.sum()])


def test_the_reward_is_what_was_logged():
    env = made(choose="argmax")
    action = np.full(8, -1.0, np.float32)
    env.reset(seed=0, options={"row": 7})
    assert env.step(action)[1] == 0.0
    action[3] = 1.0
    env.reset(options={"row": 7})
    assert env.step(action)[1] == pytest.approx(TABLE.r[7, 3])


def test_one_lucky_gap_pays_five():
    lucky = table_of(np.zeros((2, 3)), np.full((2, 8), 40.0))
    env = StrategyEnv(lucky, choose="argmax")
    env.reset(seed=0)
    assert env.step(np.ones(8, np.float32))[1] == 5.0


def test_what_is_unknown_is_seen_as_the_training_mean():
    observation = np.array([[1.0, np.nan, 7.0], [3.0, np.nan, 7.0], [np.nan, np.nan, 7.0]])
    scaled = Statistics.of(observation).scaled(observation)
    assert scaled.tolist() == [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    far = Statistics.of(observation).scaled(np.array([[1e9, 1e9, -1e9]]))
    assert far.tolist() == [[5.0, 5.0, -5.0]]


def test_statistics_survive_their_file():
    seen = drawn(linear(), 30, seed=2).observation
    kept = Statistics.of(seen)
    again = Statistics.from_json(kept.to_json())
    assert np.array_equal(again.scaled(seen), kept.scaled(seen))


def test_the_docstring_lists_the_features_in_their_order():
    doc = StrategyEnv.__doc__ or ""
    listed = re.findall(r"\| (\d+) \| `(\w+)` \| (.+?) \|", doc)
    assert listed == [(str(n), f.name, f.formula) for n, f in enumerate(MARKET_FEATURES)]
    for heading in ("Description", "Action Space", "Observation Space", "Rewards"):
        assert f"## {heading}\n" in doc
    for heading in ("Starting State", "Episode End", "Arguments"):
        assert f"## {heading}\n" in doc


def test_what_cannot_be_an_environment_is_refused():
    with pytest.raises(InputError, match="without episodes"):
        StrategyEnv(TABLE.take(np.zeros(len(TABLE), bool)))
    with pytest.raises(InputError, match="switching cost of -1"):
        StrategyEnv(TABLE, switching_cost=-1.0)
    both = replace(TABLE, underlyings=("NIFTY", "BANKNIFTY"))
    with pytest.raises(InputError, match="several underlyings"):
        StrategyEnv(both, switching_cost=0.1)
