"""What everybody would have made of the same decisions: policies, baselines, and who knew it all.

Every logged decision carries the result of every strategy, so this is arithmetic, not an estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from optiq.learn.env import moved
from optiq.learn.intervals import Interval, interval, mean_interval
from optiq.learn.policy.actor import Seeds
from optiq.learn.policy.bundle import Bundle
from optiq.learn.policy.choosers import (
    BEST_SINGLE,
    SAC,
    Chooses,
    at_random,
    chosen,
    equally,
    made_by,
)
from optiq.learn.policy.choosers import oracle as knowing_all
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.market.schema import IST_OFFSET, BoolArray, FloatArray, IntArray
from optiq.run.choosing import NONE

RANDOM, EQUAL, ORACLE, CHAMPION = "random", "equal weights", "oracle", "the champion"
BASELINES = (RANDOM, BEST_SINGLE, EQUAL)
"""Those that must be beaten, all three of them."""
ASIDE = "stand aside"


@dataclass(frozen=True)
class Results:
    """What was made of some decisions.

    Attributes
    ----------
    session, hour : (n,)
        The Indian date and the hour there.
    made : by name, (n,)
        Net R; a change of strategy has paid the switching cost.
    picks : by name, (n,)
        The strategy chosen, -1 for none, of all that choose.
    chooser
        Whose results these are: ``sac``, ``ridge`` or ``lightgbm``.
    """

    session: Any
    hour: IntArray
    made: Mapping[str, FloatArray]
    picks: Mapping[str, IntArray]
    chooser: str
    strategies: tuple[str, ...]

    @property
    def own(self) -> tuple[str, ...]:
        """The names of the chooser's own results: of sac each seed, and the mean that serves."""
        seeds = [name for name in self.made if name.startswith(f"{SAC} seed")]
        return (self.chooser, *(seeds if self.chooser == SAC else []))

    @property
    def worst(self) -> str:
        """The one that counts: of several seeds the one that made least."""
        return min(self.own, key=lambda name: float(self.made[name].sum()))

    @cached_property
    def number(self) -> IntArray:
        """(n,) the number of each decision's session, from 0."""
        return np.asarray(np.unique(self.session, return_inverse=True)[1], np.int64)

    @property
    def n_sessions(self) -> int:
        """How many sessions there are."""
        return int(self.number.max(initial=-1)) + 1

    def daily(self, values: FloatArray) -> FloatArray:
        """Return (n_sessions,) the sum of each session."""
        return np.asarray(np.bincount(self.number, values, self.n_sessions), np.float64)

    def mean(self, values: FloatArray, level: float = 0.95, seed: int = 0) -> Interval:
        """Return the mean over decisions with its interval over sessions."""
        counts = self.daily(np.ones(len(values)))
        return mean_interval(self.daily(values), counts, level=level, seed=seed)

    def share(self, name: str) -> Interval:
        """Return what was made as a share of what the oracle made."""
        mine, all_of_it = self.daily(self.made[name]), self.daily(self.made[ORACLE])
        return interval(lambda times: _ratio(times @ mine, times @ all_of_it), self.n_sessions)

    def spread(self) -> Interval:
        """Return the mean of the best seed less that of the worst."""
        daily = np.stack([self.daily(self.made[name]) for name in self.own], axis=1)
        counts = self.daily(np.ones(len(self.number)))
        return interval(
            lambda times: np.ptp(times @ daily / (times @ counts)[:, None], axis=1),
            self.n_sessions,
        )

    def choices(self) -> list[dict[str, Any]]:
        """Return a row a strategy, and one for none: how often chosen, in all and at each hour."""
        picks, rows = self.picks[self.chooser], []
        for place, name in [*enumerate(self.strategies), (NONE, ASIDE)]:
            is_it = picks == place
            by_hour = {
                f"{hour:02d}h": round(float(is_it[self.hour == hour].mean()), 4)
                for hour in np.unique(self.hour).tolist()
            }
            rows.append({"strategy": name, "share": round(float(is_it.mean()), 4), **by_hour})
        return rows


def results_of(bundle: Bundle, table: EpisodeTable, champion: Bundle | None = None) -> Results:
    """Return what a policy, its rivals and the baselines make of a table they have not seen."""
    cost = bundle.about.switching_cost
    choosers: dict[str, Chooses] = dict(bundle.choosers)
    if isinstance(bundle.speaks, Seeds):
        for number, actor in enumerate(bundle.speaks.actors):
            choosers[f"{SAC} seed {number}"] = actor
    if champion is not None:
        choosers[CHAMPION] = champion
    picks = {name: picks_of(chooser, table) for name, chooser in choosers.items()}
    made = {name: net_of(choice, table, cost) for name, choice in picks.items()}
    made |= {
        RANDOM: at_random(table) - cost * _drawn_anew(table),
        EQUAL: equally(table) - cost * _shifted(_even(table.mask), table),
        ORACLE: knowing_all(table),
    }
    hour = ((table.ts + IST_OFFSET) - (table.ts + IST_OFFSET).astype("datetime64[D]")).astype(
        "timedelta64[h]"
    )
    return Results(
        table.session, hour.astype(np.int64), made, picks, bundle.chooser, table.strategies
    )


def joined(parts: Sequence[Results]) -> Results:
    """Return the results of several folds as one."""
    first = parts[0]
    return Results(
        np.concatenate([part.session for part in parts]),
        np.concatenate([part.hour for part in parts]),
        {name: np.concatenate([part.made[name] for part in parts]) for name in first.made},
        {name: np.concatenate([part.picks[name] for part in parts]) for name in first.picks},
        first.chooser,
        first.strategies,
    )


def picks_of(chooser: Chooses, table: EpisodeTable) -> IntArray:
    """Return (n,) choices of a table; those who remember are asked one decision after another."""
    if not getattr(chooser, "remembers", False):
        return chosen(chooser.preferences(table.observation), table.mask)
    picks = np.full(len(table), NONE)
    since, last = place_in_session(table), np.full(len(table), NONE)
    for place in range(int(since.max(initial=-1)) + 1):
        rows = np.flatnonzero(since == place)
        last[rows] = picks[rows - 1] if place else NONE
        weights = _one_hot(last[rows], table.r.shape[1])
        said = chooser.preferences(table.observation[rows], weights)  # type: ignore[call-arg]
        picks[rows] = chosen(said, table.mask[rows])
    return picks


def net_of(picks: IntArray, table: EpisodeTable, cost: float) -> FloatArray:
    """Return (n,) what choices came to, each change paid for; a session begins aside."""
    made = made_by(picks, table.r)
    if not cost:
        return made
    before = np.where(place_in_session(table) == 0, NONE, np.append(NONE, picks[:-1]))
    return np.asarray(made - cost * (picks != before))


def place_in_session(table: EpisodeTable) -> IntArray:
    """Return (n,) the how-manieth decision of its session each is, from 0."""
    is_first = np.append(True, table.session[1:] != table.session[:-1])[: len(table)]
    starts = np.flatnonzero(is_first)
    return np.asarray(np.arange(len(table)) - starts[np.cumsum(is_first) - 1], np.int64)


def _one_hot(picks: IntArray, n_strategies: int) -> FloatArray:
    return np.asarray(np.eye(n_strategies + 1)[picks])  # NONE is -1, the last place


def _even(mask: BoolArray) -> FloatArray:
    """Return (n, n_strategies + 1) even weights of the possible; all aside where none is."""
    aside = ~mask.any(axis=1)
    weights = np.column_stack([mask, aside]).astype(np.float64)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _before(weights: FloatArray, table: EpisodeTable) -> FloatArray:
    before = np.vstack([weights[:1], weights[:-1]])
    before[place_in_session(table) == 0] = np.eye(weights.shape[1])[NONE]
    return before


def _shifted(weights: FloatArray, table: EpisodeTable) -> FloatArray:
    return moved(weights, _before(weights, table))


def _drawn_anew(table: EpisodeTable) -> FloatArray:
    """Return (n,) how likely a random choice differs from the one before."""
    weights = np.column_stack([table.mask, np.ones(len(table))]).astype(np.float64)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(1.0 - (weights * _before(weights, table)).sum(axis=1))


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan))
