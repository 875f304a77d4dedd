"""Time a policy's training: five seeds of one fit, its updates beside bare ones, a step.

python bench/policy.py [--updates 1000]

The bare updates are stable-baselines3's own, from a replay buffer filled with the same decisions.
Preferences of a day are checked to be the same asked at once and one by one.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.logger import configure

from optiq.learn.env import StrategyEnv, weights_of
from optiq.learn.policy.choosers import Ridge
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.fit import Plan, fit_policy
from optiq.learn.policy.sac import Training, train_actor

EPISODES, OBSERVED, A_SESSION = 1_000, 12, 12
GOALS = {
    "five seeds": "<= 60 s",
    "updates": ">= 0.95 x",
    "step": "<= 50 us",
    "a day": "-",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=1_000)
    asked = parser.parse_args()
    learnt = table()
    started = time.perf_counter()
    made = fit_policy(learnt, Plan())
    spent = time.perf_counter() - started
    line("five seeds", f"{spent:.1f} s", f"{EPISODES:,} episodes, rewards of {made.rewards}")
    updates(learnt, 20)  # what is imported at the first step is no part of a step
    ours, bare = updates(learnt, asked.updates)
    line("updates", f"{ours:.0f} /s", f"{ours / bare:.2f} x bare updates ({bare:.0f} /s)")
    line("step", f"{1e6 * step(learnt):.0f} us", "of the environment")
    day = learnt.observation[:75]
    at_once = made.bundle.preferences(day)
    started = time.perf_counter()
    one_by_one = np.vstack([made.bundle.preferences(row[None]) for row in day])
    spent = time.perf_counter() - started
    if not np.array_equal(at_once, one_by_one, equal_nan=True):
        raise SystemExit("a day's preferences differ when asked one by one")
    line("a day", f"{1e3 * spent:.1f} ms", "75 decisions, one by one")


def line(name: str, value: str, note: str) -> None:
    print(f"  {name:10} {value:>10}   goal {GOALS[name]:9} {note}")


def table() -> EpisodeTable:
    """Return decisions whose best strategy is linear in what is seen, under noise of 1 R."""
    rng = np.random.default_rng(1)
    seen = rng.standard_normal((EPISODES, OBSERVED))
    r = 0.05 * seen @ rng.standard_normal((OBSERVED, 8)) + rng.standard_normal((EPISODES, 8))
    number = np.arange(EPISODES)
    session = np.datetime64("2025-01-01") + number // A_SESSION
    ts = session.astype("datetime64[us]") + (number % A_SESSION) * np.timedelta64(5, "m")
    mask, even = np.ones(r.shape, bool), np.full(r.shape, 1 / 9)
    names = tuple(f"x{n}" for n in range(OBSERVED))
    return EpisodeTable(seen, mask, r, session, ts, ts, np.full(EPISODES, -1), even, observed=names)


def updates(learnt: EpisodeTable, n: int) -> tuple[float, float]:
    """Return gradient steps per CPU second, on one thread: optiq's, stable-baselines3's alone."""
    statistics, training = Ridge.fitted(learnt).statistics, Training(timesteps=n)
    torch.set_num_threads(1)
    started = time.process_time()
    train_actor(learnt, learnt.r, statistics, training, 0)
    ours = n / (time.process_time() - started)
    model = bare_model(StrategyEnv(learnt, statistics), training)
    started = time.process_time()
    model.train(n, training.batch)
    return ours, n / (time.process_time() - started)


def bare_model(env: StrategyEnv, training: Training) -> SAC:
    """Return a SAC of the same nets whose buffer holds sixteen actions a decision."""
    model = SAC(
        "MlpPolicy",
        env,
        learning_rate=training.learning_rate,
        buffer_size=16 * EPISODES,
        gamma=0.0,
        ent_coef=training.entropy,
        policy_kwargs={"net_arch": [training.net]},
        seed=0,
        device="cpu",
    )
    model.set_logger(configure(None, []))
    rng = np.random.default_rng(0)
    for row in range(EPISODES):
        actions = rng.uniform(-1, 1, (16, 8)).astype(np.float32)
        weights = weights_of(actions, np.ones((16, 8), bool))
        seen = env.seen[row][None]
        for action, reward in zip(actions, weights[:, :-1] @ env.made[row], strict=True):
            done = np.array([True])
            model.replay_buffer.add(seen, seen, action[None], np.array([reward]), done, [{}])
    return model


def step(learnt: EpisodeTable, n: int = 5_000) -> float:
    """Return seconds of a reset and a step, the median of five runs."""
    env = StrategyEnv(learnt)
    env.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-1, 1, (n, 8)).astype(np.float32)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        for action in actions:
            env.step(action)
        times.append((time.perf_counter() - started) / n)
    return float(np.median(times))


if __name__ == "__main__":
    main()
