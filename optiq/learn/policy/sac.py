"""Train a soft actor-critic on logged episodes, by gradient steps alone.

Every action's reward is known, so nothing is explored: the replay buffer answers for any action.
The settings are those that reach ridge on a planted linear rule, where the usual ones (automatic
entropy, rewards as they are, wide nets) get a third of it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.logger import configure
from stable_baselines3.common.type_aliases import ReplayBufferSamples

from optiq.errors import DamagedError
from optiq.learn.direction.fit import loaded, saved
from optiq.learn.env import DISCOUNT_WITH_COST, StrategyEnv, moved, weights_of
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.observed import Statistics
from optiq.market.durable import make_folder, storage_error
from optiq.market.schema import FloatArray

CHUNK = 250
"""Gradient steps between two looks at the clock: progress, TensorBoard, checkpoint."""


@dataclass(frozen=True, slots=True)
class Training:
    """How to train.

    Attributes
    ----------
    timesteps
        Gradient steps.
    net
        Width of the one hidden layer of actor and critics.
    entropy, learning_rate, weight_decay, batch
        Of stable-baselines3's SAC; the entropy coefficient is fixed.
    spread
        The standard deviation to which rewards are brought. Against this entropy, larger ones make
        actions saturate and smaller ones make them drown.
    switching_cost
        R for a whole change of strategy; 0 makes every decision its own episode.
    """

    timesteps: int = 2_500
    net: int = 32
    entropy: float = 0.01
    learning_rate: float = 5e-4
    weight_decay: float = 1e-3
    batch: int = 256
    spread: float = 0.25
    switching_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where a training keeps checkpoints and writes for TensorBoard; None for not at all."""

    checkpoints: Path | None = None
    tensorboard: Path | None = None


NOWHERE = Places()


class KnownRewards(ReplayBuffer):
    """A replay buffer that is not filled, but answers: any decision, any action, its reward.

    Half the actions of a batch are one strategy all the way up and the others down, or all down;
    the rest are drawn evenly. With a switching cost the last choice is drawn like an action.
    """

    def __init__(self, env: StrategyEnv, training: Training, seed: int) -> None:
        super().__init__(1, env.observation_space, env.action_space, "cpu")
        self._env, self._scale = env, scale_of(env.made, training.spread)
        self.draws = np.random.default_rng(seed)

    def sample(self, batch_size: int, env: Any = None) -> ReplayBufferSamples:
        """Return a batch of decisions with drawn actions and what they make."""
        world, rows = self._env, self.draws.integers(len(self._env.made), size=batch_size)
        actions, mask = self._actions(batch_size), world.possible[rows]
        weights = weights_of(actions, mask)
        reward = (weights[:, :-1] * world.made[rows]).sum(axis=1)
        seen = after = world.seen[rows]
        done = np.ones(batch_size, np.float32)
        if world.switching_cost:
            last = weights_of(self._actions(batch_size), np.ones_like(mask))
            reward -= world.switching_cost * moved(weights, last)
            done = world.is_last[rows].astype(np.float32)
            following = np.minimum(rows + 1, len(world.made) - 1)
            seen = np.hstack([seen, last]).astype(np.float32)
            after = np.hstack([world.seen[following], weights]).astype(np.float32)
        parts = (seen, actions, after, done[:, None], self._scale * reward[:, None])
        return ReplayBufferSamples(*(torch.as_tensor(p, dtype=torch.float32) for p in parts))

    def _actions(self, n: int) -> FloatArray:
        n_strategies = self.action_dim
        actions = self.draws.uniform(-1.0, 1.0, (n, n_strategies))
        pure = self.draws.integers(n_strategies + 1, size=n)
        one = np.where(np.arange(n_strategies) == pure[:, None], 1.0, -1.0)
        return np.where((np.arange(n) % 2 == 0)[:, None], one, actions)


def train_actor(
    table: EpisodeTable,
    rewards: FloatArray,
    statistics: Statistics,
    training: Training,
    seed: int,
    places: Places = NOWHERE,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, torch.Tensor]:
    """Return the weights of a trained actor: the same ones for the same table, settings and seed.

    ``rewards`` (n, n_strategies) are R. With ``places.checkpoints`` a training that was
    interrupted goes on where it was, and ends in the weights of one that was not.
    """
    env = StrategyEnv(table, statistics, rewards, switching_cost=training.switching_cost)
    with _one_thread_of_its_own():
        model = _model(env, training, seed)
        buffer = KnownRewards(env, training, seed)
        model.replay_buffer = buffer
        name = _name(table, rewards, training, seed)
        writer = [] if places.tensorboard is None else ["tensorboard"]
        folder = None if places.tensorboard is None else str(places.tensorboard / name)
        model.set_logger(configure(folder, writer))
        kept = None if places.checkpoints is None else places.checkpoints / f"sac-{name}.pt"
        done = _resumed(kept, model, buffer)
        advance(done)
        while done < training.timesteps:
            steps = min(CHUNK, training.timesteps - done)
            model.train(steps, training.batch)
            done += steps
            model.logger.dump(done)
            if kept is not None:
                _keep(kept, model, buffer, done)
            advance(steps)
        model.logger.close()
        return {name: value.clone() for name, value in model.actor.state_dict().items()}


def scale_of(rewards: FloatArray, spread: float) -> float:
    """Return by what to multiply rewards so that they spread so far; 1 where they are all alike."""
    found = float(rewards.std())
    return spread / found if found > 0.0 else 1.0


def _model(env: StrategyEnv, training: Training, seed: int) -> SAC:
    return SAC(
        "MlpPolicy",
        env,
        learning_rate=training.learning_rate,
        buffer_size=1,
        batch_size=training.batch,
        gamma=DISCOUNT_WITH_COST if training.switching_cost else 0.0,
        ent_coef=training.entropy,
        policy_kwargs={
            "net_arch": [training.net],
            "optimizer_kwargs": {"weight_decay": training.weight_decay},
        },
        seed=seed,
        device="cpu",
    )


@contextmanager
def _one_thread_of_its_own() -> Iterator[None]:
    """Train on one thread, for the same bits on every machine, and leave all randomness alone."""
    threads, drawn, numpy_state = torch.get_num_threads(), random.getstate(), np.random.get_state()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(drawn)
        np.random.set_state(numpy_state)


def _name(table: EpisodeTable, rewards: FloatArray, training: Training, seed: int) -> str:
    """Return what tells this training from any other."""
    digest = hashlib.sha256(repr((table.sha256, asdict(training), seed)).encode())
    digest.update(np.ascontiguousarray(rewards).tobytes())
    return f"{digest.hexdigest()[:16]}-{seed}"


def _keep(path: Path, model: SAC, buffer: KnownRewards, done: int) -> None:
    state = {
        "done": done,
        "updates": model._n_updates,
        "policy": model.policy.state_dict(),
        "actor": model.actor.optimizer.state_dict(),
        "critic": model.critic.optimizer.state_dict(),
        "torch": torch.get_rng_state(),
        "draws": json.dumps(buffer.draws.bit_generator.state),
    }
    make_folder(path.parent, option="--models")
    half = path.with_suffix(".tmp")
    try:
        half.write_bytes(saved(state))
        half.replace(path)
    except OSError as reason:
        raise storage_error(path, reason, option="--models") from reason


def _resumed(path: Path | None, model: SAC, buffer: KnownRewards) -> int:
    """Put a training back where its checkpoint is, and return how many steps that were."""
    if path is None or not path.exists():
        return 0
    state: Mapping[str, Any] = loaded(path.read_bytes(), str(path))
    try:
        model.policy.load_state_dict(state["policy"], strict=True)
        model.actor.optimizer.load_state_dict(state["actor"])
        model.critic.optimizer.load_state_dict(state["critic"])
        model._n_updates = int(state["updates"])
        torch.set_rng_state(state["torch"])
        buffer.draws.bit_generator.state = json.loads(state["draws"])
        return int(state["done"])
    except (KeyError, TypeError, ValueError, RuntimeError) as reason:
        raise DamagedError(f"{path} is of another training", "delete it") from reason
