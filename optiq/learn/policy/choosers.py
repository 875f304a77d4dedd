"""Who could choose: each learns from the same table, and all of them serve in the same way.

A chooser says for each strategy how much it is preferred to standing aside. The most preferred of
the possible ones is chosen, and nobody where none is preferred to standing aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.observed import Statistics
from optiq.market.schema import BoolArray, FloatArray, IntArray, TimeArray
from optiq.run.choosing import NONE

BEST_SINGLE, RIDGE, TREES, SAC = "best single", "ridge", "lightgbm", "sac"
LEARNERS = (SAC, RIDGE, TREES)
"""Those that can be asked for by ``--chooser``."""

PENALTIES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Of ridge, in rows."""
HELD_OUT = 5
"""Blocks of sessions that are left out in turn."""
FEWEST_ROWS = 50
"""A strategy that was possible more rarely is not learnt, and never chosen."""
BLOCK = 256


class Chooses(Protocol):
    """One who chooses."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def preferences(self, observation: FloatArray) -> FloatArray:
        """Return (n, n_strategies) preferences over standing aside, from (n, n_observed).

        Observations are as the market gave them. NaN is a strategy it knows nothing of. What is
        said of a row does not depend on the other rows.
        """


def chosen(preferences: FloatArray, mask: BoolArray) -> IntArray:
    """Return (n,) the most preferred of the possible strategies; -1 where none is above 0."""
    able = mask & (preferences > 0.0)  # a NaN is not
    best = np.where(able, preferences, -np.inf).argmax(axis=1)
    return np.asarray(np.where(able.any(axis=1), best, NONE))


def made_by(choice: IntArray, r: FloatArray) -> FloatArray:
    """Return (n,) what choices came to; 0 for standing aside."""
    made: FloatArray = np.take_along_axis(r, np.maximum(choice, 0)[:, None], axis=1)[:, 0]
    return np.asarray(np.where(choice == NONE, 0.0, made))


def oracle(table: EpisodeTable) -> FloatArray:
    """Return (n,) the best that was possible, known only afterwards; at least 0."""
    return np.asarray(np.maximum(np.where(table.mask, table.r, 0.0).max(axis=1), 0.0))


def at_random(table: EpisodeTable) -> FloatArray:
    """Return (n,) what the random policy comes to on average: standing aside is one of its ways."""
    return np.asarray(np.where(table.mask, table.r, 0.0).sum(axis=1) / (table.mask.sum(axis=1) + 1))


def equally(table: EpisodeTable) -> FloatArray:
    """Return (n,) what equal weights on all possible strategies come to."""
    possible = np.maximum(table.mask.sum(axis=1), 1)
    return np.asarray(np.where(table.mask, table.r, 0.0).sum(axis=1) / possible)


@dataclass(frozen=True, slots=True)
class Single:
    """Always the same strategy."""

    place: int
    n_strategies: int
    name: str = BEST_SINGLE

    @classmethod
    def best(cls, table: EpisodeTable) -> Single:
        """Return the one that made most on these rows."""
        made = np.where(table.mask, table.r, 0.0).sum(axis=0)
        return cls(int(made.argmax()), table.r.shape[1])

    def preferences(self, observation: FloatArray) -> FloatArray:
        """Return 1 for the strategy and -1 for the others."""
        mine = np.where(np.arange(self.n_strategies) == self.place, 1.0, -1.0)
        return np.tile(mine, (len(observation), 1))


@dataclass(frozen=True, slots=True)
class Ridge:
    """Expected R of each strategy, linear in the scaled observations.

    ``weights`` (n_strategies, n_observed) and ``intercept`` (n_strategies,) are R; NaN for a
    strategy that was possible too rarely to learn.
    """

    statistics: Statistics
    weights: FloatArray
    intercept: FloatArray
    penalty: float
    name: str = RIDGE

    @classmethod
    def fitted(cls, table: EpisodeTable) -> Ridge:
        """Return the fit whose penalty predicts left-out sessions best, one for all strategies."""
        statistics = Statistics.of(table.observation)
        seen, block = statistics.scaled(table.observation), blocks_of(table.session)
        moments = {
            place: _moments(seen[rows], table.r[rows, place], block[rows])
            for place in range(table.r.shape[1])
            if len(rows := _rows_to_learn(table, place))
        }
        penalty = _best_penalty(list(moments.values()))
        solved = np.full((table.r.shape[1], seen.shape[1] + 1), np.nan)
        for place, sums in moments.items():
            solved[place] = _solved(sums.sum(axis=0), penalty)
        return cls(statistics, solved[:, :-1], solved[:, -1], penalty)

    def preferences(self, observation: FloatArray) -> FloatArray:
        """Return the expected R."""
        seen = self.statistics.scaled(observation)
        return products(seen, self.weights) + self.intercept


def products(rows: FloatArray, weights: FloatArray) -> FloatArray:
    """Return ``rows @ weights.T`` to the same bits for each row, however many rows there are.

    A matrix product by BLAS rounds by the number of rows.
    """
    parts = [
        (rows[at : at + BLOCK, None, :] * weights[None]).sum(axis=2)
        for at in range(0, max(len(rows), 1), BLOCK)
    ]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Trees:
    """Expected R of each strategy by LightGBM, a booster each; None for one not learnt."""

    boosters: Sequence[Any]
    name: str = TREES

    @classmethod
    def fitted(cls, table: EpisodeTable, seed: int = 0) -> Trees:
        """Return small trees: one decision's result is nearly all noise."""
        import lightgbm

        boosters: list[Any] = []
        for place in range(table.r.shape[1]):
            rows = _rows_to_learn(table, place)
            if not len(rows):
                boosters.append(None)
                continue
            data = lightgbm.Dataset(
                table.observation[rows],
                table.r[rows, place],
                feature_name=list(table.observed),
                params=_growing(len(rows), seed),
            )
            boosters.append(lightgbm.train(_growing(len(rows), seed), data, _ROUNDS))
        return cls(boosters)

    def preferences(self, observation: FloatArray) -> FloatArray:
        """Return the expected R."""
        unknown = np.full(len(observation), np.nan)
        said = [
            unknown if trees is None else trees.predict(observation, num_threads=1)
            for trees in self.boosters
        ]
        return np.stack(said, axis=1)


_ROUNDS = 80


def _growing(n_rows: int, seed: int) -> dict[str, Any]:
    return {
        "objective": "regression",
        "num_leaves": 7,
        "learning_rate": 0.05,
        "min_data_in_leaf": max(20, n_rows // 40),
        "lambda_l2": 10.0,
        "feature_fraction": 0.7,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "verbosity": -1,
    }


def blocks_of(session: TimeArray, n_blocks: int = HELD_OUT) -> IntArray:
    """Return (n,) the block of sessions each row is in: neighbours together, of equal number."""
    days, place = np.unique(session, return_inverse=True)
    n_blocks = min(n_blocks, len(days))
    blocks: IntArray = place * n_blocks // len(days)
    return blocks


def _rows_to_learn(table: EpisodeTable, place: int) -> IntArray:
    rows = np.flatnonzero(table.mask[:, place])
    return rows if len(rows) >= FEWEST_ROWS else rows[:0]


def _best_penalty(moments: Sequence[FloatArray]) -> float:
    """Return the penalty with the least squared error on blocks of sessions left out in turn.

    ``moments`` are those of each strategy, (n_blocks, d + 2, d + 2).
    """
    errors = np.zeros(len(PENALTIES))
    for blocks in moments:
        for held in range(len(blocks) if len(blocks) > 1 else 0):
            others = blocks.sum(axis=0) - blocks[held]
            errors += [_missed(_solved(others, p), blocks[held]) for p in PENALTIES]
    return PENALTIES[int(errors.argmin())] if errors.any() else PENALTIES[-1]


def _moments(x: FloatArray, y: FloatArray, block: IntArray) -> FloatArray:
    """Return the sums of products of [x, 1, y] over each block of rows."""
    rows = np.column_stack([x, np.ones(len(x)), y])
    return np.stack([rows[block == b].T @ rows[block == b] for b in np.unique(block)])


def _solved(moments: FloatArray, penalty: float) -> FloatArray:
    """Return ridge's weights and, last, its intercept, which is not penalised."""
    n_rows, size = moments[-2, -2], len(moments) - 1
    penalties = np.append(np.full(size - 1, penalty * n_rows), 0.0)
    solved = np.linalg.solve(moments[:size, :size] + np.diag(penalties), moments[:-1, -1])
    return np.asarray(solved, np.float64)


def _missed(weights: FloatArray, moments: FloatArray) -> float:
    """Return the squared error of weights on the rows behind some moments."""
    whole = np.append(weights, -1.0)
    return float(whole @ moments @ whole)
