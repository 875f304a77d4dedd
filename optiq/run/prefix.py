"""Proof that nothing looks ahead: what is said of a row is the same wherever the day is cut.

A day is cut after some rows, as it stood then in a live market, and asked again. Whoever reads one
row ahead, the day's extremes or the number of contracts says something else, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optiq.errors import StrategyError
from optiq.market.context import Context
from optiq.market.feature_table import CONTRACT_FEATURES, MARKET_FEATURES
from optiq.market.features import contract_features, market_features
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray
from optiq.run.asking import Scorer, orders_since
from optiq.run.choosing import is_ready
from optiq.run.cuts import blind_cuts, pointed_cuts
from optiq.run.mismatch import Mismatch, compare, look_ahead
from optiq.run.said import Said, of_cells, of_orders, of_rows, of_scores
from optiq.trade.orders import Orders
from optiq.trade.strategies import Strategy

CUTS = 60
"""Cuts a day besides those that are always made."""
EVERY_ROW = 16
"""Contracts' features are compared on one row in so many: there are 65,000 cells a day."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that speaks of a panel's rows, and what it is called in a message."""

    name: str
    say: Callable[[Panel, Context], Said]


@dataclass(frozen=True, slots=True)
class Checked:
    """What one subject said of one day: panels asked, rows and statements compared."""

    cuts: int
    rows: int
    statements: int
    mismatch: Mismatch | None


def orders_of(strategy: Strategy) -> Subject:
    """Return a strategy's orders as a subject; the last row's as it gives them on paper.

    There one that says how far it looks back is shown no more than that.
    """

    def say(panel: Panel, context: Context) -> Said:
        orders, last = strategy.entries(panel, context), panel.n_rows - 1
        if strategy.lookback_minutes is not None and last > 0:
            on_paper = orders_since(panel, context, [strategy], last)
            orders = Orders.joined(orders.take(orders.row < last), *on_paper)
        return of_orders(panel, orders)

    return Subject(f"strategy {strategy.name!r}", say)


def readiness_of(strategy: Strategy) -> Subject:
    """Return on which rows a strategy could be chosen as a subject: its inputs and its silence."""

    def say(panel: Panel, context: Context) -> Said:
        ready = is_ready(panel, context, strategy, np.arange(panel.n_rows))
        return of_rows(panel, ("ready",), ready[:, None].astype(np.float64))

    return Subject(f"the silence of strategy {strategy.name!r}", say)


def scores_of(name: str, scorer: Scorer, strategy: Strategy) -> Subject:
    """Return a scorer's view of a strategy's orders as a subject."""

    def say(panel: Panel, context: Context) -> Said:
        orders = strategy.entries(panel, context)
        scores = scorer(panel, context, orders)
        none = np.full(len(orders), np.nan)
        return of_scores(panel, orders, none if scores is None else scores)

    return Subject(f"scorer {name!r} on {strategy.name!r}", say)


def features_of(
    name: str, names: tuple[str, ...], compute: Callable[[Panel, Context], AnyArray]
) -> Subject:
    """Return features of the market, (n_rows, len(names)), as a subject."""
    return Subject(name, lambda panel, context: of_rows(panel, names, compute(panel, context)))


def of_the_market() -> Subject:
    """Return what models see of the market as a subject."""
    names = tuple(feature.name for feature in MARKET_FEATURES)
    return features_of("features of the market", names, market_features)


def of_contracts() -> Subject:
    """Return what models see of contracts, of all of them on every sixteenth row."""
    names = tuple(feature.name for feature in CONTRACT_FEATURES)

    def say(panel: Panel, context: Context) -> Said:
        row, column = np.nonzero(panel.observed[::EVERY_ROW])
        row = row * EVERY_ROW
        values = contract_features(panel, context, row, column)
        return of_cells(panel, row, column, names, values)

    return Subject("features of contracts", say)


def require(subject: Subject, panel: Panel, context: Context | None = None, seed: int = 0) -> int:
    """Check one subject on one day and return how many statements were compared.

    Raises `LookAheadError` where it contradicts itself.
    """
    (checked,) = check([subject], panel, context or Context(), seed=seed)
    if checked.mismatch is not None:
        raise look_ahead(checked.mismatch)
    return checked.statements


def check(
    subjects: Sequence[Subject],
    panel: Panel,
    context: Context,
    cuts: int = CUTS,
    seed: int = 0,
) -> list[Checked]:
    """Compare what each subject says of a day with what it says of the day's beginnings.

    First come the cuts that are always made and random ones, from the open on and before the
    whole day is shown, so that nothing kept from an earlier call can help; then the whole day,
    cuts at the moments when what it says changes, and the day with its columns reversed and
    shuffled. ``cuts`` is the number of random and of pointed cuts together.
    """
    rng = np.random.default_rng([seed, panel.date.toordinal()])
    blind = blind_cuts(panel, cuts - cuts // 2, rng)
    said_early: list[list[Said]] = [[] for _ in subjects]
    for cut in blind:
        then, known = panel.until(cut), context.until(cut)
        for subject, said in zip(subjects, said_early, strict=True):
            said.append(_asked(subject, then, known, _cut_after(cut)))
    return [
        _judge(subject, panel, context, list(zip(blind, said, strict=True)), cuts // 2, rng)
        for subject, said in zip(subjects, said_early, strict=True)
    ]


def _judge(
    subject: Subject,
    panel: Panel,
    context: Context,
    early: list[tuple[int, Said]],
    n_pointed: int,
    rng: np.random.Generator,
) -> Checked:
    """Compare the whole day with what was said early, then at the telling moments."""
    whole = _asked(subject, panel, context)
    asked = rows = statements = 0
    mismatch = None
    for n_rows, where, said in _others(subject, panel, context, early, whole, n_pointed, rng):
        asked, rows = asked + 1, rows + n_rows
        statements += int(np.searchsorted(whole.row, n_rows))
        mismatch = compare(subject.name, panel, n_rows, where, said, whole)
        if mismatch is not None:
            break
    return Checked(asked, rows, statements, mismatch)


def _others(
    subject: Subject,
    panel: Panel,
    context: Context,
    early: list[tuple[int, Said]],
    whole: Said,
    n_pointed: int,
    rng: np.random.Generator,
) -> Iterator[tuple[int, str, Said]]:
    """Yield the panels to compare the whole day with: how many rows, which, what is said there."""
    for cut, said in early:
        yield cut, _cut_after(cut), said
    for cut in pointed_cuts(whole, panel.n_rows, n_pointed, rng).tolist():
        where = _cut_after(cut)
        yield cut, where, _asked(subject, panel.until(cut), context.until(cut), where)
    columns = np.arange(panel.n_contracts)
    for word, order in (("reversed", columns[::-1]), ("shuffled", rng.permutation(columns))):
        where = f"with its columns {word}"
        yield panel.n_rows, where, _asked(subject, panel.reordered(order), context, where)


def _asked(subject: Subject, panel: Panel, context: Context, where: str = "") -> Said:
    """Return what a subject says of a panel; an error says which panel it came from."""
    try:
        return subject.say(panel, context)
    except StrategyError as error:
        if not where:
            raise
        raise StrategyError(f"{error}; this is the day {where}", error.hint) from error


def _cut_after(n_rows: int) -> str:
    return f"cut after row {n_rows - 1}" if n_rows else "cut before its first row"
