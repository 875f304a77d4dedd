"""Would a lie survive? Checks that a policy's training does not see what it may not.

``CHECKS`` are those of a stored version. They ask the episodes it learnt from, and the market those
were made of where it is stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from optiq.learn.audit import Finding
from optiq.learn.intervals import mean_interval
from optiq.learn.policy.bundle import Bundle, read_bundle
from optiq.learn.policy.choosers import Ridge, Single, blocks_of, chosen, made_by, oracle
from optiq.learn.policy.episode_table import EpisodeTable, read_episodes
from optiq.learn.policy.evaluation import folds_of, learnt
from optiq.learn.policy.observed import Statistics
from optiq.learn.version_folder import Stored
from optiq.market.features import market_features
from optiq.market.manifest import listed
from optiq.market.schema import FloatArray, IntArray
from optiq.market.store import Store

TOO_TELLING = 0.5
"""Share of what was possible that one observation alone reaches on other sessions, or its rank
correlation with one strategy's results: no honest one comes near either."""
BINS = 10
PERMUTATIONS = 5
PLACEBO_LEVEL = 0.98
DAYS, CUTS = 2, 6
Verdict = tuple[bool, str, dict[str, float | int | str | None]]


@dataclass(frozen=True)
class Subject:
    """A policy as the audit asks it; ``store`` is None before it is stored."""

    table: EpisodeTable
    bundle: Bundle | None = None
    store: Store | None = None
    seed: int = 0

    @cached_property
    def split(self) -> tuple[IntArray, IntArray]:
        """Rows learnt from and rows tested, of the last fold."""
        fold = folds_of(self.table, 1)[0][-1]
        return learnt(fold), fold.test


def subject(store: Store, stored: Stored, seed: int) -> Subject:
    """Return a stored version with the episodes it learnt from."""
    sessions = stored.card["sessions"]
    first, last = (dt.date.fromisoformat(sessions[end]) for end in ("first", "last"))
    table = read_episodes(store.root, stored.card["underlyings"], first, last)
    bundle = read_bundle(stored.files, f"{stored.kind} {stored.version}")
    return Subject(table, bundle, store, seed)


def audited(table: EpisodeTable, bundle: Bundle | None = None, seed: int = 0) -> list[Finding]:
    """Return the checks of a training that need no market, for its card."""
    suspect = Subject(table, bundle, seed=seed)
    return [Finding(name, *check(suspect)) for name, check in CHECKS[:-1]]


def telling(table: EpisodeTable) -> dict[str, float]:
    """Return how much each observation alone tells, by name: the larger of two shares.

    One is the share of what was possible that choosing by its tenths makes on sessions that those
    tenths were not learnt from, the other its largest rank correlation with one strategy's results.
    """
    block = blocks_of(table.session, 2)
    made = np.where(table.mask, table.r, 0.0)
    best = float(oracle(table).sum())
    ranks = _ranks(made)
    found = {}
    for place, name in enumerate(table.observed):
        seen = np.nan_to_num(table.observation[:, place], nan=-np.inf)
        reached = sum(
            _by_tenths(seen, table, made, block != held, block == held) for held in (0, 1)
        )
        share = reached / best if best > 0 else 0.0
        found[name] = max(share, float(np.abs(_correlations(_ranks(seen[:, None]), ranks)).max()))
    return found


def _split(suspect: Subject) -> Verdict:
    table, (train, test) = suspect.table, suspect.split
    late = int((table.end[train] >= table.ts[test].min()).sum())
    shared = int(np.isin(table.session[train], table.session[test]).sum())
    return (
        late + shared == 0,
        f"{late} results end after the first tested decision, {shared} rows share its sessions",
        {"late": late, "shared": shared},
    )


def _fit_scope(suspect: Subject) -> Verdict:
    """Demand the statistics of exactly the episodes that were learnt from, of no other row."""
    if suspect.bundle is None:
        return True, "nothing is fitted yet", {}
    own, kept = Statistics.of(suspect.table.observation), suspect.bundle.about.statistics
    same = _same(own.mean, kept.mean) and _same(own.deviation, kept.deviation)
    return same, f"observations are scaled by {'these' if same else 'other'} episodes", {}


def _duplicates(suspect: Subject) -> Verdict:
    table, (train, test) = suspect.table, suspect.split
    rows = np.ascontiguousarray(np.hstack([np.nan_to_num(table.observation), table.r]))
    known = {rows[row].tobytes() for row in train.tolist()}
    twice = sum(rows[row].tobytes() in known for row in test.tolist())
    return twice == 0, f"{twice} tested decisions were learnt from", {"duplicates": twice}


def _future(suspect: Subject) -> Verdict:
    """Name the observations that tell more than anything known at the decision could."""
    found = telling(suspect.table)
    named = [name for name, told in found.items() if told > TOO_TELLING]
    most = max(found, key=lambda name: found[name])
    says = f"{', '.join(named)}: tells the future" if named else f"{most} tells most"
    return not named, f"{says} ({found[most]:.2f}, allowed {TOO_TELLING:g})", {most: found[most]}


def _permuted(suspect: Subject) -> Verdict:
    """Results dealt to other decisions teach nothing: ridge must not beat the best single."""
    table, (train, test) = suspect.table, suspect.split
    rng = np.random.default_rng(suspect.seed)
    tested, gains = table.take(test), np.zeros(len(test))
    for _ in range(PERMUTATIONS):
        dealt = _dealt(table.take(train), rng.permutation(len(train)))
        gains += _made(Ridge.fitted(dealt), tested) - _made(Single.best(dealt), tested)
    number = np.unique(tested.session, return_inverse=True)[1]
    gain = mean_interval(
        np.bincount(number, gains / PERMUTATIONS), np.bincount(number), level=PLACEBO_LEVEL
    )
    passed = not (gain.is_known and gain.low > 0)
    says = f"over the best single {gain.value:+.3f} R, at least {gain.low:+.3f}"
    return passed, says, {"gain": gain.value}


def _truncation(suspect: Subject) -> Verdict:
    """Demand of a day cut at a decision what was logged there, and the same preferences."""
    if suspect.bundle is None or suspect.store is None:
        return True, "not stored yet", {}
    rng, store, table = np.random.default_rng(suspect.seed), suspect.store, suspect.table
    asked, differing = 0, ""
    days = [(name, day.date) for name in table.underlyings for day in listed(store.root, name)]
    days = [one for one in days if np.datetime64(one[1]) in table.sessions]
    for place in rng.permutation(len(days))[:DAYS].tolist():
        name, date = days[place]
        panel, context = store.read_panel(name, date), store.context(name, date)
        chain = panel.chain_only
        logged = table.take(table.session == np.datetime64(date))
        rows = np.flatnonzero(np.isin(logged.ts, chain.ts))
        for row in rng.permutation(rows)[:CUTS].tolist():
            at = int(np.searchsorted(chain.ts, logged.ts[row]))
            seen = market_features(chain.until(at + 1), context, first_row=at)[at]
            whole = suspect.bundle.preferences(logged.observation)[row]
            cut = suspect.bundle.preferences(seen[None])[0]
            asked += 1
            if not (_same(seen, logged.observation[row]) and _same(whole, cut)):
                differing = f"{name} {logged.ts[row]}Z"
    says = f"{asked} decisions of days cut there, " + (
        f"one differs: {differing}" if differing else "all the same bit for bit"
    )
    return not differing, says, {"decisions": asked}


SPLIT, SCOPE, DUPLICATES, FUTURE = "split", "fit scope", "duplicates", "future observation"
PERMUTED, TRUNCATION = "permuted results", "truncation"
CHECKS: tuple[tuple[str, Callable[[Subject], Verdict]], ...] = (
    (SPLIT, _split),
    (SCOPE, _fit_scope),
    (DUPLICATES, _duplicates),
    (FUTURE, _future),
    (PERMUTED, _permuted),
    (TRUNCATION, _truncation),
)


def _by_tenths(
    seen: FloatArray, table: EpisodeTable, made: FloatArray, train: Any, test: Any
) -> float:
    """Return what choosing by the tenths of one observation makes on other rows."""
    edges = np.unique(np.quantile(seen[train], np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    tenth = np.searchsorted(edges, seen, side="right")
    sums = np.zeros((len(edges) + 1, made.shape[1]))
    np.add.at(sums, tenth[train], made[train])
    picks = chosen(sums[tenth[test]], table.mask[test])
    return float(made_by(picks, made[test]).sum())


def _ranks(columns: FloatArray) -> FloatArray:
    """Return the ranks of each column, ties sharing theirs, centred and of length 1."""
    from scipy.stats import rankdata

    ranks = rankdata(columns, axis=0)
    ranks = ranks - ranks.mean(axis=0)
    length = np.sqrt((ranks**2).sum(axis=0))
    return np.asarray(ranks / np.where(length > 0, length, 1.0))


def _correlations(one: FloatArray, others: FloatArray) -> FloatArray:
    return np.asarray(one.T @ others)


def _made(chooser: Any, table: EpisodeTable) -> FloatArray:
    return made_by(chosen(chooser.preferences(table.observation), table.mask), table.r)


def _dealt(table: EpisodeTable, order: IntArray) -> EpisodeTable:
    return replace(table, r=table.r[order], mask=table.mask[order])


def _same(one: FloatArray, other: FloatArray) -> bool:
    return np.array_equal(one, other, equal_nan=True)
