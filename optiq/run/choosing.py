"""Who trades next: a policy chooses one strategy, or none, every five minutes.

Policies that were learnt are plain callables, so that nothing here imports what was learnt.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from optiq.errors import InputError
from optiq.market.context import Context
from optiq.market.features import market_features
from optiq.market.panel import Panel
from optiq.market.schema import BoolArray, FloatArray, IntArray
from optiq.trade.book import Records
from optiq.trade.limits import Limits
from optiq.trade.strategies import Strategy

DECISION_MINUTES = 5.0
NONE = -1
"""The choice to stand aside."""
RANDOM, EQUAL = "random", "equal"
MODEL = "policy/"
"""Before the version of a learnt policy, which could else be a strategy's name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a policy says at one decision.

    ``index`` of the strategy or -1 for none, ``preferences`` (n,) and the probability (n,) with
    which each strategy would have been chosen; what is missing to 1 is standing aside.
    """

    index: int
    preferences: FloatArray
    propensity: FloatArray


Policy = Callable[[FloatArray, BoolArray, np.random.Generator], Choice]
"""Takes the observation (23,), the strategies that are possible (n,) and its own randomness."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Who chooses on one session: its name, a learnt one's with its version, and how.

    One that ``remembers`` is shown, after the observation, whom it chose last: one number a
    strategy and one for standing aside, 1 for that and 0 for the others. A session begins aside.
    """

    who: str
    policy: Policy
    remembers: bool = False


@runtime_checkable
class Policies(Protocol):
    """Policies of which one serves on each session."""

    def on(self, underlying: str, session: dt.date) -> Acting | None:
        """Return who chooses on a session of an underlying; None where none serves."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice: on which row of the day, what was seen, what was possible, what was chosen."""

    row: int
    ts: np.datetime64
    observation: FloatArray
    mask: BoolArray
    choice: Choice


@dataclass(frozen=True, slots=True)
class Chooser:
    """A policy, or one for each session, with its name and the seed of its draws."""

    name: str
    policy: Policy | Policies
    seed: int = 0

    def on(self, underlying: str, session: dt.date) -> Acting:
        """Return who chooses on a session: where no policy serves, the choice is random."""
        if not isinstance(self.policy, Policies):
            return Acting(self.name, self.policy)
        return self.policy.on(underlying, session) or Acting(RANDOM, uniform)

    def decide(
        self,
        chain: Panel,
        rows: IntArray,
        context: Context,
        strategies: Sequence[Strategy],
        limits: Limits,
        since: int = 0,
        earlier: Sequence[Decision] = (),
    ) -> list[Decision]:
        """Return the decisions of a day's chain rows from ``since`` on.

        ``rows`` (chain.n_rows,) says which row of the day each chain row is; ``earlier`` are the
        decisions on rows before ``since``. Each decision has randomness of its own, so that
        deciding row by row draws as deciding at once.
        """
        due = decision_rows(chain)
        due = due[due >= since]
        if not len(due):
            return []
        seen = market_features(chain, context, first_row=int(due[0]))
        possible = masks(chain, context, strategies, limits, due)
        acting, made = self.on(chain.underlying, chain.date), []
        last = earlier[-1].choice.index if earlier else NONE
        for r, mask in zip(due.tolist(), possible, strict=True):
            shown = np.append(seen[r], one_hot(last, len(mask))) if acting.remembers else seen[r]
            choice = acting.policy(shown, mask, self.draws(chain.ts[r]))
            made.append(Decision(int(rows[r]), chain.ts[r], seen[r], mask, choice))
            last = choice.index
        return made

    def draws(self, ts: np.datetime64) -> np.random.Generator:
        """Return the randomness of the decision at a moment."""
        moment = int(ts.astype("datetime64[us]").astype(np.int64))
        return np.random.default_rng([self.seed, moment])


def one_hot(index: int, n_strategies: int) -> FloatArray:
    """Return (n_strategies + 1,): 1 for the chosen strategy, or, last, for standing aside."""
    return np.where(np.arange(n_strategies + 1) == index % (n_strategies + 1), 1.0, 0.0)


def decision_rows(chain: Panel) -> IntArray:
    """Return the first row at or after each five-minute mark since the open, each once."""
    mark = np.floor((chain.minute - chain.open_minute) / DECISION_MINUTES + 1e-9)
    is_first = np.append(True, mark[1:] > mark[:-1])[: len(mark)]
    return np.flatnonzero(is_first)


def masks(
    chain: Panel,
    context: Context,
    strategies: Sequence[Strategy],
    limits: Limits,
    rows: IntArray,
) -> BoolArray:
    """Return (len(rows), n_strategies): whose inputs were there by then, while entries are let in.

    A window of five minutes counts as open when an entry may be decided anywhere in it.
    """
    minute = chain.minute[rows]
    begun = minute + DECISION_MINUTES - chain.open_minute > limits.first_entry_minutes
    hours = begun & (chain.close_minute - minute >= limits.last_entry_minutes)
    ready = [is_ready(chain, context, strategy, rows) for strategy in strategies]
    possible: BoolArray = np.stack(ready, axis=1) & hours[:, None]
    return possible


def is_ready(chain: Panel, context: Context, strategy: Strategy, rows: IntArray) -> BoolArray:
    """Return (len(rows),): whether a strategy had its inputs by each row and was not silent then.

    ``rows`` ascend. A strategy that has a reason to stay silent keeps it for the day, so the first
    row with one is found by halving; what later rows say is not heard before.
    """
    fed = rows >= max((chain.said_from(name) for name in strategy.needs), default=0)
    if strategy.silent_because is None or not fed.any():
        return fed
    if strategy.silence(chain, context) is None:
        return fed
    known = rows[fed]

    def silent_after(n_rows: int) -> bool:
        if n_rows == chain.n_rows:
            return True
        return strategy.silence(chain.until(n_rows), context.until(n_rows)) is not None

    heard = 0
    if not silent_after(int(known[0]) + 1):
        heard = bisect_left(known, True, key=lambda row: silent_after(int(row) + 1))
    return np.asarray(fed & (np.cumsum(fed) <= heard))


def of_the_chosen(orders: Records, decisions: Sequence[Decision]) -> Records:
    """Return the orders of whoever was chosen at the latest decision before them."""
    if not decisions:
        return orders[:0]
    rows = np.array([decision.row for decision in decisions])
    chosen = np.array([decision.choice.index for decision in decisions])
    latest = np.searchsorted(rows, orders["row"], side="right") - 1
    kept: Records = orders[(latest >= 0) & (chosen[latest] == orders["strategy"])]
    return kept


def uniform(observation: FloatArray, mask: BoolArray, rng: np.random.Generator) -> Choice:
    """Choose among the possible strategies and standing aside, each as likely as the other."""
    options = np.append(np.flatnonzero(mask), NONE)
    propensity = np.where(mask, 1.0 / len(options), 0.0)
    return Choice(int(rng.choice(options)), np.zeros(len(mask)), propensity)


def equal(observation: FloatArray, mask: BoolArray, rng: np.random.Generator) -> Choice:
    """Choose among the possible strategies, each as likely as the other, and never stand aside.

    On average this makes what equal weights on all possible strategies would; one trades at a time.
    """
    options = np.flatnonzero(mask)
    propensity = np.where(mask, 1.0 / max(len(options), 1), 0.0)
    index = int(rng.choice(options)) if len(options) else NONE
    return Choice(index, np.zeros(len(mask)), propensity)


def always(place: int) -> Policy:
    """Return the policy that chooses one strategy whenever it is possible."""

    def choose(observation: FloatArray, mask: BoolArray, rng: np.random.Generator) -> Choice:
        wanted = np.arange(len(mask)) == place
        propensity = np.where(mask & wanted, 1.0, 0.0)
        return Choice(place if mask[place] else NONE, wanted.astype(np.float64), propensity)

    return choose


def chooser_named(name: str, strategies: Sequence[Strategy], seed: int) -> Chooser:
    """Return the chooser of ``random``, ``equal``, or the name of one of the strategies."""
    if name in DRAWN:
        return Chooser(name, DRAWN[name], seed)
    names = [strategy.name for strategy in strategies]
    if name in names:
        return Chooser(name, always(names.index(name)), seed)
    raise InputError(
        f"no policy {name!r}",
        f"give champion, random, equal, one of {', '.join(names)}, or a version; optiq models ls",
    )


DRAWN: dict[str, Policy] = {RANDOM: uniform, EQUAL: equal}
"""Those that look at nothing."""
