"""What a policy learns from: logged results as they were, or as others' sessions would expect them.

One decision's result is nearly all noise. A model fitted on other sessions says what a decision
like it comes to on average; its cross-fitted predictions are the second kind of reward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from optiq.errors import InputError
from optiq.learn.policy.choosers import Chooses, Ridge, Trees, blocks_of, chosen, made_by
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.market.schema import FloatArray

AUTO, RAW = "auto", "raw"
MODELS: Mapping[str, Callable[[EpisodeTable], Chooses]] = {
    "ridge": Ridge.fitted,
    "lightgbm": Trees.fitted,
}
REWARDS = (AUTO, RAW, *MODELS)


def rewards_named(name: str, table: EpisodeTable) -> tuple[str, FloatArray]:
    """Return the kind of rewards that a name means, and the rewards (n, n_strategies) in R.

    ``auto`` is the reward model whose cross-fitted choices made more on the table; ``raw`` are the
    logged results. Nothing outside the table is looked at.
    """
    if name == RAW:
        return RAW, table.r
    if name in MODELS:
        return name, cross_fitted(table, MODELS[name])
    if name != AUTO:
        raise InputError(f"no rewards {name!r}", f"give one of {', '.join(REWARDS)}")
    said = {kind: cross_fitted(table, fit) for kind, fit in MODELS.items()}
    made = {kind: made_by(chosen(r, table.mask), table.r).sum() for kind, r in said.items()}
    best = max(made, key=lambda kind: made[kind])
    return best, said[best]


def cross_fitted(table: EpisodeTable, fit: Callable[[EpisodeTable], Chooses]) -> FloatArray:
    """Return (n, n_strategies) expected R, each block of sessions told by a fit on the others.

    0 where a model knows nothing of a strategy, and for masked ones.
    """
    block, told = blocks_of(table.session), np.zeros_like(table.r)
    if block.max(initial=0) < 1:
        raise InputError("rewards cannot be cross-fitted on one session", "take more sessions")
    for held in range(int(block.max()) + 1):
        out = block == held
        told[out] = fit(table.take(~out)).preferences(table.observation[out])
    return np.where(table.mask, np.nan_to_num(told), 0.0)
