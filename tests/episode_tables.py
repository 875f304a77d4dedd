"""Episode tables whose best choice is known, made in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from optiq.learn.policy.choosers import chosen, made_by
from optiq.learn.policy.episode_table import EpisodeTable
from optiq.market.schema import FloatArray
from optiq.run.episodes import feature_hash, moment, write
from optiq.trade.strategies import built_in

A_SESSION = 12
FIRST = np.datetime64("2025-01-01")
Rule = Callable[[FloatArray], FloatArray]
"""From observations (n, d) to the mean R of each strategy (n, 8)."""


def table_of(
    observation: FloatArray, r: FloatArray, *, a_session: int = A_SESSION, first=FIRST
) -> EpisodeTable:
    """Return decisions five minutes apart, everything possible, known half an hour later."""
    n = len(r)
    session = first + np.arange(n) // a_session
    minutes = (np.arange(n) % a_session) * np.timedelta64(5, "m")
    ts = session.astype("datetime64[us]") + np.timedelta64(4, "h") + minutes
    return EpisodeTable(
        observation,
        np.ones(r.shape, bool),
        r,
        session,
        ts,
        ts + np.timedelta64(30, "m"),
        np.full(n, -1),
        np.full(r.shape, 1.0 / (r.shape[1] + 1)),
        observed=tuple(f"x{number}" for number in range(observation.shape[1])),
        underlyings=("NIFTY",),
        feature_hash="features",
        walk_hash="walk",
    )


def linear(gain: float = 0.234, n_seen: int = 12) -> Rule:
    """Return a planted linear rule: the best is ``gain`` R above the mean of the eight."""
    rng = np.random.default_rng(99)
    weights = rng.standard_normal((n_seen, 8))
    means = rng.standard_normal((20_000, n_seen)) @ weights
    scale = gain / float((means.max(axis=1) - means.mean(axis=1)).mean())
    return lambda seen: seen @ weights * scale


def drawn(
    rule: Rule, n: int, seed: int, n_seen: int = 12, noise: float = 1.0, **how
) -> EpisodeTable:
    """Return ``n`` decisions whose results are the rule's and noise of so many R."""
    rng = np.random.default_rng(seed)
    seen = rng.standard_normal((n, n_seen))
    return table_of(seen, rule(seen) + noise * rng.standard_normal((n, 8)), **how)


def worth(chooser, rule: Rule, n_seen: int = 12, n: int = 4_000, seed: int = 4_321) -> float:
    """Return the expected R of a chooser's picks on new observations."""
    seen = np.random.default_rng(seed).standard_normal((n, n_seen))
    means = rule(seen)
    return float(
        made_by(chosen(chooser.preferences(seen), np.ones(means.shape, bool)), means).mean()
    )


def best_worth(rule: Rule, n_seen: int = 12, n: int = 4_000, seed: int = 4_321) -> float:
    """Return what knowing the rule is worth."""
    seen = np.random.default_rng(seed).standard_normal((n, n_seen))
    return float(np.maximum(rule(seen).max(axis=1), 0.0).mean())


def written(table: EpisodeTable, root: Path) -> Path:
    """Put a table of 23 observations into a store as paper sessions would have logged it."""
    strategies = [built_in(name) for name in table.strategies]
    for day in table.sessions:
        part = table.of_sessions(np.array([day]))
        lines = [_line(part, row) for row in range(len(part))]
        write(root, table.underlyings[0], day.item(), lines, strategies)
    return root


def _line(table: EpisodeTable, row: int) -> dict[str, object]:
    line: dict[str, object] = {
        "schema": 1,
        "session": "made",
        "underlying": table.underlyings[0],
        "ts": moment(table.ts[row]),
        "row": row,
        "feature_hash": feature_hash(),
        "walk_hash": table.walk_hash,
        "policy_version": "random",
        "seed": 0,
        "observation": table.observation[row].tolist(),
        "mask": table.mask[row].tolist(),
        "choice": int(table.choice[row]),
        "propensity": table.propensity[row].tolist(),
    }
    for place, name in enumerate(table.strategies):
        line |= {f"{name}_r": float(table.r[row, place]), f"{name}_exit_ts": moment(table.end[row])}
    return line
