"""Fit whoever may choose on one table: ridge, trees, the best single strategy, and the actors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from optiq.errors import InputError
from optiq.learn.direction.fit import State
from optiq.learn.lockbox import ENOUGH_UNSEEN
from optiq.learn.policy.bundle import About, Bundle, Fitted, bundle_in_memory
from optiq.learn.policy.choosers import LEARNERS, SAC, Ridge, Single, Trees
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.rewards import AUTO, REWARDS, rewards_named
from optiq.learn.policy.sac import NOWHERE, Places, Training, train_actor

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is to choose, and how hard to try.

    Attributes
    ----------
    chooser
        ``sac``, ``ridge`` or ``lightgbm``.
    seeds
        Actors trained, each from another seed; the version serves the mean of their preferences.
    rewards
        What they learn from, one of `optiq.learn.policy.rewards.REWARDS`.
    folds
        Blocks of sessions to test on, at most.
    lockbox
        Last sessions that stay unseen, where enough are left without them.
    workers
        Seeds trained at once.
    """

    chooser: str = SAC
    seeds: int = 5
    training: Training = field(default_factory=Training)
    rewards: str = AUTO
    folds: int = 4
    lockbox: int = ENOUGH_UNSEEN
    workers: int = 2

    def __post_init__(self) -> None:
        if self.chooser not in LEARNERS:
            raise InputError(f"no chooser {self.chooser!r}", f"give one of {', '.join(LEARNERS)}")
        if self.rewards not in REWARDS:
            raise InputError(f"no rewards {self.rewards!r}", f"give one of {', '.join(REWARDS)}")
        if self.training.switching_cost < 0:
            raise InputError(
                f"a switching cost of {self.training.switching_cost:g} R", "give 0 or more"
            )

    @property
    def steps(self) -> int:
        """Gradient steps of one fit, over all its seeds; 1 where nothing takes steps."""
        return self.seeds * self.training.timesteps if self.chooser == SAC else 1

    def told(self) -> dict[str, Any]:
        """Return what shapes the result, as plain JSON."""
        shared = {"chooser": self.chooser, "folds": self.folds, "lockbox": self.lockbox}
        cost = {"switching_cost": self.training.switching_cost}
        if self.chooser != SAC:
            return shared | cost
        return {**shared, **asdict(self.training), "seeds": self.seeds, "rewards": self.rewards}


@dataclass(frozen=True)
class Made:
    """A fitted policy with all that a version of it is stored from."""

    fitted: Fitted
    about: About
    bundle: Bundle
    rewards: str


def fit_policy(
    table: EpisodeTable, plan: Plan, places: Places = NOWHERE, advance: Advance = lambda _: None
) -> Made:
    """Return the policy of a plan fitted on every row of a table.

    ``advance`` is told of gradient steps, `Plan.steps` in all.
    """
    fitted = Fitted(Ridge.fitted(table), Trees.fitted(table), Single.best(table))
    about = About.of(table, fitted.ridge, plan.training.switching_cost)
    rewards = "none"
    if plan.chooser == SAC:
        rewards, states = _actors(table, about, plan, places, advance)
        fitted = replace(fitted, states=states)
    else:
        advance(1)
    return Made(fitted, about, bundle_in_memory(plan.chooser, fitted, about), rewards)


def _actors(
    table: EpisodeTable, about: About, plan: Plan, places: Places, advance: Advance
) -> tuple[str, tuple[State, ...]]:
    kind, rewards = rewards_named(plan.rewards, table)
    asked = (table, rewards, about.statistics, plan.training)
    if plan.workers == 1 or plan.seeds == 1:
        states = [train_actor(*asked, seed, places, advance) for seed in range(plan.seeds)]
        return kind, tuple(states)
    from joblib import Parallel, delayed

    jobs = (delayed(train_actor)(*asked, seed, places) for seed in range(plan.seeds))
    found = []
    for state in Parallel(n_jobs=min(plan.workers, plan.seeds), return_as="generator")(jobs):
        found.append(state)
        advance(plan.training.timesteps)
    return kind, tuple(found)
