"""A stored policy: who chooses, by what it was scaled, and what it must beat, in plain files.

    observed.json             who chooses, strategies, observations with their statistics and hash
    sac-0.pt, sac-1.pt ...    state dicts of the actors, one a seed
    ridge.json                weights and intercepts in R
    lightgbm-NAME.txt         trees of a strategy, LightGBM's own text

Ridge, trees and the best single strategy lie in every version: the gate asks all of them about the
same unseen sessions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optiq.errors import DamagedError
from optiq.learn.policy.actor import Actor, Seeds
from optiq.learn.policy.choosers import (
    BEST_SINGLE,
    LEARNERS,
    RIDGE,
    SAC,
    TREES,
    Chooses,
    Ridge,
    Single,
    Trees,
)
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.observed import Statistics
from optiq.learn.version_folder import RESTORE
from optiq.market.schema import BoolArray, FloatArray
from optiq.run.episodes import feature_hash

if TYPE_CHECKING:
    from optiq.learn.direction.fit import State

KIND = "policy"
OBSERVED_FILE, RIDGE_FILE = "observed.json", "ridge.json"


@dataclass(frozen=True)
class Fitted:
    """What was fitted on one table; ``states`` are the actors' state dicts, one a seed."""

    ridge: Ridge
    trees: Trees
    single: Single
    states: tuple[State, ...] = ()


@dataclass(frozen=True)
class About:
    """What a policy was taught on: the table's own names, statistics and rules.

    ``learnt`` (n_strategies,) are those it knows anything of.
    """

    strategies: tuple[str, ...]
    observed: tuple[str, ...]
    underlyings: tuple[str, ...]
    feature_hash: str
    walk_hash: str
    statistics: Statistics
    learnt: BoolArray
    switching_cost: float = 0.0

    @classmethod
    def of(cls, table: EpisodeTable, ridge: Ridge, switching_cost: float = 0.0) -> About:
        """Return it of the table that was learnt from, and of the ridge fitted on it."""
        return cls(
            table.strategies,
            table.observed,
            table.underlyings,
            table.feature_hash,
            table.walk_hash,
            ridge.statistics,
            ~np.isnan(ridge.intercept),
            switching_cost,
        )


@dataclass(frozen=True)
class Bundle:
    """A policy as it serves, and those fitted on the same sessions, by name."""

    chooser: str
    choosers: Mapping[str, Chooses]
    about: About

    @property
    def speaks(self) -> Chooses:
        """The one that is asked."""
        return self.choosers[self.chooser]

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.speaks.name

    @property
    def remembers(self) -> bool:
        """Whether the weights of the last choice are part of what it sees."""
        return isinstance(self.speaks, Seeds) and self.speaks.remembers

    def preferences(self, observation: FloatArray, last: FloatArray | None = None) -> FloatArray:
        """Return (n, n_strategies) of observations (n, n_observed), as `Chooses` says.

        ``last`` (n, n_strategies + 1) are the weights of the last choice, the last of standing
        aside, read by those that remember; without it nobody was chosen.
        """
        if isinstance(self.speaks, Seeds):
            return self.speaks.preferences(observation, last)
        return self.speaks.preferences(observation)


def bundle_in_memory(chooser: str, fitted: Fitted, about: About) -> Bundle:
    """Return the policy that `read_bundle` would read of the files of `bundle_of`."""
    choosers: dict[str, Chooses] = {
        RIDGE: fitted.ridge,
        TREES: fitted.trees,
        BEST_SINGLE: fitted.single,
    }
    if fitted.states:
        choosers[SAC] = _seeds(fitted.states, about)
    return Bundle(chooser, choosers, about)


def bundle_of(chooser: str, fitted: Fitted, about: About) -> dict[str, bytes]:
    """Return the files of a version in which ``chooser`` speaks."""
    ridge = fitted.ridge
    files = {
        OBSERVED_FILE: _json(_told(chooser, about, fitted)),
        RIDGE_FILE: _json(
            {
                "weights": _nulls(ridge.weights),
                "intercept": _nulls(ridge.intercept),
                "penalty": ridge.penalty,
            }
        ),
    }
    for name, booster in zip(about.strategies, fitted.trees.boosters, strict=True):
        if booster is not None:
            files[_trees_file(name)] = booster.model_to_string().encode()
    if fitted.states:
        from optiq.learn.direction.fit import saved

        files |= {_actor_file(n): saved(dict(state)) for n, state in enumerate(fitted.states)}
    return files


def read_bundle(
    files: Mapping[str, bytes],
    what: str = KIND,
    features: str | None = None,
    *,
    rivals: bool = True,
) -> Bundle:
    """Return the policy of a stored version whose hashes agree already.

    Without ``rivals`` only who speaks is read: a run that ridge chooses for loads no LightGBM.
    `DamagedError` where anything is not what `bundle_of` writes, or where it was taught on
    observations of another meaning than ``features``, this version's unless given.
    """
    try:
        told: dict[str, Any] = json.loads(files[OBSERVED_FILE])
        about = _about(told)
        wanted = feature_hash() if features is None else features
        if about.feature_hash != wanted:
            raise DamagedError(
                f"{what} was taught on other features ({about.feature_hash}) than this version's "
                f"({wanted})",
                "train it again: optiq train-policy",
            )
        chooser, n_seeds = str(told["chooser"]), int(told["seeds"])
        if chooser not in LEARNERS or (chooser == SAC) != (n_seeds > 0):
            raise ValueError(f"a chooser {chooser!r} of {n_seeds} seeds")
        readers: dict[str, Callable[[], Chooses]] = {
            RIDGE: lambda: _ridge(json.loads(files[RIDGE_FILE]), about),
            TREES: lambda: _trees(files, about),
            BEST_SINGLE: lambda: _single(told["best_single"], about),
        }
        if n_seeds:
            readers[SAC] = lambda: _seeds(_states(files, n_seeds), about)
        read = readers if rivals else [chooser]
        return Bundle(chooser, {name: readers[name]() for name in read}, about)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as reason:
        raise DamagedError(f"{what}: not a policy ({reason})", RESTORE) from reason


def _told(chooser: str, about: About, fitted: Fitted) -> dict[str, Any]:
    return {
        "chooser": chooser,
        "seeds": len(fitted.states),
        "strategies": list(about.strategies),
        "observed": list(about.observed),
        "underlyings": list(about.underlyings),
        "feature_hash": about.feature_hash,
        "walk_hash": about.walk_hash,
        "statistics": about.statistics.to_json(),
        "learnt": about.learnt.tolist(),
        "best_single": about.strategies[fitted.single.place],
        "switching_cost": about.switching_cost,
    }


def _about(told: Mapping[str, Any]) -> About:
    strategies, observed = tuple(told["strategies"]), tuple(told["observed"])
    about = About(
        strategies,
        observed,
        tuple(told["underlyings"]),
        str(told["feature_hash"]),
        str(told["walk_hash"]),
        Statistics.from_json(told["statistics"]),
        np.array(told["learnt"], np.bool_),
        float(told["switching_cost"]),
    )
    sizes = len(about.statistics.mean), len(about.learnt)
    if sizes != (len(observed), len(strategies)):
        raise ValueError("statistics of another number of observations or strategies")
    return about


def _ridge(told: Mapping[str, Any], about: About) -> Ridge:
    weights = np.array(told["weights"], np.float64)
    intercept = np.array(told["intercept"], np.float64)
    if (weights.shape, intercept.shape) != (
        (len(about.strategies), len(about.observed)),
        (len(about.strategies),),
    ):
        raise ValueError("a ridge of another shape")
    unlearnt = np.isnan(weights).any(axis=1) | np.isnan(intercept)
    known = np.isfinite(weights).all(axis=1) & np.isfinite(intercept)
    if (unlearnt == known).any() or (known != about.learnt).any():
        raise ValueError("a ridge whose weights are not all numbers")
    return Ridge(about.statistics, weights, intercept, float(told["penalty"]))


def _trees(files: Mapping[str, bytes], about: About) -> Trees:
    from lightgbm import Booster
    from lightgbm.basic import LightGBMError

    boosters: list[Any] = []
    for name, is_learnt in zip(about.strategies, about.learnt.tolist(), strict=True):
        if not is_learnt:
            boosters.append(None)
            continue
        try:
            booster = Booster(model_str=files[_trees_file(name)].decode())
        except LightGBMError as reason:
            raise ValueError(f"the trees of {name} cannot be read") from reason
        if booster.feature_name() != list(about.observed):
            raise ValueError(f"the trees of {name} were grown on other observations")
        boosters.append(booster)
    return Trees(boosters)


def _single(name: str, about: About) -> Single:
    return Single(about.strategies.index(name), len(about.strategies))


def _states(files: Mapping[str, bytes], n_seeds: int) -> list[State]:
    from optiq.learn.direction.fit import loaded

    names = [_actor_file(seed) for seed in range(n_seeds)]
    return [loaded(files[name], name) for name in names]


def _seeds(states: Sequence[State], about: About) -> Seeds:
    actors = tuple(Actor.of(state, about.statistics, about.learnt) for state in states)
    if {actor.remembers for actor in actors} != {about.switching_cost > 0}:
        raise ValueError("actors that see another last choice than their settings say")
    return Seeds(actors)


def _actor_file(seed: int) -> str:
    return f"sac-{seed}.pt"


def _trees_file(strategy: str) -> str:
    return f"lightgbm-{strategy}.txt"


def _nulls(values: FloatArray) -> Any:
    """Return nested lists with null for NaN: plain JSON has none."""
    plain = values.astype(object)
    plain[np.isnan(values)] = None
    return plain.tolist()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1, allow_nan=False).encode()
