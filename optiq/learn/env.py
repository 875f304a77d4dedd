"""The choice among strategies as a Gymnasium environment, over logged episodes.

Importing this registers ``optiq/StrategyChoice-v0``.
"""

from __future__ import annotations

from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from optiq.errors import InputError
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.learn.policy.observed import FURTHEST, Statistics
from optiq.market.schema import BoolArray, FloatArray

ID = "optiq/StrategyChoice-v0"
SHARPNESS = 3.0
"""Weights are a softmax of so many times the preferences: all the way up is 20 to 1 over aside."""
LARGEST_R = 5.0
"""Rewards are cut off here: one lucky gap must not be what is learnt."""
DISCOUNT_WITH_COST = 0.9

Choose = Literal["softmax", "argmax"]
Row32 = NDArray[np.float32]


class StrategyEnv(gymnasium.Env[Row32, Row32]):
    """Choose a strategy for the next five minutes, or none, from what the market shows.

    ## Description
    Every logged decision carries what each of the eight strategies would have come to from then
    on, alone, so the reward of any action is known exactly. A choice on paper does not move the
    market: which decision comes next does not depend on the action.

    ## Action Space
    ``Box(-1, 1, (8,))``: how much each strategy is preferred, in the order of
    `optiq.trade.strategies.BUILT_IN`. A ninth preference, for standing aside, is fixed at 0.
    Impossible strategies are taken out first; their preferences are not read. The weights are a
    softmax of three times what is left (``choose="softmax"``, to train), or 1 for the largest, the
    first of equals, aside on 0 (``choose="argmax"``, as a policy serves).

    ## Observation Space
    ``Box(-5, 5, (23,))``: the market's features at the decision, z-scored with the mean and
    deviation of the training sessions (`optiq.learn.policy.observed.Statistics`) and cut off at 5;
    0 where unknown.

    | Num | Observation | What it is | Unit | Window |
    |-----|-------------|------------|------|--------|
    {observations}

    With a switching cost nine more follow, the weights of the last choice (the eight strategies,
    then standing aside), each 0 to 1; a session begins aside.

    ## Rewards
    The weighted shadow results of the chosen, net of charges, in R (units of what the stop risks),
    each cut off at 5 either way; standing aside makes 0. Less ``switching_cost`` times the weight
    that moved. Nothing else is ever rewarded.

    ## Starting State
    A decision drawn evenly from all; with a switching cost the first of a session drawn so.
    ``reset(options={{"row": k}})`` begins at the k-th decision of the table instead.

    ## Episode End
    Every decision is terminal (train with gamma 0). With a switching cost an episode is a session
    and terminates with its last decision (gamma 0.9). Nothing is ever truncated.

    ## Arguments
    ``table`` (`EpisodeTable`), ``statistics`` (those of the table if not given), ``rewards`` (n, 8)
    in place of the table's results, ``choose``, ``switching_cost`` in R.

    ## Info
    ``row``, the decision in the table; ``mask`` (8,), which strategies are possible in it; after a
    step ``weights`` (9,), the last of standing aside.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - as Gymnasium names it

    def __init__(
        self,
        table: EpisodeTable,
        statistics: Statistics | None = None,
        rewards: FloatArray | None = None,
        choose: Choose = "softmax",
        switching_cost: float = 0.0,
        render_mode: None = None,
    ) -> None:
        _check(table, switching_cost)
        self.render_mode = render_mode
        self.choose, self.switching_cost = choose, switching_cost
        statistics = statistics or Statistics.of(table.observation)
        self.seen = statistics.scaled(table.observation).astype(np.float32)
        self.possible = table.mask
        self.made = rewards_of(table.r if rewards is None else rewards, table.mask)
        self.is_last = np.append(table.session[1:] != table.session[:-1], True)
        self._starts = np.flatnonzero(np.append(True, self.is_last[:-1]))
        n_strategies, n_seen = table.r.shape[1], self.seen.shape[1]
        bound = np.full(n_seen, FURTHEST, np.float32)
        low, high = -bound, bound
        if switching_cost:
            low = np.append(low, np.zeros(n_strategies + 1, np.float32))
            high = np.append(high, np.ones(n_strategies + 1, np.float32))
        self.observation_space = spaces.Box(low, high, dtype=np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (n_strategies,), np.float32)
        self._aside = np.append(np.zeros(n_strategies), 1.0)
        self._row, self._last = 0, self._aside

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Row32, dict[str, Any]]:
        """Begin at a decision drawn by the seed, or at ``options["row"]``."""
        super().reset(seed=seed)
        starts = self._starts if self.switching_cost else np.arange(len(self.seen))
        drawn = int(starts[self.np_random.integers(len(starts))])
        self._row = int((options or {}).get("row", drawn))
        self._last = self._aside
        return self._observation(), self._info()

    def step(self, action: Row32) -> tuple[Row32, float, bool, bool, dict[str, Any]]:
        """Choose; return what it made and the next decision, the same one if this was the last."""
        row, mask = self._row, self.possible[self._row]
        weights = weights_of(action[None], mask[None], self.choose)[0]
        reward = float(weights[:-1] @ self.made[row])
        terminated = True
        if self.switching_cost:
            reward -= self.switching_cost * float(moved(weights, self._last))
            terminated = bool(self.is_last[row])
            self._last = weights
            self._row += not terminated
        info = {**self._info(), "weights": weights}
        return self._observation(), reward, terminated, False, info

    def _observation(self) -> Row32:
        seen: Row32 = self.seen[self._row]
        if not self.switching_cost:
            return seen.copy()
        return np.concatenate([seen, self._last.astype(np.float32)])

    def _info(self) -> dict[str, Any]:
        return {"row": self._row, "mask": self.possible[self._row].copy()}


def weights_of(actions: NDArray[Any], mask: BoolArray, choose: Choose = "softmax") -> FloatArray:
    """Return (n, 9) weights of actions (n, 8), the last of standing aside; each row adds up to 1.

    Masked strategies weigh 0, whatever was preferred.
    """
    n, n_strategies = actions.shape
    wanted = np.zeros((n, n_strategies + 1))
    wanted[:, :-1] = np.where(mask, SHARPNESS * actions, -np.inf)
    if choose == "argmax":
        # aside first, so that it wins a tie at 0: a chooser must be above it
        best = np.roll(wanted, 1, axis=1).argmax(axis=1)
        hard = np.zeros_like(wanted)
        hard[np.arange(n), best - 1] = 1.0
        return hard
    raised = np.exp(wanted - wanted.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def moved(weights: FloatArray, last: FloatArray) -> FloatArray:
    """Return the share of weight that changed its place, 0 to 1, along the last axis."""
    return np.asarray(0.5 * np.abs(weights - last).sum(axis=-1))


def rewards_of(r: FloatArray, mask: BoolArray) -> FloatArray:
    """Return results cut off at 5 R, 0 where a strategy was not possible."""
    return np.where(mask, np.clip(r, -LARGEST_R, LARGEST_R), 0.0)


def _check(table: EpisodeTable, switching_cost: float) -> None:
    if not len(table):
        raise InputError("an environment without episodes", "optiq episodes build")
    if switching_cost < 0:
        raise InputError(f"a switching cost of {switching_cost:g} R", "give 0 or more")
    if switching_cost and len(table.underlyings) > 1:
        raise InputError("a switching cost over several underlyings", "learn one at a time")


def _observations() -> str:
    """Return the rows of the docstring's table, from the one list of features."""
    from optiq.market.feature_table import MARKET_FEATURES

    return "\n    ".join(
        f"| {n} | `{f.name}` | {f.formula} | {f.unit} | {f.window} |"
        for n, f in enumerate(MARKET_FEATURES)
    )


StrategyEnv.__doc__ = (StrategyEnv.__doc__ or "").format(observations=_observations())

if ID not in gymnasium.registry:
    gymnasium.register(id=ID, entry_point="optiq.learn.env:StrategyEnv")
